/** What the two in a room tell one another, sealed: docs/protocol.md, "Bodies". */
import { asObject, flag, text, whole, type Fields } from "../json";

const MAX_SDP = 32 * 1024;
const MAX_CANDIDATE = 1024;
const MAX_TAG = 256;
const MAX_BYE = 128;
/** The longest message of the control channel. */
export const MAX_CONTROL = 16 * 1024;

export interface Candidate {
  candidate: string;
  sdpMid?: string | null | undefined;
  sdpMLineIndex?: number | null | undefined;
  usernameFragment?: string | null | undefined;
}

export type Body =
  | { type: "offer"; sdp: string; restart: boolean }
  | { type: "answer"; sdp: string }
  | ({ type: "candidate" } & Candidate)
  | { type: "end-of-candidates" }
  | { type: "control"; text: string }
  | { type: "bye"; reason: string }
  /** The sender's call has ended, and its person wants another one with the same other. */
  | { type: "again" };

export type Description = Extract<Body, { sdp: string }>;

/** Reads a body; `null` for what makes no sense or breaks its bounds. */
export function readBody(value: unknown): Body | null {
  const fields = asObject(value);
  const type = fields && text(fields, "type");
  if (fields === null || type === null) return null;
  const read = READERS[type];
  return read === undefined ? null : read(fields);
}

const READERS: Readonly<Record<string, (fields: Fields) => Body | null>> = {
  offer: (f) => {
    const sdp = short(f, "sdp", MAX_SDP);
    return sdp === null ? null : { type: "offer", sdp, restart: flag(f, "restart") ?? false };
  },
  answer: (f) => {
    const sdp = short(f, "sdp", MAX_SDP);
    return sdp === null ? null : { type: "answer", sdp };
  },
  candidate: (f) => {
    const candidate = short(f, "candidate", MAX_CANDIDATE);
    const [sdpMid, usernameFragment] = [short(f, "sdpMid", MAX_TAG), short(f, "usernameFragment", MAX_TAG)];
    if (candidate === null) return null;
    return { type: "candidate", candidate, sdpMid, usernameFragment, sdpMLineIndex: whole(f, "sdpMLineIndex") };
  },
  "end-of-candidates": () => ({ type: "end-of-candidates" }),
  control: (f) => {
    const message = short(f, "text", MAX_CONTROL);
    return message === null ? null : { type: "control", text: message };
  },
  bye: (f) => {
    const reason = short(f, "reason", MAX_BYE);
    return reason === null ? null : { type: "bye", reason };
  },
  again: () => ({ type: "again" }),
};

function short(fields: Fields, name: string, limit: number): string | null {
  const value = text(fields, name);
  return value !== null && value.length <= limit ? value : null;
}

/** Whether an answer takes the video that it was offered: a section that is turned down has port 0 (RFC 3264, section 6). */
export function takesVideo(answer: string): boolean {
  return /^m=video [1-9]/m.test(answer);
}

/** SHA-256 as RFC 8122 writes it: 32 pairs of hex digits, joined by colons. */
function isFingerprint(value: string): boolean {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){31}$/i.test(value);
}

/**
 * The one certificate that a description stands for, upper case; `null` where there is none, or several, or another hash: a
 * browser could then take one that the exchange knows nothing of.
 */
export function fingerprintOf(sdp: string): string | null {
  const lines = Array.from(sdp.matchAll(/^a=fingerprint:[ \t]*(\S+)[ \t]+(\S+)/gim));
  const found = new Set(lines.map(([, hash = "", value = ""]) => `${hash.toLowerCase()} ${value.toUpperCase()}`));
  const [only] = found;
  const value = only?.startsWith("sha-256 ") === true ? only.slice("sha-256 ".length) : "";
  return found.size === 1 && isFingerprint(value) ? value : null;
}
