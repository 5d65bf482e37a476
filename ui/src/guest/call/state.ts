/** The states that a call shows, and the reasons for which it ends: as `crates/call/src/state.rs`. */
import { exhaustive } from "../../exhaustive";
import type { GiveUp } from "../signaling/events";
import { EnvelopeError } from "./meeting";
import type { PeerConnection } from "./peer";
import { HidingError } from "./privacy";

export type EndCode =
  | "hung-up"
  | "peer-hung-up"
  | "peer-lost"
  | "no-such-room"
  | "room-full"
  | "line-full"
  | "no-answer"
  | "dismissed"
  | "wrong-words"
  | "burnt"
  | "tampered"
  | "expired"
  | "server-unreachable"
  | "server-refused"
  | "no-path"
  | "wrong-certificate"
  | "bad-message"
  | "transport-failed";

export interface CloseReason {
  code: EndCode;
  /** What the server or the browser says about it; empty where the code says it all. */
  detail: string;
}

export type CallState =
  | { kind: "new" }
  | { kind: "waiting" }
  | { kind: "verifying" }
  | { kind: "connecting" }
  /** `since`: when the call came up, milliseconds of performance.now(). */
  | { kind: "connected"; since: number }
  | { kind: "disconnected"; since: number; lost: number }
  | { kind: "closed"; reason: CloseReason };

/** What the word means with which the other side, or the server for it, ended the call. */
export function fromWord(word: string): CloseReason {
  switch (word) {
    case "hung-up":
    case "left":
      return because("peer-hung-up");
    case "no-path":
    case "dismissed":
      return because(word);
    // Others have used up the guesses at the code.
    case "burnt":
      return because("no-answer");
    default:
      return because("peer-lost");
  }
}

/** What a server's refusal means for the call. */
export function ofRefusal(code: string, text: string, nameplate: string): CloseReason {
  switch (code) {
    case "no-such-room":
      return because(code, nameplate);
    case "room-full":
    case "line-full":
    case "expired":
      return because(code);
    case "room-closed":
      return because("no-answer");
    default:
      return because("server-refused", text);
  }
}

/** What the end of the signalling means for a call that isn't up. */
export function ofGivingUp(cause: GiveUp, reason: string): CloseReason {
  const unreachable = cause === "unreachable" || cause === "not-a-server" || cause === "version";
  return because(unreachable ? "server-unreachable" : "server-refused", reason);
}

/** What it means that the other is out of the room, `word` being its own or the server's. */
export function ofLeaving(
  word: string,
  state: CallState["kind"],
  inRoom: boolean,
): CloseReason | "wait-on" | "go-on-alone" | "nothing" {
  const byItself = word !== "lost" && word !== "timed-out";
  switch (state) {
    case "verifying":
      if (inRoom) return "wait-on";
      return byItself ? fromWord(word) : because("no-answer");
    case "connecting":
      if (inRoom) return "wait-on";
      return word === "timed-out" ? because("no-answer") : fromWord(word);
    case "connected":
      return byItself ? fromWord(word) : "go-on-alone";
    case "disconnected":
      return fromWord(word);
    case "waiting":
      return inRoom ? "nothing" : fromWord(word);
    case "new":
    case "closed":
      return "nothing";
    default:
      return exhaustive(state);
  }
}

/** What it means that a message, or what the browser was asked for because of one, is of no use. */
export function ofFailure(error: unknown, meetsAgain: boolean): CloseReason {
  if (error instanceof HidingError) return because("transport-failed", error.message);
  if (!(error instanceof EnvelopeError)) return because("transport-failed", String(error));
  switch (error.fault) {
    case "words":
      // Nobody types a rejoin secret.
      return meetsAgain ? because("tampered", error.message) : because("wrong-words");
    case "tampered":
      return because("tampered", error.message);
    case "nonsense":
      return because("bad-message", error.message);
    default:
      return exhaustive(error.fault);
  }
}

/** What it means that no path was found: this side may have had no address to tell the other. */
export function ofNoPath(peer: Pick<PeerConnection, "inVain"> | null): CloseReason {
  const inVain = peer?.inVain ?? null;
  return inVain === null ? because("no-path") : ofFailure(inVain, false);
}

/** Whether two whose call was up stay in their room after it has ended like this. */
export function staysAfter(code: EndCode): boolean {
  return END_WELL.has(code);
}

const END_WELL: ReadonlySet<EndCode> = new Set<EndCode>([
  "hung-up",
  "peer-hung-up",
  "peer-lost",
  "no-path",
  "transport-failed",
]);

export function because(code: EndCode, detail = ""): CloseReason {
  return { code, detail };
}

/** Every deadline of a call, milliseconds: as `crates/call/src/timers.rs`. */
export const DEADLINES_MS = {
  /** The code exchange and the first offer and answer must be done. */
  exchange: 10_000,
  /** ICE and DTLS must be up. */
  connecting: 15_000,
  /** The path has been lost for so long that ICE is restarted. */
  restart: 2_000,
  /** A restart of ICE has brought no path back; another one is made. */
  restartAgain: 8_000,
  /** The path has been lost for so long that the call is over. */
  lost: 120_000,
  /** The path is lost, and the server can't help any more: the old one must come back by itself. */
  alone: 45_000,
  /** A call that has ended keeps its connections a moment longer, so that the goodbye gets out. */
  linger: 250,
  /** Two whose call has ended may still call one another again. */
  apart: 600_000,
} as const;

/** A session's own deadlines; the others are its mender's, and those of what comes after it. */
export type Deadline = "exchange" | "connecting";
export const DEADLINE_OF: Partial<Record<CallState["kind"], Deadline>> = {
  verifying: "exchange",
  connecting: "connecting",
};
