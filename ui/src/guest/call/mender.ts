/**
 * Brings a lost path back by restarting ICE (RFC 8445, section 9). A restart throws the old path away, which heals by itself
 * the moment that a dark network is back. So the creator restarts, and the joiner asks for it, only when the server has
 * answered since the path was lost: then the network is there and the path is not.
 */
import { exhaustive } from "../../exhaustive";
import { Deadlines } from "../deadlines";
import type { Client } from "../signaling/client";
import type { Role } from "../signaling/messages";
import type { Meeting } from "./meeting";
import { DEADLINES_MS } from "./state";

type Deadline = "restart" | "restartAgain" | "lost" | "alone";

export interface MenderUser {
  /** No path was found in time. */
  giveUp(): void;
}

export class Mender {
  readonly #role: Role;
  readonly #client: Client;
  readonly #user: MenderUser;
  readonly #timers = new Deadlines<Deadline>((deadline) => {
    this.#onDeadline(deadline);
  });
  /** With whom the path is lost, and since when; milliseconds of performance.now(). */
  #broken: { meeting: Meeting; since: number } | null = null;

  constructor(role: Role, client: Client, user: MenderUser) {
    this.#role = role;
    this.#client = client;
    this.#user = user;
  }

  /** The path is lost. */
  begin(meeting: Meeting): void {
    this.#broken = { meeting, since: performance.now() };
    this.#timers.set("lost", DEADLINES_MS.lost);
    if (this.#client.hasEnded) this.#timers.set("alone", DEADLINES_MS.alone);
    // Where a restart is under way, losing the old path is part of it.
    else if (!this.#timers.isSet("restartAgain")) this.#timers.set("restart", DEADLINES_MS.restart);
    this.#client.probe();
  }

  /** The path is back, or the call is over. */
  end(): void {
    if (this.#broken !== null) this.#broken.meeting.found = performance.now();
    this.#broken = null;
    this.#timers.clearAll();
  }

  /** The lost path can't come back by itself. */
  beyondHope(): void {
    if (this.#broken === null || !this.#timers.isSet("restart")) return;
    this.#broken.meeting.hopeless = true;
    this.#mend();
  }

  /** The server answers: what waited for it is done, if its time has come. */
  serverAnswers(): void {
    if (this.#broken === null || !this.#timers.isSet("restart")) return;
    const { meeting, since } = this.#broken;
    if (meeting.hopeless || performance.now() >= since + DEADLINES_MS.restart) this.#mend();
  }

  /** The server can't help any more: the old path must come back by itself. */
  serverIsGone(): void {
    if (this.#broken === null) return;
    this.#timers.clear("restart", "restartAgain");
    this.#timers.set("alone", DEADLINES_MS.alone);
  }

  /** The other says how its own mending goes. */
  hear(what: "please-restart" | "restart-failed", meeting: Meeting): void {
    if (what === "please-restart") this.#pleaseRestart(meeting);
    else this.#restartFailed(meeting);
  }

  /** A request that crossed our own restart is part of it, and one that comes just after the path was found is late. */
  #pleaseRestart(meeting: Meeting): void {
    if (this.#role !== "creator" || !this.#client.isOnline) return;
    const recent = (at: number) => performance.now() - at < DEADLINES_MS.restartAgain;
    if (recent(meeting.restarted) || recent(meeting.found)) return;
    this.#timers.clear("restart");
    this.#restart(meeting);
  }

  /** The other can't use our offer. It is taken back; another follows. */
  #restartFailed(meeting: Meeting): void {
    if (this.#role !== "creator" || meeting.step !== "await-answer") return;
    meeting.then(() => meeting.rollback());
    if (!this.#timers.isSet("restartAgain")) this.#timers.set("restartAgain", DEADLINES_MS.restartAgain);
  }

  /** What the other sent to restart with was of no use. */
  refuse(): void {
    if (this.#role === "joiner") this.#broken?.meeting.control({ type: "restart-failed" });
  }

  #onDeadline(deadline: Deadline): void {
    switch (deadline) {
      case "restart":
      case "restartAgain":
        this.#mend();
        return;
      case "lost":
      case "alone":
        this.#user.giveUp();
        return;
      default:
        exhaustive(deadline);
    }
  }

  #mend(): void {
    if (this.#broken === null || this.#client.hasEnded) return;
    if (!this.#client.hasAnsweredSince(this.#broken.since)) {
      this.#client.probe();
      this.#timers.set("restart", DEADLINES_MS.restart);
      return;
    }
    this.#timers.clear("restart");
    if (this.#role === "creator") {
      this.#restart(this.#broken.meeting);
    } else {
      this.#timers.set("restartAgain", DEADLINES_MS.restartAgain);
      this.#broken.meeting.control({ type: "please-restart" });
    }
  }

  #restart(meeting: Meeting): void {
    this.#timers.set("restartAgain", DEADLINES_MS.restartAgain);
    if (meeting.step !== "stable") return;
    meeting.restarted = performance.now();
    meeting.then(() => meeting.offer(true));
  }
}
