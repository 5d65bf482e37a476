/**
 * The dealings with one particular other: the exchange with them, offer and answer, candidates. A creator may go through
 * several of these before somebody who knows the words is there; each has its own peer connection and its own keys.
 *
 * What happens in it happens one after the other, in the order in which it came: sealing, opening and describing all take
 * their time in a browser.
 */
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
}

/** The joiner's first words; all that they carry is the exchange's own. */
export interface Knock {
  type: "knock";
}
export type Outgoing = Body | Knock;
export type Incoming = Body | Knock;

/** A message that can't be opened. `words`: the exchange itself shows that the other doesn't know ours. */
export class EnvelopeError extends Error {
  readonly words: boolean;

  constructor(message: string, words = false) {
    super(message);
    this.words = words;
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
  readonly #relay: (sealed: string) => void;
  readonly #onError: (error: unknown) => void;
  #inbox = Promise.resolve();
  #outbox = Promise.resolve();
  #described = false;
  #held: Body[] = [];

  /** What goes wrong in here comes out by `onError`. */
  constructor(
    role: Role,
    peer: PeerConnection,
    envelope: Envelope,
    relay: (sealed: string) => void,
    onError: (error: unknown) => void,
  ) {
    this.peer = peer;
    this.envelope = envelope;
    this.step = role === "creator" ? "await-knock" : "await-offer";
    this.#relay = relay;
    this.#onError = onError;
  }

  /** Does this after everything before it; what comes of it after the end matters to nobody. */
  then(work: () => Promise<void> | void): void {
    this.#inbox = this.#inbox.then(async () => {
      if (this.over) return;
      try {
        await work();
      } catch (error) {
        if (!this.isOver()) this.#onError(error);
      }
    });
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
