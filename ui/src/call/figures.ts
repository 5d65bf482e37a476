import type { ConnectionView, QualityView } from "../bindings/view";
import { text } from "../text";

/** A figure's name and its value in words. */
export type Figure = [name: string, value: string];

const words = text.quality;

/** What most people want to know. */
export function figures(quality: QualityView, connection: ConnectionView): Figure[] {
  return known([
    [words.delay, quality.rttMs === null ? null : words.milliseconds(quality.rttMs)],
    [words.loss, quality.lossPercent === null ? null : words.percent(quality.lossPercent)],
    [words.sent, words.kilobits(quality.sendKbps)],
    [words.received, words.kilobits(quality.receiveKbps)],
    [words.picture, quality.width === 0 ? words.none : words.pictureSize(quality.width, quality.height, quality.fps)],
    [words.path, connection.path === null ? null : words[connection.path.kind]],
  ]);
}

/** The rest, for the curious. */
export function moreFigures(quality: QualityView, connection: ConnectionView): Figure[] {
  const details = quality.details;
  if (details === null) return [];
  const available = details.availableKbps === null ? null : words.kilobits(details.availableKbps);
  return known([
    [words.protocol, connection.path === null ? null : connection.path.protocol.toUpperCase()],
    [words.codecs, [details.videoCodec, details.audioCodec].filter(Boolean).join(", ")],
    [words.sentFrames, words.perSecond(details.sendFps)],
    [words.available, available !== null && details.limited ? words.limited(available) : available],
    [words.resent, String(details.resent)],
    [words.waits, words.milliseconds(details.playoutMs)],
    [words.concealed, words.percent(details.concealedPercent)],
    [words.freezes, words.times(details.freezes)],
    [words.work, words.workTimes(details.encodeMs, details.decodeMs)],
  ]);
}

function known(rows: [string, string | null][]): Figure[] {
  return rows.filter((row): row is Figure => row[1] !== null && row[1] !== "");
}
