import type { CallPhase } from "./bindings/view";

export type PhaseKind = CallPhase["kind"];

/** Whether the two are in a call, be it one that is just being brought back. */
export function talking(kind: PhaseKind | undefined): boolean {
  return kind === "connected" || kind === "reconnecting";
}

/** Whether a call is on its way, and nobody is there yet. */
export function arriving(kind: PhaseKind | undefined): boolean {
  return kind === "preparing" || kind === "waiting" || kind === "joining" || kind === "connecting";
}
