import { beforeEach, expect, it, vi } from "vitest";
import { testPicture } from "../backend/testPicture";
import { decide } from "./choose";
import { VideoFeed } from "./feed";
import { Stream, type Frame, type StreamId } from "./frame";

let say: (message: ArrayBuffer) => void;
let breakOff: () => void;
let credits: StreamId[];
let opened: number;
let closed: number;
let feed: VideoFeed;

beforeEach(() => {
  [credits, opened, closed] = [[], 0, 0];
  feed = new VideoFeed((onMessage, onClosed) => {
    opened += 1;
    say = onMessage;
    breakOff = onClosed;
    return Promise.resolve({ credit: (stream) => credits.push(stream), close: () => (closed += 1) });
  });
});

const settle = () => Promise.resolve();

it("draws a frame, and only then asks for the next", async () => {
  const order: string[] = [];
  feed.attach(Stream.remote, (frame) => order.push(`frame ${frame.number}, ${credits.length} credits`));
  await settle();
  say(testPicture(Stream.remote, 1));
  say(testPicture(Stream.remote, 2));
  expect(order).toEqual(["frame 1, 0 credits", "frame 2, 1 credits"]);
  expect(credits).toEqual([Stream.remote, Stream.remote]);
});

it("keeps a stream that nobody draws at its first frame, and goes on once somebody does", async () => {
  feed.attach(Stream.remote, () => undefined);
  await settle();
  say(testPicture(Stream.self, 1));
  expect(credits).toEqual([]);
  const drawn: Frame[] = [];
  feed.attach(Stream.self, (frame) => drawn.push(frame));
  expect(drawn.map(({ number }) => number)).toEqual([1]);
  expect(credits).toEqual([Stream.self]);
});

it("passes over a broken frame without starving the stream", async () => {
  const draw = vi.fn();
  feed.attach(Stream.remote, draw);
  await settle();
  say(new ArrayBuffer(5));
  say(Uint8Array.of(9, 9).buffer);
  expect(draw).not.toHaveBeenCalled();
  expect(credits).toEqual([Stream.remote]);
});

it("is open only while a canvas is there", async () => {
  const leave = feed.attach(Stream.remote, () => undefined);
  await settle();
  leave();
  expect([opened, closed]).toEqual([1, 1]);
  feed.attach(Stream.remote, () => undefined);
  expect(opened).toBe(2);
});

it("opens again after it broke", async () => {
  vi.useFakeTimers();
  feed.attach(Stream.remote, () => undefined);
  await settle();
  breakOff();
  expect(opened).toBe(1);
  vi.advanceTimersByTime(250);
  expect(opened).toBe(2);
  vi.useRealTimers();
});

it("takes WebGL only where it is clearly quicker", () => {
  expect(decide(1, 5)).toBe("webgl");
  expect(decide(4, 5)).toBe("2d");
  expect(decide(null, 5)).toBe("2d");
  expect(decide(9, null)).toBe("webgl");
  expect(decide(null, null)).toBe("none");
});
