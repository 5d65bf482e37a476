import { VideoFeed, type OpenVideo } from "./feed";
import type { StreamId } from "./frame";

/** How a backend's pictures get onto the screen: as frames that are drawn here, or by the browser that has them anyway. */
export type Pictures = { kind: "frames"; open: OpenVideo } | ElementPictures;

/** The browser's own streams: shown in an element from when it is attached until the returned function is called. */
export interface ElementPictures {
  kind: "elements";
  attach(stream: StreamId, element: HTMLVideoElement): () => void;
}

/** What the screens draw from. */
export type PictureSource = { kind: "frames"; feed: VideoFeed } | ElementPictures;

export function sourceOf(pictures: Pictures): PictureSource {
  if (pictures.kind === "elements") return pictures;
  return { kind: "frames", feed: new VideoFeed((onMessage, onClosed) => pictures.open(onMessage, onClosed)) };
}
