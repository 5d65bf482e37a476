import type { AgainView, CallPhase, EndReason } from "./bindings/view";
import { exhaustive } from "./exhaustive";
import { codeBlocks } from "./start/code";
import { text } from "./text";

/** What fills the window. */
export type Screen =
  | { kind: "start"; error: EndReason | null }
  | { kind: "progress"; words: string; more: string }
  | Extract<CallPhase, { kind: "waiting" }>
  | { kind: "call" }
  | { kind: "ended"; reason: EndReason; durationMs: number | null; again: AgainView };

/** Refusals of a code: they belong beside the field it was typed in. */
const ABOUT_THE_CODE = new Set(["no-such-room", "nobody-near", "room-full", "line-full", "bad-code", "wrong-words"]);

/** The screen of a phase. */
export function screenOf(phase: CallPhase, problem: string | null): Screen {
  switch (phase.kind) {
    case "idle":
      return { kind: "start", error: null };
    case "preparing":
      return { kind: "progress", words: text.progress.preparing, more: trouble(problem) ?? "" };
    case "waiting":
      return phase;
    case "joining":
      return {
        kind: "progress",
        words: text.progress.joining,
        more: trouble(problem) ?? joining(phase.code, phase.ahead),
      };
    case "connecting":
      return {
        kind: "progress",
        words: text.progress.connecting,
        more: phase.code === "" ? text.progress.again : written(phase.code),
      };
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

/** Whether camera and microphone are in use in a phase: then they are shown, and can be turned off. */
export function usesDevices(phase: CallPhase): boolean {
  switch (phase.kind) {
    case "waiting":
    case "joining":
    case "connecting":
    case "connected":
    case "reconnecting":
      return true;
    case "idle":
    case "preparing":
    case "ended":
      return false;
    default:
      return exhaustive(phase);
  }
}

/** What keeps one waiting matters most. */
function trouble(problem: string | null): string | null {
  return problem === null ? null : text.progress.tryingAgain(problem);
}

/** How long a line the joiner stands in matters more than the code. */
function joining(code: string, ahead: number): string {
  return ahead > 0 ? text.progress.ahead(ahead) : written(code);
}

function written(code: string): string {
  return text.progress.code(codeBlocks(code).join(" "));
}
