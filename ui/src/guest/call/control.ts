/** What the two tell one another over the data channel `control`: docs/protocol.md, "The control data channel". */
import { flag, measure, parseObject, text, whole, type Fields } from "../json";
import { MAX_CONTROL } from "./bodies";

/** What one side sends right now. */
export interface MediaState {
  microphone: boolean;
  camera: boolean;
}

/** What one side receives from the other over the last second, and what of its own state the other feels. */
export interface ReceiveReport {
  framesPerSecond: number;
  width: number;
  height: number;
  videoKbps: number;
  lossPercent: number;
  concealedPercent: number;
  /** What the sender's own way out is estimated to carry, kilobits a second; 0: not known. */
  availableKbps: number;
  /** The sender's processor doesn't keep up with the pictures. */
  overloaded: boolean;
}

export type ControlMessage =
  | ({ type: "media" } & MediaState)
  | { type: "bye"; reason: string }
  | ({ type: "stats" } & ReceiveReport)
  | { type: "please-restart" }
  | { type: "restart-failed" }
  | { type: "guest"; host: string };

/** Reads a message; `null` for anything malformed, unknown or too long, all of which are skipped. */
export function readControl(message: string): ControlMessage | null {
  const fields = message.length <= MAX_CONTROL ? parseObject(message) : null;
  const type = fields && text(fields, "type");
  if (fields === null || type === null) return null;
  const read = READERS[type];
  return read === undefined ? null : read(fields);
}

const READERS: Readonly<Record<string, (fields: Fields) => ControlMessage | null>> = {
  media: (f) => {
    const [microphone, camera] = [
      flag(f, "microphone") ?? missing(f, "microphone"),
      flag(f, "camera") ?? missing(f, "camera"),
    ];
    return microphone === null || camera === null ? null : { type: "media", microphone, camera };
  },
  bye: (f) => {
    const reason = text(f, "reason");
    return reason === null ? null : { type: "bye", reason };
  },
  stats: (f) => {
    const names = ["framesPerSecond", "lossPercent", "concealedPercent"] as const;
    const [framesPerSecond, lossPercent, concealedPercent] = names.map((name) => measure(f, name));
    const [width, height] = [count(f, "width"), count(f, "height")];
    const [videoKbps, availableKbps] = [count(f, "videoKbps"), count(f, "availableKbps")];
    if (framesPerSecond == null || lossPercent == null || concealedPercent == null) return null;
    if (width === null || height === null || videoKbps === null || availableKbps === null) return null;
    const overloaded = flag(f, "overloaded") ?? false;
    const [pictures, rates] = [
      { framesPerSecond, width, height },
      { videoKbps, lossPercent, concealedPercent },
    ];
    return { type: "stats", ...pictures, ...rates, availableKbps, overloaded };
  },
  "please-restart": () => ({ type: "please-restart" }),
  "restart-failed": () => ({ type: "restart-failed" }),
  guest: (f) => {
    const host = text(f, "host");
    return host === null || !isHost(host) ? null : { type: "guest", host };
  },
};

/** A host as a URL writes it, with its port if it has one of its own: nothing that could pass for a sentence. */
export function isHost(host: string): boolean {
  return host.length <= 255 && /^[a-z0-9.:[\]-]+$/.test(host);
}

function missing(fields: Fields, name: string): false | null {
  return name in fields ? null : false;
}

function count(fields: Fields, name: string): number | null {
  return name in fields ? whole(fields, name) : 0;
}
