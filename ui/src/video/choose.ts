import { chromaSide, Stream, type Frame } from "./frame";
import { canvasPainter, webglPainter, type Painter, type PainterKind } from "./painter";

const WIDTH = 1280;
const HEIGHT = 720;
const RUNS = 5;

let chosen: PainterKind | null = null;

/**
 * The painter to use on this machine, timed once. A page can't ask whether WebGL is drawn in software, so both draw the
 * same frame and are waited for; WebGL has to be clearly quicker, since software also pays for it when the page is composed.
 */
export function choosePainter(): PainterKind {
  chosen ??= decide(time(webglPainter, waitForWebgl), time(canvasPainter, waitForCanvas));
  return chosen;
}

/** The verdict on two times in milliseconds; `null` means that the machine hasn't got it. */
export function decide(webgl: number | null, canvas: number | null): PainterKind {
  if (webgl === null) return canvas === null ? "none" : "2d";
  return canvas === null || webgl * 2 < canvas ? "webgl" : "2d";
}

type Create = (canvas: HTMLCanvasElement) => Painter | null;

/** The median time of a frame, milliseconds, after a first one that compiles and allocates. */
function time(create: Create, wait: (canvas: HTMLCanvasElement) => void): number | null {
  const canvas = document.createElement("canvas");
  const painter = create(canvas);
  if (painter === null) return null;
  const frame = greyFrame();
  const times = Array.from({ length: RUNS + 1 }, () => {
    const begin = performance.now();
    painter.paint(frame);
    wait(canvas);
    return performance.now() - begin;
  });
  painter.release();
  return times.slice(1).sort((a, b) => a - b)[RUNS >> 1] ?? null;
}

/** Reading one pixel back makes the drawing finish, which `finish` alone does not promise. */
function waitForWebgl(canvas: HTMLCanvasElement): void {
  const gl = canvas.getContext("webgl");
  gl?.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
}

function waitForCanvas(canvas: HTMLCanvasElement): void {
  canvas.getContext("2d")?.getImageData(0, 0, 1, 1);
}

function greyFrame(): Frame {
  const grey = (size: number) => new Uint8Array(size).fill(128);
  const chroma = chromaSide(WIDTH) * chromaSide(HEIGHT);
  return {
    stream: Stream.remote,
    width: WIDTH,
    height: HEIGHT,
    number: 0,
    timestampUs: 0,
    y: grey(WIDTH * HEIGHT),
    u: grey(chroma),
    v: grey(chroma),
  };
}
