/**
 * The dealings with one particular other: the exchange with them, offer and answer, candidates. A creator may go through
 * several of these before somebody who knows the words is there; each has its own peer connection and its own keys.
 *
 * What happens in it happens one after the other, in the order in which it came: sealing, opening and describing all take
 * their time in a browser.
 */
import { exhaustive } from "../../exhaustive";
import type { Bytes } from "../crypto/bytes";
import type { Emoji } from "../crypto/emoji";
import type { Role } from "../signaling/messages";
import { fingerprintOf, type Body, type Candidate, type Description } from "./bodies";
import type { ControlMessage } from "./control";
import type { PeerConnection } from "./peer";

/** Seals what goes to the other and opens what comes; its first messages are those of the exchange itself. */
export interface Envelope {
  seal(body: Outgoing): Promise<string>;
  /** Throws an `EnvelopeError`. */
  open(sealed: string): Promise<Incoming>;
  /** The certificate that the exchange is bound to, upper case; `null` before it is known. */
  readonly fingerprint: string | null;
  /** What both screens show, once it is known. */
  readonly pictures: Emoji[] | null;
  /** Creator: our tag has left, and no good one has come back. Somebody may have tested a guess by it. */
  readonly unanswered: boolean;
  /** By what the two may meet again, once each has proved itself. */
  readonly rejoin: Bytes | null;
}

/** The joiner's first words; all that they carry is the exchange's own. */
export interface Knock {
  type: "knock";
}
export type Outgoing = Body | Knock;
export type Incoming = Body | Knock;

/** What describes the connection to be made. */
export type Negotiation = Extract<Incoming, { type: "knock" | "offer" | "answer" | "candidate" | "end-of-candidates" }>;

/**
 * What is wrong with a message: the other may have meant it well (`nonsense`), the exchange shows that the other doesn't know
 * our words (`words`), or nobody but somebody in between sends this (`tampered`).
 */
export type Fault = "nonsense" | "words" | "tampered";

/** A message that can't be opened. */
export class EnvelopeError extends Error {
  readonly fault: Fault;

  constructor(message: string, fault: Fault = "nonsense") {
    super(message);
    this.fault = fault;
  }
}

/** Where offer and answer stand (RFC 9429, section 3.2). */
export type Step = "await-knock" | "await-answer" | "await-offer" | "stable";

export class Meeting {
  readonly peer: PeerConnection;
  readonly envelope: Envelope;
  step: Step;
  /** The peer connection says that a path is up. */
  pathUp = false;
  /** When ICE was last restarted, and when a lost path was last found again: milliseconds of performance.now(). */
  restarted = -Infinity;
  found = -Infinity;
  /** The lost path can't come back by itself. */
  hopeless = false;
  over = false;
  readonly #role: Role;
  readonly #relay: (sealed: string) => void;
  readonly #onError: (error: unknown) => void;
  #inbox = Promise.resolve();
  #outbox = Promise.resolve();
  #described = false;
  #held: Body[] = [];
  /** The meeting with the same other that has followed this one. */
  #next: Meeting | null = null;

  /** What goes wrong in here comes out by `onError`. */
  constructor(
    role: Role,
    peer: PeerConnection,
    envelope: Envelope,
    relay: (sealed: string) => void,
    onError: (error: unknown) => void,
  ) {
    this.#role = role;
    this.peer = peer;
    this.envelope = envelope;
    this.step = role === "creator" ? "await-knock" : "await-offer";
    this.#relay = relay;
    this.#onError = onError;
  }

  /** Does this after everything before it; what comes of it after the end matters to nobody. */
  then(work: () => Promise<void> | void): void {
    this.#inbox = this.#inbox.then(() => this.#do(work));
  }

  /** Does this with something of the other's, which may belong to the meeting that begins by what came right before it. */
  hear(work: (present: Meeting) => Promise<void>): void {
    this.#inbox = this.#inbox.then(() => {
      const present = this.#last();
      return present.#do(() => work(present));
    });
  }

  /** Nothing more comes of this one. */
  leave(): void {
    this.over = true;
    this.peer.close();
  }

  /** Leaves, and begins another one with the same other behind all that is under way. */
  precede(next: Meeting): void {
    this.leave();
    [next.#inbox, next.#outbox, this.#next] = [this.#inbox, this.#outbox, next];
  }

  /** Seals a body and hands it to the server. Resolves once it is handed over. */
  say(body: Outgoing): Promise<void> {
    this.#outbox = this.#outbox.then(async () => {
      try {
        this.#relay(await this.envelope.seal(body));
      } catch (error) {
        // Of an address, or a word, one can be left out.
        if (body.type === "knock" || body.type === "offer" || body.type === "answer") this.#onError(error);
      }
    });
    return this.#outbox;
  }

  /** A message of the control channel that goes through the server: the channel isn't open, or its path is lost. */
  control(message: ControlMessage): void {
    void this.say({ type: "control", text: JSON.stringify(message) });
  }

  /** Creator: a first offer, or one that restarts ICE. */
  async offer(restart: boolean): Promise<void> {
    this.#described = false;
    const sdp = await this.peer.offer(restart);
    this.step = "await-answer";
    await this.#describe({ type: "offer", sdp, restart });
  }

  /** Takes what the other sends for the connection; `true` where both descriptions are there now. */
  async negotiate(body: Negotiation): Promise<boolean> {
    switch (body.type) {
      case "knock":
        if (this.step !== "await-knock") throw new EnvelopeError("a second knock");
        await this.offer(false);
        return false;
      case "offer":
        // Both offered at once: ours, the creator's, stands, and the other gives way. (A joiner of ours never offers.)
        if (this.#role === "creator") return false;
        await this.answer(body);
        return true;
      case "answer":
        await this.acceptAnswer(body);
        return true;
      case "candidate":
        await this.peer.addCandidate(body);
        return false;
      case "end-of-candidates":
        return false;
      default:
        return exhaustive(body);
    }
  }

  /** Whether the connection came up with the certificate of the exchange, as far as the browser tells. */
  async isProven(): Promise<boolean> {
    const shown = await this.peer.remoteFingerprint().catch(() => null);
    return shown === null || shown === this.envelope.fingerprint;
  }

  /** Joiner: the answer to an offer. */
  async answer(offer: Description): Promise<void> {
    this.#check(offer);
    this.#described = false;
    const sdp = await this.peer.answer(offer.sdp);
    this.step = "stable";
    await this.#describe({ type: "answer", sdp });
  }

  /** Creator: the other's answer. */
  async acceptAnswer(answer: Description): Promise<void> {
    if (this.step !== "await-answer") throw new EnvelopeError("an answer to nothing");
    this.#check(answer);
    await this.peer.acceptAnswer(answer.sdp);
    this.step = "stable";
  }

  /** Creator: takes back an offer that the other can't use. */
  async rollback(): Promise<void> {
    if (this.step !== "await-answer") return;
    await this.peer.rollback();
    this.step = "stable";
  }

  /** A candidate, or their end: the other can do nothing with it before the description that it belongs to. */
  trickle(candidate: Candidate | null): void {
    const body: Body = candidate === null ? { type: "end-of-candidates" } : { type: "candidate", ...candidate };
    if (this.#described) void this.say(body);
    else this.#held.push(body);
  }

  isOver(): boolean {
    return this.over;
  }

  async #do(work: () => Promise<void> | void): Promise<void> {
    if (this.over) return;
    try {
      await work();
    } catch (error) {
      if (!this.isOver()) this.#onError(error);
    }
  }

  #last(): Meeting {
    return this.#next === null ? this : this.#next.#last();
  }

  /** Sends a description, and the candidates that waited for it. */
  async #describe(body: Description): Promise<void> {
    await this.say(body);
    this.#described = true;
    for (const held of this.#held.splice(0)) void this.say(held);
  }

  /** A description of another certificate than the exchange's own is refused before the browser sees it. */
  #check({ sdp }: Description): void {
    const sealed = this.envelope.fingerprint;
    if (sealed === null || fingerprintOf(sdp) !== sealed) {
      throw new EnvelopeError("a description with another certificate");
    }
  }
}
