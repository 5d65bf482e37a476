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

/** In the place of a number where the two have met before, and what that is exported under. */
const AGAIN = utf8("again");

/** What the two who meet must both know, and where: CPace's `PRS` and `CI`. */
export interface Secret {
  password: Bytes;
  channel: Bytes;
}

/** A code that one has told the other; `words` joined by one hyphen, lower case. */
export function byCode(nameplate: string, words: string): Secret {
  return { password: utf8(words), channel: channelIdentifier(utf8(nameplate)) };
}

/** That they have met before: `rejoin` is what was derived then. */
export function byMeeting(rejoin: Bytes): Secret {
  return { password: rejoin, channel: channelIdentifier(AGAIN) };
}

function channelIdentifier(place: Uint8Array): Bytes {
  return concat(lv(VERSION), lv(place));
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
  /** By what the two may meet again: nobody but them has it, and it is good for one exchange. */
  rejoin: Bytes;
}

/** Derives everything for the side that has `role`. */
export function derive(key: Uint8Array, role: Role, own: Uint8Array, other: Uint8Array): Derived {
  const from = (sender: Role) => expand(key, 32, utf8(`from ${sender}`));
  const [joiner, creator] = role === "joiner" ? [own, other] : [other, own];
  return {
    sending: from(role),
    receiving: from(role === "joiner" ? "creator" : "joiner"),
    pictures: choose(expand(key, SHOWN, utf8("pictures"), joiner, creator)),
    rejoin: expand(key, 32, AGAIN),
  };
}

function expand(key: Uint8Array, bytes: number, ...info: Uint8Array[]): Bytes {
  return new Uint8Array(hkdf(sha512, key, undefined, concat(lv(VERSION), ...info.map(lv)), bytes));
}
