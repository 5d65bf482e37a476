/**
 * One meeting of two who may know the same words, or have met before, from the first message to the last, as it goes
 * through the relay:
 *
 * ```text
 * 1  joiner → creator   open      sid, Yj, ADj
 * 2  creator → joiner   reply     Yc, ADc, tag, sealed offer
 * 3  joiner → creator   confirm   tag, sealed answer
 * …  both               sealed    everything after
 * ```
 * Nobody acts on a sealed body before the other's tag is good. docs/protocol.md says it byte for byte.
 */
import { readBody, type Body } from "../call/bodies";
import { EnvelopeError, type Envelope, type Incoming, type Outgoing } from "../call/meeting";
import { parseObject, text, whole, type Fields } from "../json";
import type { Role } from "../signaling/messages";
import { equal, fromBase64, fromHex, toBase64, toHex, utf8, type Bytes } from "./bytes";
import {
  agree,
  confirmationTag,
  ExchangeError,
  generator,
  POINT_BYTES,
  scalarFrom,
  sessionKey,
  share,
  SID_BYTES,
  type Shown,
} from "./cpace";
import type { Emoji } from "./emoji";
import { associatedData, derive, readAssociatedData, type Secret } from "./keys";
import { Seal, SealError, type Sealed } from "./seal";

const MAX_AD_BYTES = 256;
const TAG_BYTES = 64;
const MAX_REFUSAL = 32;

/** What the two who meet are to agree on. */
export interface Terms {
  role: Role;
  secret: Secret;
  /** Of our own certificate, as RFC 8122 writes it. */
  fingerprint: string;
  /** Creator: the session ids that this secret has met before; it adds its own. */
  seen: Set<string>;
  /** Random bytes; tests give theirs. */
  random?: (bytes: number) => Bytes;
}

/** What follows from the keys. */
interface Keyed {
  seal: Seal;
  /** By which we prove ourselves, and what the other's must be. */
  tag: Bytes;
  expected: Bytes;
  fingerprint: string;
  pictures: Emoji[];
  rejoin: Bytes;
}

type State =
  | { kind: "listening" }
  | { kind: "opened"; sid: Bytes; scalar: bigint; own: Shown }
  | { kind: "heard"; own: Shown; keyed: Keyed }
  | { kind: "replied" | "checked" | "verified"; keyed: Keyed }
  | { kind: "over" };

/** One side of one exchange. A new one is made for each that knocks. */
export class Exchange implements Envelope {
  readonly #terms: Terms;
  readonly #ad: Bytes;
  readonly #random: (bytes: number) => Bytes;
  #state: State = { kind: "listening" };
  #unanswered = false;

  constructor(terms: Terms) {
    this.#terms = terms;
    this.#random = terms.random ?? ((bytes) => crypto.getRandomValues(new Uint8Array(bytes)));
    this.#ad = associatedData(terms.role, fromHex(terms.fingerprint.replaceAll(":", "")) ?? new Uint8Array());
  }

  get unanswered(): boolean {
    return this.#unanswered;
  }

  get fingerprint(): string | null {
    return this.#proven()?.fingerprint ?? null;
  }

  get pictures(): Emoji[] | null {
    return this.#proven()?.pictures ?? null;
  }

  get rejoin(): Bytes | null {
    return this.#state.kind === "verified" ? this.#state.keyed.rejoin : null;
  }

  /** The joiner sees the creator's tag before anything sealed; the creator has none before the answer. */
  #proven(): Keyed | null {
    const state = this.#state;
    if (state.kind === "checked" || state.kind === "verified") return state.keyed;
    return null;
  }

  async seal(body: Outgoing): Promise<string> {
    const state = this.#state;
    if (body.type === "knock") return this.#open();
    if (body.type === "bye" && (state.kind === "listening" || state.kind === "heard")) return refusal(body.reason);
    if (state.kind === "heard" && body.type === "offer") {
      const { own, keyed } = state;
      const head = { point: toBase64(own.share), ad: toBase64(own.ad), tag: toBase64(keyed.tag) };
      this.#state = { kind: "replied", keyed };
      this.#unanswered = true;
      return wire("reply", head, await sealed(keyed, "reply", body));
    }
    if (state.kind === "checked" && body.type === "answer") {
      this.#state = { kind: "verified", keyed: state.keyed };
      return wire("confirm", { tag: toBase64(state.keyed.tag) }, await sealed(state.keyed, "confirm", body));
    }
    if (state.kind !== "replied" && state.kind !== "verified") {
      throw new EnvelopeError("nothing can be sealed before the code exchange");
    }
    return wire("sealed", {}, await sealed(state.keyed, "sealed", body));
  }

  async open(message: string): Promise<Incoming> {
    const fields = parseObject(message);
    const kind = fields && text(fields, "type");
    if (fields === null || kind === null) throw new EnvelopeError("a message of the code exchange can't be read");
    try {
      return await this.#take(kind, fields);
    } catch (error) {
      if (error instanceof ExchangeError || error instanceof SealError) {
        throw new EnvelopeError(error.message, "tampered");
      }
      throw error;
    }
  }

  async #take(kind: string, fields: Fields): Promise<Incoming> {
    const state = this.#state;
    if (kind === "open" && state.kind === "listening" && this.#terms.role === "creator") return this.#onOpen(fields);
    if (kind === "reply" && state.kind === "opened") return this.#onReply(state, fields);
    if (kind === "refuse" && state.kind === "opened") return { type: "bye", reason: word(fields) };
    if (kind === "confirm" && state.kind === "replied") return this.#onConfirm(state.keyed, fields);
    if (kind === "sealed" && (state.kind === "checked" || state.kind === "verified")) {
      return opened(state.keyed, kind, fields);
    }
    throw new EnvelopeError(`a message “${kind.slice(0, 16)}” doesn't fit here`, "tampered");
  }

  /** Joiner: the first message. */
  #open(): string {
    if (this.#state.kind !== "listening") throw new EnvelopeError("the code exchange has begun");
    const sid = this.#random(SID_BYTES);
    const scalar = scalarFrom(this.#random(64));
    const own = { share: share(scalar, generator({ ...this.#terms.secret, sid })), ad: this.#ad };
    this.#state = { kind: "opened", sid, scalar, own };
    return JSON.stringify({ type: "open", sid: toBase64(sid), point: toBase64(own.share), ad: toBase64(own.ad) });
  }

  #onOpen(fields: Fields): Incoming {
    this.#state = { kind: "over" };
    const sid = bytes(fields, "sid", SID_BYTES);
    if (this.#terms.seen.has(toHex(sid))) {
      throw new EnvelopeError("a code exchange of before was played again", "tampered");
    }
    this.#terms.seen.add(toHex(sid));
    const scalar = scalarFrom(this.#random(64));
    const own = { share: share(scalar, generator({ ...this.#terms.secret, sid })), ad: this.#ad };
    this.#state = { kind: "heard", own, keyed: this.#agree(sid, scalar, own, shown(fields)) };
    return { type: "knock" };
  }

  async #onReply({ sid, scalar, own }: Extract<State, { kind: "opened" }>, fields: Fields): Promise<Incoming> {
    this.#state = { kind: "over" };
    const keyed = this.#agree(sid, scalar, own, shown(fields));
    checkTag(keyed, fields);
    const body = await opened(keyed, "reply", fields);
    this.#state = { kind: "checked", keyed };
    return body;
  }

  async #onConfirm(keyed: Keyed, fields: Fields): Promise<Incoming> {
    this.#state = { kind: "over" };
    checkTag(keyed, fields);
    this.#unanswered = false;
    const body = await opened(keyed, "confirm", fields);
    this.#state = { kind: "verified", keyed };
    return body;
  }

  /** The same computation on both sides. */
  #agree(sid: Bytes, scalar: bigint, own: Shown, theirs: Shown): Keyed {
    const other = readAssociatedData(theirs.ad);
    if (other === "version")
      throw new EnvelopeError("the other side's app speaks another version of the code exchange");
    if (other === "malformed") throw new EnvelopeError("a message of the code exchange can't be read");
    const { role, fingerprint } = this.#terms;
    if (other.role === role || equal(own.share, theirs.share)) {
      throw new EnvelopeError("a message of the code exchange came back", "tampered");
    }
    const secret = agree(scalar, theirs.share);
    const [joiner, creator] = role === "joiner" ? [own, theirs] : [theirs, own];
    const key = sessionKey(sid, secret, joiner, creator);
    const certificate = fromHex(fingerprint.replaceAll(":", "")) ?? new Uint8Array();
    const { sending, receiving, pictures, rejoin } = derive(key, role, certificate, other.fingerprint);
    const [tag, expected] = [confirmationTag(sid, key, own), confirmationTag(sid, key, theirs)];
    const seal = new Seal(sending, receiving);
    return { seal, tag, expected, fingerprint: written(other.fingerprint), pictures, rejoin };
  }
}

function checkTag({ expected }: Keyed, fields: Fields): void {
  if (!equal(expected, bytes(fields, "tag", TAG_BYTES))) throw new EnvelopeError("the other's tag is wrong", "words");
}

function sealed(keyed: Keyed, kind: string, body: Body): Promise<Sealed> {
  return keyed.seal.seal(kind, utf8(JSON.stringify(body)));
}

async function opened(keyed: Keyed, kind: string, fields: Fields): Promise<Body> {
  const number = whole(fields, "number");
  if (number === null) throw new EnvelopeError("a message of the code exchange can't be read");
  const plain = await keyed.seal.open(kind, { number, bytes: bytes(fields, "sealed", null) });
  const body = readBody(parseObject(new TextDecoder().decode(plain)));
  if (body === null) throw new EnvelopeError("what was sealed makes no sense");
  return body;
}

function wire(type: string, head: Record<string, string>, { number, bytes: content }: Sealed): string {
  return JSON.stringify({ type, ...head, number, sealed: toBase64(content) });
}

function refusal(reason: string): string {
  return JSON.stringify({ type: "refuse", reason: reason.slice(0, MAX_REFUSAL) });
}

function word(fields: Fields): string {
  const reason = text(fields, "reason");
  if (reason === null || !/^[a-z0-9-]{0,32}$/.test(reason)) throw new EnvelopeError("a refusal can't be read");
  return reason;
}

function shown(fields: Fields): Shown {
  const ad = bytes(fields, "ad", null);
  if (ad.length > MAX_AD_BYTES) throw new EnvelopeError("a message of the code exchange can't be read");
  return { share: bytes(fields, "point", POINT_BYTES), ad };
}

/** A field in base64; `length`: how many bytes it must have. */
function bytes(fields: Fields, name: string, length: number | null): Bytes {
  const value = fromBase64(text(fields, name) ?? "*");
  if (value === null || (length !== null && value.length !== length)) {
    throw new EnvelopeError("a message of the code exchange can't be read");
  }
  return value;
}

/** A fingerprint as RFC 8122 writes it. */
function written(fingerprint: Bytes): string {
  return (toHex(fingerprint).toUpperCase().match(/../g) ?? []).join(":");
}
