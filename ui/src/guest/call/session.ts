/**
 * One call as a state machine, on the browser's own WebRTC. It behaves as `crates/call` does:
 *
 * ```text
 * new ─ created ─> waiting <─ wrong words, left, too late ─ verifying
 * new ─ let in ──────────────────────────┐
 * waiting ─ somebody knocks ─> verifying <┘ ─ both tags good, described ─> connecting ─ ICE+DTLS up ─> connected
 * connected ─ path lost ─> disconnected ─ path found, by itself or by an ICE restart ─> connected
 * any ─ hang up · the other hung up or left · deadline · refused · broken ─> closed(reason)
 * closed ─ both want another call ─> verifying                              (neither waits for anybody else)
 * ```
 */
import { exhaustive } from "../../exhaustive";
import { Deadlines } from "../deadlines";
import { Client } from "../signaling/client";
import type { ClientEvent, Intent } from "../signaling/events";
import type { IceServer } from "../signaling/messages";
import { Apart } from "./apart";
import { readControl, type ControlMessage, type MediaState, type ReceiveReport } from "./control";
import { EnvelopeError, Meeting, type Incoming } from "./meeting";
import { Mender } from "./mender";
import type { Means, SessionParts } from "./parts";
import { onlyWhile, type PeerConnection, type PeerEvents } from "./peer";
import {
  because,
  DEADLINE_OF,
  DEADLINES_MS,
  fromWord,
  ofFailure,
  ofGivingUp,
  ofLeaving,
  ofNoPath,
  ofRefusal,
  staysAfter,
  type CallState,
  type CloseReason,
  type Deadline,
} from "./state";

/** As many wrong guesses, and the code is burnt. */
const GUESSES = 3;
type State = CallState["kind"];

export class Session {
  readonly #parts: SessionParts;
  readonly #client: Client;
  readonly #mender: Mender;
  readonly #apart: Apart;
  readonly #timers = new Deadlines<Deadline>((deadline) => {
    this.#onDeadline(deadline);
  });
  #state: State = "new";
  /** When the call came up, milliseconds of performance.now(). */
  #since = 0;
  #meeting: Meeting | null = null;
  #nameplate: string;
  #guesses = 0;
  /** This is another call of two who have met: no code lets anybody else in. */
  #meetsAgain = false;
  /** What the server told last. */
  #iceServers: readonly IceServer[] | null = null;
  #media: MediaState;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#media = parts.media;
    this.#nameplate = parts.nameplate ?? "";
    const intent: Intent =
      parts.nameplate === null ? { kind: "create" } : { kind: "knock", nameplate: parts.nameplate };
    this.#client = new Client(intent, parts.dial, (event) => {
      this.#onClient(event);
    });
    this.#mender = new Mender(parts.role, this.#client, {
      giveUp: () => {
        this.#close(because("peer-lost"));
      },
    });
    this.#apart = new Apart(this.#client, parts, (means) => {
      this.#meetAgain(means);
    });
  }

  /** The connection to the other, while the call isn't over. */
  get peer(): PeerConnection | null {
    return this.#state === "closed" ? null : (this.#meeting?.peer ?? null);
  }

  hangUp(): void {
    this.#close(because("hung-up"));
  }

  /** Asks the other for another call, or agrees to theirs. */
  again(): void {
    void this.#apart.ask();
  }

  /** Ends the call, if it hasn't ended, and any thought of another one. */
  leave(): void {
    this.#close(because("hung-up"));
    this.#apart.end();
  }

  setMedia(media: MediaState): void {
    this.#media = media;
    const message = { type: "media", ...media } as const;
    if (!this.#overChannel(message) && this.#isUp()) this.#meeting?.control(message);
  }

  /** One second of a call, for the other to know. */
  report(report: ReceiveReport): void {
    this.#overChannel({ type: "stats", ...report });
  }

  /** While the path holds it is enough to ask whether the server still answers. */
  networkChanged(): void {
    if (this.#state === "connected") this.#client.probe();
    else this.#client.networkChanged();
  }

  // ── what the signalling brings ──────────────────────────────────────────────────────────────────────────────────

  #onClient(event: ClientEvent): void {
    switch (event.kind) {
      case "online":
        this.#parts.onEvent({ kind: "signaling", online: true, problem: null });
        this.#mender.serverAnswers();
        return;
      case "offline":
        this.#parts.onEvent({ kind: "signaling", online: false, problem: event.reason });
        return;
      case "created":
        this.#nameplate = event.nameplate;
        this.#parts.onEvent(event);
        this.#enter("waiting");
        return;
      case "waiting":
        this.#parts.onEvent(event);
        return;
      case "knocked":
        if (this.#state === "new" || this.#state === "waiting") this.#meet(this.#parts);
        return;
      case "ice-servers":
        this.#iceServers = event.servers;
        this.peer?.useServers(event.servers);
        return;
      case "relayed":
        this.#onRelayed(event.body);
        return;
      case "peer-left":
        this.#onPeerLeft(event.reason);
        return;
      case "refused":
        // Two who know one another need the server's help, not its leave.
        if (!this.#isAcquainted()) this.#close(ofRefusal(event.code, event.text, this.#nameplate));
        return;
      case "gave-up":
        this.#parts.onEvent({ kind: "signaling", online: false, problem: event.reason });
        this.#apart.end();
        if (this.#isAcquainted()) this.#mender.serverIsGone();
        else this.#close(ofGivingUp(event.cause, event.reason));
        return;
      case "confirmed":
        return; // Nothing waits for it: the two have agreed in what they relayed.
      default:
        exhaustive(event);
    }
  }

  /** Both want another call. What the server told the two when they met, it tells again only before it runs out. */
  #meetAgain(means: Means): void {
    this.#meetsAgain = true;
    this.#meet(means);
    if (this.#iceServers !== null) this.peer?.useServers(this.#iceServers);
  }

  /** New, waiting, closed → verifying. */
  #meet(means: Means): void {
    const isPresent = () => this.#meeting === meeting;
    const exchange = this.#client.exchange;
    const meeting: Meeting = new Meeting(
      this.#parts.role,
      means.peer(onlyWhile(isPresent, this.#peerEvents())),
      means.envelope(this.#nameplate),
      (sealed) => {
        // The last word to one who was dismissed is sealed when the next is awaited already.
        if (this.#client.exchange === exchange) this.#client.relay(sealed);
      },
      (error) => {
        if (isPresent()) this.#failed(meeting, error);
      },
    );
    this.#meeting?.precede(meeting);
    this.#meeting = meeting;
    this.#enter("verifying");
    if (this.#parts.role === "joiner") void meeting.say({ type: "knock" });
  }

  #onRelayed(sealed: string): void {
    this.#meeting?.hear(async (meeting) => {
      const body = await meeting.envelope.open(sealed);
      if (meeting === this.#meeting) await this.#onBody(meeting, body);
    });
  }

  #onPeerLeft(word: string): void {
    const means = ofLeaving(word, this.#state, this.#client.isInRoom);
    this.#apart.end();
    if (means === "wait-on") this.#backToWaiting();
    else if (means === "go-on-alone") this.#client.leave("");
    else if (means !== "nothing") this.#close(means);
  }

  // ── what the other says through it ──────────────────────────────────────────────────────────────────────────────

  async #onBody(meeting: Meeting, body: Incoming): Promise<void> {
    if (body.type === "again") this.#apart.asked();
    else if (this.#state === "closed") return;
    else if (body.type === "control") this.#onControl(body.text);
    else if (body.type === "bye") this.#goodbye(body.reason);
    else if (await meeting.negotiate(body)) this.#described(meeting);
  }

  /** Verifying → connecting. */
  #described(meeting: Meeting): void {
    if (this.#state !== "verifying" || meeting !== this.#meeting) return;
    this.#client.confirm();
    this.#parts.onEvent({ kind: "pictures", pictures: meeting.envelope.pictures ?? [] });
    this.#enter("connecting");
    if (meeting.pathUp) this.#pathFound(meeting);
  }

  /** Something about this other went wrong: a message, or what the browser was asked for because of one. */
  #failed(meeting: Meeting, error: unknown): void {
    const own = !(error instanceof EnvelopeError) && meeting.step !== "await-answer";
    if (this.#isUp()) this.#mender.refuse();
    else if (this.#mayWaitOn() && this.#state === "verifying" && !own) this.#dismiss();
    else this.#close(ofFailure(error, this.#meetsAgain));
  }

  /** Creator: what this one sent is of no use, and it is told so. */
  #dismiss(): void {
    void this.#meeting?.say({ type: "bye", reason: "dismissed" });
    this.#backToWaiting();
  }

  /** Verifying, connecting → waiting; closed where somebody has guessed too often. */
  #backToWaiting(): void {
    const guessed = this.#meeting?.envelope.unanswered === true;
    this.#meeting?.leave();
    this.#meeting = null;
    this.#enter("waiting");
    if (!guessed) return;
    this.#guesses += 1;
    this.#parts.onEvent({ kind: "guessed", left: GUESSES - this.#guesses });
    if (this.#guesses >= GUESSES) this.#close(because("burnt"));
  }

  #goodbye(word: string): void {
    if (this.#state === "verifying" && this.#mayWaitOn()) this.#backToWaiting();
    else this.#close(fromWord(word));
  }

  // ── the path ────────────────────────────────────────────────────────────────────────────────────────────────────

  #peerEvents(): PeerEvents {
    return {
      candidate: (candidate) => {
        this.#meeting?.trickle(candidate);
      },
      state: (state) => {
        if (this.#meeting !== null) this.#onPeerState(this.#meeting, state);
      },
      controlOpened: () => {
        this.#overChannel({ type: "guest", host: this.#parts.host });
        this.#overChannel({ type: "media", ...this.#media });
      },
      control: (message) => {
        this.#onControl(message);
      },
      news: (news) => {
        this.#parts.onEvent(news);
      },
      shown: (error) => {
        this.#close(ofFailure(error, this.#meetsAgain));
      },
    };
  }

  #onPeerState(meeting: Meeting, state: RTCPeerConnectionState): void {
    this.#parts.onEvent({ kind: "peer", state });
    meeting.pathUp = state === "connected";
    if (state === "connected") this.#pathFound(meeting);
    else if (state === "closed") this.#close(because("transport-failed", "the peer connection has ended"));
    // "connecting" after "connected" is a restart that has thrown the old path away.
    else this.#pathLost(meeting);
    if (state === "failed") this.#mender.beyondHope();
  }

  /** Connecting, disconnected → connected. */
  #pathFound(meeting: Meeting): void {
    if (this.#state !== "connecting" && this.#state !== "disconnected") return;
    if (this.#state === "connecting") {
      this.#since = performance.now();
      void this.#checkConnection(meeting);
    }
    this.#mender.end();
    this.#enter("connected");
    // What changed meanwhile may have had no way to the other.
    this.#overChannel({ type: "media", ...this.#media });
  }

  /** The browser holds the connection to the description's certificate; this holds the browser to it. */
  async #checkConnection(meeting: Meeting): Promise<void> {
    if (!(await meeting.isProven()) && !meeting.over) this.#close(because("wrong-certificate"));
  }

  /** Connected → disconnected. While connecting, the deadline decides: another candidate may still come. */
  #pathLost(meeting: Meeting): void {
    if (this.#state !== "connected") return;
    this.#enter("disconnected");
    this.#mender.begin(meeting);
  }

  // ── the control channel ─────────────────────────────────────────────────────────────────────────────────────────

  #onControl(text: string): void {
    const [message, meeting] = [readControl(text), this.#meeting];
    if (message === null || meeting === null) return;
    switch (message.type) {
      case "media":
        this.#parts.onEvent({ kind: "remote-media", media: message });
        return;
      case "bye":
        this.#goodbye(message.reason);
        return;
      case "stats":
        this.#parts.onEvent({ kind: "remote-report", report: message });
        return;
      case "please-restart":
      case "restart-failed":
        if (this.#isUp()) this.#mender.hear(message.type, meeting);
        return;
      case "guest":
        this.#parts.onEvent({ kind: "remote-guest", host: message.host });
        return;
      default:
        exhaustive(message);
    }
  }

  /** Says it on the data channel, while that is open and the path holds. */
  #overChannel(message: ControlMessage): boolean {
    return this.#state !== "disconnected" && this.#meeting?.peer.say(JSON.stringify(message)) === true;
  }

  readonly #isUp = () => this.#state === "connected" || this.#state === "disconnected";
  readonly #isAcquainted = () => this.#state === "connecting" || this.#isUp();
  /** Somebody else may enter the code. */
  readonly #mayWaitOn = () => this.#parts.role === "creator" && !this.#meetsAgain;

  #onDeadline(deadline: Deadline): void {
    switch (deadline) {
      case "exchange":
        if (this.#mayWaitOn()) this.#dismiss();
        else this.#close(because(this.#meetsAgain ? "peer-lost" : "no-answer"));
        return;
      case "connecting":
        this.#close(because("no-path"));
        return;
      default:
        exhaustive(deadline);
    }
  }

  /** Any → closed. Whoever finds out first that there is no path: it may be for want of an address of ours. */
  #close(found: CloseReason): void {
    if (this.#state === "closed") return;
    const reason = found.code === "no-path" ? ofNoPath(this.peer) : found;
    const bye = { type: "bye", reason: found.code } as const;
    const stays = this.#isUp() && this.#client.isPaired && staysAfter(reason.code);
    const rejoin = stays ? (this.#meeting?.envelope.rejoin ?? null) : null;
    let said = Promise.resolve();
    if (this.#isAcquainted() && reason.code !== "peer-hung-up") {
      // By both ways, since either may be dead without our knowing.
      this.#overChannel(bye);
      said = this.#meeting?.say(bye) ?? said;
    }
    this.#mender.end();
    this.#enter("closed", reason);
    this.#apart.begin({ meeting: this.#meeting, word: found.code, said, rejoin });
  }

  #enter(kind: State, reason = because("hung-up")): void {
    this.#timers.clearAll();
    const deadline = DEADLINE_OF[kind];
    if (deadline !== undefined) this.#timers.set(deadline, DEADLINES_MS[deadline]);
    this.#state = kind;
    this.#parts.onEvent({ kind: "state", state: { kind, reason, since: this.#since, lost: performance.now() } });
  }
}
