/**
 * CPace over ristretto255 with SHA-512 (draft-irtf-cfrg-cpace-21): turns the words of a code into a key that only the
 * two who know them can have, and that nobody can test words against without being seen. The joiner is the draft's initiator A, the
 * creator its responder B. `crates/signaling` does the same in Rust; both are held to the draft's vectors.
 *
 * BigInt arithmetic isn't constant in time. A scalar here is used once, in a page that nobody else's code runs in.
 */
import { ristretto255, ristretto255_hasher } from "@noble/curves/ed25519.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { concat, lv, utf8, type Bytes } from "./bytes";

const DSI = utf8("CPaceRistretto255");
const DSI_ISK = utf8("CPaceRistretto255_ISK");
const DSI_MAC = utf8("CPaceMac");
/** SHA-512's block, bytes. */
const HASH_BLOCK = 128;

export const POINT_BYTES = 32;
export const SID_BYTES = 16;

const { Point } = ristretto255;
type Scalar = bigint;

/** Why an exchange can't go on with what the other sent. */
export class ExchangeError extends Error {}

/** What the generator is made of. */
export interface Secrets {
  /** What both know: the words of a code, or what they have from a meeting before. */
  password: Uint8Array;
  /** What both must agree on besides: protocol and place. */
  channel: Uint8Array;
  /** The joiner's 16 random bytes. */
  sid: Uint8Array;
}

/** The generator's 64 uniform bytes go in, a point of the group comes out. */
export function generator({ password, channel, sid }: Secrets): Bytes {
  const padding = Math.max(0, HASH_BLOCK - 1 - lv(password).length - lv(DSI).length);
  const input = concat(lv(DSI), lv(password), lv(new Uint8Array(padding)), lv(channel), lv(sid));
  return bytesOf(ristretto255_hasher.deriveToCurve?.(sha512(input)) ?? fail("no map to the group"));
}

/** A uniform scalar from 64 uniform bytes, little endian. */
export function scalarFrom(uniform: Uint8Array): Scalar {
  const scalar = Point.Fn.create(uniform.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n));
  // One chance in 2²⁵²; a point made with it would give the exchange away.
  return scalar === 0n ? fail("no scalar") : scalar;
}

/** The public point of a scalar. */
export function share(scalar: Scalar, base: Uint8Array): Bytes {
  return bytesOf(Point.fromBytes(base).multiply(scalar));
}

/** `scalar_mult_vfy`: refuses what isn't a point, and the identity on either side. */
export function agree(scalar: Scalar, theirs: Uint8Array): Bytes {
  const point = decode(theirs);
  if (point.is0()) throw new ExchangeError("the other side's point is the identity");
  const secret = point.multiply(scalar);
  if (secret.is0()) throw new ExchangeError("the two points give the identity");
  return bytesOf(secret);
}

/** What one side shows: its point, and what it binds to it. */
export interface Shown {
  share: Uint8Array;
  ad: Uint8Array;
}

/** The intermediate session key, 64 bytes. */
export function sessionKey(sid: Uint8Array, secret: Uint8Array, joiner: Shown, creator: Shown): Bytes {
  const transcript = concat(lv(joiner.share), lv(joiner.ad), lv(creator.share), lv(creator.ad));
  return new Uint8Array(sha512(concat(lv(DSI_ISK), lv(sid), lv(secret), transcript)));
}

/** The tag by which one side proves that it has the key. */
export function confirmationTag(sid: Uint8Array, key: Uint8Array, side: Shown): Bytes {
  const macKey = sha512(concat(DSI_MAC, sid, key));
  return new Uint8Array(hmac(sha512, macKey, concat(lv(side.share), lv(side.ad))));
}

function decode(bytes: Uint8Array) {
  try {
    return Point.fromBytes(bytes);
  } catch {
    throw new ExchangeError("the other side's point is none");
  }
}

function bytesOf(point: { toBytes(): Uint8Array }): Bytes {
  return new Uint8Array(point.toBytes());
}

function fail(what: string): never {
  throw new ExchangeError(what);
}
