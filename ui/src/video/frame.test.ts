import { describe, expect, it } from "vitest";
import { toRgba } from "./convert";
import { HEADER_BYTES, parseFrame, Stream, streamOf, type Frame } from "./frame";

function message(width: number, height: number, bytes: number, edit?: (header: DataView) => void): ArrayBuffer {
  const buffer = new ArrayBuffer(HEADER_BYTES + bytes);
  const header = new DataView(buffer);
  header.setUint8(1, 1);
  header.setUint32(4, width, true);
  header.setUint32(8, height, true);
  header.setUint32(12, 7, true);
  header.setBigUint64(16, 5_000_000_000n, true);
  edit?.(header);
  return buffer;
}

describe("a frame message", () => {
  it("is read", () => {
    const frame = parseFrame(
      message(4, 2, 12, (header) => {
        header.setUint8(0, 1);
      }),
    );
    expect(frame).toMatchObject({ stream: Stream.self, width: 4, height: 2, number: 7, timestampUs: 5_000_000_000 });
    expect([frame?.y.length, frame?.u.length, frame?.v.length]).toEqual([8, 2, 2]);
  });

  it("rounds the chroma of odd sides up", () => {
    expect(parseFrame(message(3, 3, 9 + 4 + 4))?.u.length).toBe(4);
    expect(parseFrame(message(3, 3, 9 + 1 + 1))).toBeNull();
  });

  it.each([
    ["is empty", new ArrayBuffer(0)],
    ["has half a header", new ArrayBuffer(HEADER_BYTES - 1)],
    ["is too short", message(4, 2, 11)],
    ["is too long", message(4, 2, 13)],
    ["has no width", message(0, 2, 0)],
    ["has no height", message(2, 0, 0)],
    ["is absurdly large", message(0xffffffff, 0xffffffff, 12)],
    [
      "has another version",
      message(4, 2, 12, (header) => {
        header.setUint8(1, 2);
      }),
    ],
    [
      "has another stream",
      message(4, 2, 12, (header) => {
        header.setUint8(0, 2);
      }),
    ],
  ])("is refused if it %s", (_, bytes) => {
    expect(parseFrame(bytes)).toBeNull();
  });

  it("names its stream even if the rest is unreadable", () => {
    expect(streamOf(Uint8Array.of(1, 9).buffer)).toBe(Stream.self);
    expect(streamOf(Uint8Array.of(9).buffer)).toBeNull();
  });
});

it.each([
  ["black", [16, 128, 128], [0, 0, 0]],
  ["white", [235, 128, 128], [255, 255, 255]],
  ["red", [81, 90, 240], [255, 0, 0]],
  ["green", [145, 54, 34], [0, 255, 0]],
  ["blue", [41, 240, 110], [0, 0, 255]],
])("%s is converted", (_, [y = 0, u = 0, v = 0], rgb) => {
  const plane = (value: number, size: number) => new Uint8Array(size).fill(value);
  const frame: Frame = {
    ...{ stream: Stream.remote, width: 3, height: 3, number: 0, timestampUs: 0 },
    ...{ y: plane(y, 9), u: plane(u, 4), v: plane(v, 4) },
  };
  const rgba = new Uint8ClampedArray(36);
  toRgba(frame, rgba);
  for (let pixel = 0; pixel < 36; pixel += 4) {
    rgb.forEach((value, channel) => {
      expect(Math.abs((rgba[pixel + channel] ?? -9) - value)).toBeLessThanOrEqual(2);
    });
    expect(rgba[pixel + 3]).toBe(255);
  }
});
