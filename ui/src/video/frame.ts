/**
 * The pictures on the loopback socket: a header of 24 bytes, little endian, then the I420 planes Y, U and V without padding.
 *
 * | offset | size | field                       |
 * | ------ | ---- | --------------------------- |
 * | 0      | 1    | stream: 0 remote, 1 self    |
 * | 1      | 1    | version: 1                  |
 * | 2      | 2    | reserved                    |
 * | 4      | 4    | width, pixels               |
 * | 8      | 4    | height, pixels              |
 * | 12     | 4    | frame number                |
 * | 16     | 8    | time stamp, microseconds    |
 */
export const HEADER_BYTES = 24;
const VERSION = 1;
const LARGEST_SIDE = 8192;

/** Whose picture it is. */
export const Stream = { remote: 0, self: 1 } as const;
export type StreamId = (typeof Stream)[keyof typeof Stream];

/** One picture; the planes are views into the message that brought it. */
export interface Frame {
  readonly stream: StreamId;
  readonly width: number;
  readonly height: number;
  readonly number: number;
  readonly timestampUs: number;
  readonly y: Uint8Array;
  readonly u: Uint8Array;
  readonly v: Uint8Array;
}

/** The frame in a message, or `null` if the message is anything else. */
export function parseFrame(message: ArrayBuffer): Frame | null {
  if (message.byteLength < HEADER_BYTES) return null;
  const header = new DataView(message, 0, HEADER_BYTES);
  const stream = streamOf(message);
  const width = header.getUint32(4, true);
  const height = header.getUint32(8, true);
  if (stream === null || header.getUint8(1) !== VERSION || !isSide(width) || !isSide(height)) return null;
  const luma = width * height;
  const chroma = chromaSide(width) * chromaSide(height);
  if (message.byteLength !== HEADER_BYTES + luma + 2 * chroma) return null;
  return {
    stream,
    width,
    height,
    number: header.getUint32(12, true),
    timestampUs: header.getUint32(20, true) * 2 ** 32 + header.getUint32(16, true),
    y: new Uint8Array(message, HEADER_BYTES, luma),
    u: new Uint8Array(message, HEADER_BYTES + luma, chroma),
    v: new Uint8Array(message, HEADER_BYTES + luma + chroma, chroma),
  };
}

/** The stream a message says it belongs to, even if the rest of it is unreadable. */
export function streamOf(message: ArrayBuffer): StreamId | null {
  const id = message.byteLength > 0 ? new DataView(message).getUint8(0) : -1;
  return id === Stream.remote || id === Stream.self ? id : null;
}

/** Half a side, rounded up: the size of U and V. */
export function chromaSide(side: number): number {
  return (side + 1) >> 1;
}

function isSide(side: number): boolean {
  return side > 0 && side <= LARGEST_SIDE;
}
