import type { Attachment } from "svelte/attachments";
import { choosePainter } from "./choose";
import type { VideoFeed } from "./feed";
import type { StreamId } from "./frame";
import { createPainter } from "./painter";
import type { ElementPictures } from "./pictures";

/** Draws a stream's frames. What is drawn is counted on the element itself, where tests can read it without a framework. */
export function drawn(feed: VideoFeed, stream: StreamId): Attachment<HTMLCanvasElement> {
  return (canvas) => {
    const painter = createPainter(canvas, choosePainter());
    let frames = 0;
    canvas.dataset["renderer"] = painter.kind;
    canvas.dataset["frames"] = "0";
    const detach = feed.attach(stream, (frame) => {
      painter.paint(frame);
      frames += 1;
      canvas.dataset["frames"] = String(frames);
      canvas.dataset["frameNumber"] = String(frame.number);
      canvas.dataset["width"] = String(frame.width);
      canvas.dataset["height"] = String(frame.height);
    });
    return () => {
      detach();
      painter.release();
    };
  };
}

/** Lets the browser show a stream of its own; counted alike. */
export function shown(pictures: ElementPictures, stream: StreamId): Attachment<HTMLVideoElement> {
  return (video) => {
    let frames = 0;
    let handle: number | undefined;
    const count = () => {
      frames += 1;
      video.dataset["frames"] = String(frames);
      video.dataset["width"] = String(video.videoWidth);
      video.dataset["height"] = String(video.videoHeight);
      handle = video.requestVideoFrameCallback(count);
    };
    // Not every browser counts frames, and none needs it for showing them.
    if ("requestVideoFrameCallback" in video) handle = video.requestVideoFrameCallback(count);
    const detach = pictures.attach(stream, video);
    return () => {
      if (handle !== undefined) video.cancelVideoFrameCallback(handle);
      detach();
    };
  };
}
