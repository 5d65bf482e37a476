import type { ConnectionView, QualityView, RemoteView } from "../bindings/view";
import { text } from "../text";

/** A figure's name and its value in words. */
export type Figure = [name: string, value: string];

const words = text.quality;

/** What most people want to know. */
export function figures(quality: QualityView, connection: ConnectionView, remote: RemoteView): Figure[] {
  return known([
    [words.delay, quality.rttMs === null ? null : words.milliseconds(quality.rttMs)],
    [words.loss, quality.lossPercent === null ? null : words.percent(quality.lossPercent)],
    [words.sent, words.kilobits(quality.sendKbps)],
    [words.received, words.kilobits(quality.receiveKbps)],
    [words.picture, picture(quality, remote)],
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

/** The last size is remembered where nothing comes any more: the reason why nothing does says more. */
function picture({ width, height, fps }: QualityView, remote: RemoteView): string {
  if (remote.noCodec) return words.noCodec;
  if (!remote.camera) return text.call.remoteCameraOff;
  return width === 0 ? words.none : words.pictureSize(width, height, fps);
}

function known(rows: [string, string | null][]): Figure[] {
  return rows.filter((row): row is Figure => row[1] !== null && row[1] !== "");
}
