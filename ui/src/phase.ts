import type { CallPhase } from "./bindings/view";

export type PhaseKind = CallPhase["kind"];

/** Whether the two are in a call, be it one that is just being brought back. */
export function talking(kind: PhaseKind | undefined): boolean {
  return kind === "connected" || kind === "reconnecting";
}
