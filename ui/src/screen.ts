import type { CallPhase, EndReason } from "./bindings/view";
import { exhaustive } from "./exhaustive";
import { text } from "./text";

/** What fills the window. */
export type Screen =
  | { kind: "start"; error: EndReason | null }
  | { kind: "progress"; words: string; code: string | null }
  | { kind: "waiting"; code: string; knocking: boolean }
  | { kind: "call" }
  | { kind: "ended"; reason: EndReason; durationMs: number | null; canAgain: boolean };

/** Refusals of a code: they belong beside the field it was typed in. */
const ABOUT_THE_CODE = new Set(["no-such-room", "room-full", "line-full", "bad-code", "wrong-words"]);

/** The screen of a phase. */
export function screenOf(phase: CallPhase): Screen {
  switch (phase.kind) {
    case "idle":
      return { kind: "start", error: null };
    case "preparing":
      return { kind: "progress", words: text.progress[phase.what], code: null };
    case "waiting":
      return phase;
    case "joining":
      return { kind: "progress", words: text.progress.joining, code: phase.code };
    case "connecting":
      return { kind: "progress", words: text.progress.connecting, code: phase.code };
    case "connected":
    case "reconnecting":
      return { kind: "call" };
    case "ended":
      return ABOUT_THE_CODE.has(phase.reason.code) && phase.durationMs === null
        ? { kind: "start", error: phase.reason }
        : phase;
    default:
      return exhaustive(phase);
  }
}
