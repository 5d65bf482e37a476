/** One second of a call out of the browser's statistics (W3C webrtc-stats). */
import type { DetailsView, PathView, QualityView } from "../../bindings/view";
import type { ReceiveReport } from "../call/control";

type Entry = Readonly<Record<string, unknown>>;

/** Running totals, from which the next second's rates are made. */
interface Totals {
  at: number;
  sent: number;
  received: number;
  videoReceived: number;
  lost: number;
  packets: number;
  concealed: number;
  samples: number;
  playoutDelay: number;
  playoutCount: number;
  encodeTime: number;
  encoded: number;
  decodeTime: number;
  decoded: number;
}

export interface Second {
  report: ReceiveReport;
  quality: Omit<QualityView, "grade" | "words">;
  path: PathView | null;
  hasPicture: boolean;
  /** How loud the microphone hears, 0 to 1. */
  level: number;
}

export class Figures {
  #before: Totals | null = null;

  /** What happened since the last time that this was asked. `theirLoss`: what the other side says that it misses, percent. */
  take(stats: RTCStatsReport, theirLoss: number): Second {
    const of = (type: string, kind?: string) =>
      entries(stats, type).filter((e) => kind === undefined || e["kind"] === kind);
    const [video = {}] = of("inbound-rtp", "video");
    const [audio = {}] = of("inbound-rtp", "audio");
    const [camera = {}] = of("outbound-rtp", "video");
    const pair = of("candidate-pair").find((e) => e["nominated"] === true && e["state"] === "succeeded") ?? {};
    const now = totals(video, audio, camera, pair);
    const grown = (name: keyof Totals) => (this.#before === null ? 0 : Math.max(0, now[name] - this.#before[name]));
    const kbps = (name: keyof Totals) => Math.round((grown(name) * 8) / Math.max(1, grown("at")));
    const share = (part: keyof Totals, whole: keyof Totals) => (grown(whole) > 0 ? grown(part) / grown(whole) : 0);
    const lossPercent = (100 * grown("lost")) / Math.max(1, grown("lost") + grown("packets"));
    const concealedPercent = 100 * share("concealed", "samples");
    const available = number(pair, "availableOutgoingBitrate") / 1000;
    const overloaded = camera["qualityLimitationReason"] === "cpu";
    const report: ReceiveReport = {
      framesPerSecond: number(video, "framesPerSecond"),
      width: number(video, "frameWidth"),
      height: number(video, "frameHeight"),
      videoKbps: kbps("videoReceived"),
      lossPercent,
      concealedPercent,
      availableKbps: Math.round(available),
      overloaded,
    };
    const details: DetailsView = {
      videoCodec: codec(stats, video) || codec(stats, camera),
      audioCodec: codec(stats, audio),
      sendFps: number(camera, "framesPerSecond"),
      availableKbps: available > 0 ? Math.round(available) : null,
      limited: camera["qualityLimitationReason"] === "bandwidth",
      resent: number(camera, "retransmittedPacketsSent"),
      playoutMs: Math.round(1000 * share("playoutDelay", "playoutCount")),
      concealedPercent,
      freezes: number(video, "freezeCount"),
      encodeMs: 1000 * share("encodeTime", "encoded"),
      decodeMs: 1000 * share("decodeTime", "decoded"),
    };
    const round = pair["currentRoundTripTime"];
    const quality = {
      rttMs: typeof round === "number" ? Math.round(1000 * round) : null,
      lossPercent: Math.max(lossPercent, theirLoss),
      sendKbps: kbps("sent"),
      receiveKbps: kbps("received"),
      width: report.width,
      height: report.height,
      fps: report.framesPerSecond,
      details,
    };
    this.#before = now;
    const [source = {}] = of("media-source", "audio");
    const hasPicture = number(video, "framesDecoded") > 0;
    return { report, quality, path: pathOf(stats, pair), hasPicture, level: number(source, "audioLevel") };
  }
}

function totals(video: Entry, audio: Entry, camera: Entry, pair: Entry): Totals {
  return {
    at: number(pair, "timestamp"),
    sent: number(pair, "bytesSent"),
    received: number(pair, "bytesReceived"),
    videoReceived: number(video, "bytesReceived"),
    lost: number(video, "packetsLost"),
    packets: number(video, "packetsReceived"),
    concealed: number(audio, "concealedSamples"),
    samples: number(audio, "totalSamplesReceived"),
    playoutDelay: number(audio, "jitterBufferDelay"),
    playoutCount: number(audio, "jitterBufferEmittedCount"),
    encodeTime: number(camera, "totalEncodeTime"),
    encoded: number(camera, "framesEncoded"),
    decodeTime: number(video, "totalDecodeTime"),
    decoded: number(video, "framesDecoded"),
  };
}

function pathOf(stats: RTCStatsReport, pair: Entry): PathView | null {
  const [local, remote] = [byId(stats, pair["localCandidateId"]), byId(stats, pair["remoteCandidateId"])];
  if (local === null || remote === null) return null;
  const relayed = local["candidateType"] === "relay" || remote["candidateType"] === "relay";
  const protocol = typeof local["protocol"] === "string" ? local["protocol"] : "udp";
  return { kind: relayed ? "relay" : "direct", local: address(local), remote: address(remote), protocol };
}

function address(candidate: Entry): string {
  const host = candidate["address"];
  if (typeof host !== "string") return "";
  return `${host.includes(":") ? `[${host}]` : host}:${number(candidate, "port")}`;
}

function codec(stats: RTCStatsReport, stream: Entry): string {
  const name = byId(stats, stream["codecId"])?.["mimeType"];
  return typeof name === "string" ? name.replace(/^(video|audio)\//, "") : "";
}

function byId(stats: RTCStatsReport, id: unknown): Entry | null {
  return typeof id === "string" ? ((stats.get(id) as Entry | undefined) ?? null) : null;
}

function entries(stats: RTCStatsReport, type: string): Entry[] {
  const found: Entry[] = [];
  stats.forEach((entry: Entry) => {
    if (entry["type"] === type) found.push(entry);
  });
  return found;
}

function number(entry: Entry, name: string): number {
  const value = entry[name];
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}
