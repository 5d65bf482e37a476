/**
 * After the call: two who were connected stay in their room for a while and may call one another again, without a code. What
 * proves them is the rejoin secret of the call before (docs/protocol.md, "Again"); `crates/call/src/session/again.rs` does the same.
 *
 * ```text
 * (the call has ended) ─> apart ─ we ask · they ask ─> apart ─ both have asked ─> (they meet again)
 *         │ nothing to stay for   │ either leaves · the server is gone · nobody asks in time
 *         v                       v
 *       over ──── linger ────> (finished)
 * ```
 */
import { exhaustive } from "../../exhaustive";
import type { Bytes } from "../crypto/bytes";
import { Deadlines } from "../deadlines";
import type { Client } from "../signaling/client";
import type { Meeting } from "./meeting";
import type { Means, SessionParts } from "./parts";
import { DEADLINES_MS } from "./state";

/** How things stand with another call of two whose call is over. */
export type Again =
  /** The other is still there and may be asked. */
  | "possible"
  /** The other was asked. */
  | "awaited"
  /** The other asks us. */
  | "asked"
  /** The other is gone, or the way to it: another call needs another code. */
  | "over";

/** What is left of a call when it has ended. */
export interface Remains {
  meeting: Meeting | null;
  /** Why it has ended, in the protocol's word. */
  word: string;
  /** Resolves once the goodbye is sealed and on its way. */
  said: Promise<void>;
  /** By what another one can be held; `null` where nobody stays for one. */
  rejoin: Bytes | null;
}

/** What is said of another call. */
interface Wishes {
  meeting: Meeting;
  rejoin: Bytes;
  /** We have asked, or are about to. */
  ours: boolean;
  /** What we have asked with: nothing of the other call can come before it is there. */
  means: Means | null;
  theirs: boolean;
}

type Deadline = "linger" | "apart";

export class Apart {
  readonly #client: Client;
  readonly #parts: Pick<SessionParts, "again" | "onEvent">;
  readonly #meetAgain: (means: Means) => void;
  readonly #timers = new Deadlines<Deadline>((deadline) => {
    this.#onDeadline(deadline);
  });
  #meeting: Meeting | null = null;
  #said = Promise.resolve();
  #wishes: Wishes | null = null;

  /** `meetAgain`: both want another call. That the other has asked shows that our goodbye has arrived. */
  constructor(client: Client, parts: Pick<SessionParts, "again" | "onEvent">, meetAgain: (means: Means) => void) {
    this.#client = client;
    this.#parts = parts;
    this.#meetAgain = meetAgain;
  }

  /** The call has ended. */
  begin({ meeting, word, said, rejoin }: Remains): void {
    [this.#meeting, this.#said] = [meeting, said];
    this.#timers.set("linger", DEADLINES_MS.linger);
    if (meeting === null || rejoin === null) {
      this.#leave(word);
      return;
    }
    this.#wishes = { meeting, rejoin, ours: false, means: null, theirs: false };
    this.#tell("possible");
  }

  /** We want another call. Without one who could be asked nothing happens. */
  async ask(): Promise<void> {
    const wishes = this.#wishes;
    if (wishes === null || wishes.ours) return;
    wishes.ours = true;
    this.#tell("awaited");
    const means = await this.#parts.again(wishes.rejoin).catch(() => null);
    if (this.#wishes !== wishes) return;
    if (means === null) {
      this.end();
      return;
    }
    wishes.means = means;
    void wishes.meeting.say({ type: "again" });
    this.#meetIfBoth(wishes);
  }

  /** The other wants another call. */
  asked(): void {
    const wishes = this.#wishes;
    if (wishes === null || wishes.theirs) return;
    wishes.theirs = true;
    if (!wishes.ours) this.#tell("asked");
    this.#meetIfBoth(wishes);
  }

  /** There will be no other call: the other is out of the room, the server is gone, or the person goes elsewhere. */
  end(): void {
    if (this.#wishes === null) return;
    this.#wishes = null;
    this.#tell("over");
    this.#leave("left");
    if (!this.#timers.isSet("linger")) this.#finish();
  }

  #meetIfBoth({ means, theirs }: Wishes): void {
    if (means === null || !theirs) return;
    this.#wishes = null;
    this.#timers.clearAll();
    this.#meetAgain(means);
  }

  #onDeadline(deadline: Deadline): void {
    switch (deadline) {
      case "linger":
        this.#meeting?.peer.close();
        if (this.#wishes === null) this.#finish();
        else this.#timers.set("apart", DEADLINES_MS.apart);
        return;
      case "apart":
        this.end();
        return;
      default:
        exhaustive(deadline);
    }
  }

  /** Behind the goodbye. */
  #leave(word: string): void {
    void this.#said.then(() => {
      this.#client.leave(word);
    });
  }

  #finish(): void {
    this.#timers.clearAll();
    this.#meeting?.leave();
    this.#meeting = null;
    this.#parts.onEvent({ kind: "finished" });
  }

  #tell(again: Again): void {
    this.#parts.onEvent({ kind: "again", again });
  }
}
