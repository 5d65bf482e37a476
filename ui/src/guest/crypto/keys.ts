/** What goes into the exchange besides the words, and what is derived from its key (HKDF-SHA512, RFC 5869). */
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha512 } from "@noble/hashes/sha2.js";
import type { Role } from "../signaling/messages";
import { concat, equal, lv, utf8, type Bytes } from "./bytes";
import { choose, SHOWN, type Emoji } from "./emoji";

/** What both sides must speak; in the channel identifier, in the associated data and in each export. */
const VERSION = utf8("visavis/1");
const FINGERPRINT_BYTES = 32;
const WORD = { creator: utf8("create"), joiner: utf8("join") } as const;

/** `CI`: what is spoken, and where. */
export function channelIdentifier(nameplate: string): Bytes {
  return concat(lv(VERSION), lv(utf8(nameplate)));
}

/** `AD` of one side: what it speaks, who it is, and its certificate. */
export function associatedData(role: Role, fingerprint: Uint8Array): Bytes {
  return concat(lv(VERSION), lv(WORD[role]), lv(fingerprint));
}

/** What an `AD` says; a word where it isn't exactly as `associatedData` writes it. */
export function readAssociatedData(ad: Uint8Array): { role: Role; fingerprint: Bytes } | "version" | "malformed" {
  if (!equal(ad.subarray(0, VERSION.length + 1), lv(VERSION))) return "version";
  const fingerprint = new Uint8Array(ad.slice(-FINGERPRINT_BYTES));
  const role = (["joiner", "creator"] as const).find((role) => equal(associatedData(role, fingerprint), ad));
  return role === undefined || fingerprint.length !== FINGERPRINT_BYTES ? "malformed" : { role, fingerprint };
}

/** What is derived from a key. */
export interface Derived {
  sending: Bytes;
  receiving: Bytes;
  pictures: Emoji[];
}

/** Derives everything for the side that has `role`. */
export function derive(key: Uint8Array, role: Role, own: Uint8Array, other: Uint8Array): Derived {
  const from = (sender: Role) => expand(key, 32, utf8(`from ${sender}`));
  const [joiner, creator] = role === "joiner" ? [own, other] : [other, own];
  return {
    sending: from(role),
    receiving: from(role === "joiner" ? "creator" : "joiner"),
    pictures: choose(expand(key, SHOWN, utf8("pictures"), joiner, creator)),
  };
}

function expand(key: Uint8Array, bytes: number, ...info: Uint8Array[]): Bytes {
  return new Uint8Array(hkdf(sha512, key, undefined, concat(lv(VERSION), ...info.map(lv)), bytes));
}
