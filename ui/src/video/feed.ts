import { parseFrame, streamOf, type Frame, type StreamId } from "./frame";

/** An open way to the pictures. A credit asks for the next frame of a stream; without one, older frames are dropped there. */
export interface VideoLink {
  credit(stream: StreamId): void;
  close(): void;
}

/** Opens the way to the pictures. Messages begin once it has resolved; `onClosed` is called at most once, and not after `close`. */
export type OpenVideo = (onMessage: (message: ArrayBuffer) => void, onClosed: () => void) => Promise<VideoLink>;

type Sink = (frame: Frame) => void;

const RETRY_FIRST_MS = 250;
const RETRY_LAST_MS = 4000;

/**
 * Brings frames to the canvases: open while a canvas wants one, opened again if it breaks. A frame never enters reactive
 * state; it is drawn as it comes, and only then is the next one asked for.
 */
export class VideoFeed {
  readonly #open: OpenVideo;
  readonly #sinks = new Map<StreamId, Sink>();
  /** The newest frame of a stream that nobody draws yet; its credit is still owed. */
  readonly #held = new Map<StreamId, ArrayBuffer>();
  #link: VideoLink | null = null;
  #attempt = 0;
  #retryMs = RETRY_FIRST_MS;

  constructor(open: OpenVideo) {
    this.#open = open;
  }

  /** Draws a stream until the returned function is called. */
  attach(stream: StreamId, sink: Sink): () => void {
    const first = this.#sinks.size === 0;
    this.#sinks.set(stream, sink);
    const held = this.#held.get(stream);
    this.#held.delete(stream);
    if (first) void this.#connect();
    else if (held !== undefined) this.#take(held);
    return () => {
      if (this.#sinks.get(stream) === sink) this.#sinks.delete(stream);
      if (this.#sinks.size === 0) this.#disconnect();
    };
  }

  async #connect(): Promise<void> {
    const attempt = ++this.#attempt;
    const current = () => attempt === this.#attempt;
    try {
      const link = await this.#open(
        (message) => {
          if (current()) this.#take(message);
        },
        () => {
          if (current()) this.#retry();
        },
      );
      if (current()) this.#link = link;
      else link.close();
    } catch {
      if (current()) this.#retry();
    }
  }

  #take(message: ArrayBuffer): void {
    const stream = streamOf(message);
    if (stream === null) return;
    const sink = this.#sinks.get(stream);
    if (sink === undefined) {
      this.#held.set(stream, message);
      return;
    }
    const frame = parseFrame(message);
    if (frame !== null) {
      this.#retryMs = RETRY_FIRST_MS;
      sink(frame);
    }
    this.#link?.credit(stream);
  }

  #retry(): void {
    const attempt = ++this.#attempt;
    this.#link = null;
    this.#held.clear();
    setTimeout(() => {
      if (attempt === this.#attempt) void this.#connect();
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LAST_MS);
  }

  #disconnect(): void {
    this.#attempt++;
    this.#retryMs = RETRY_FIRST_MS;
    this.#link?.close();
    this.#link = null;
    this.#held.clear();
  }
}
