import { chromaSide, HEADER_BYTES, type StreamId } from "../video/frame";

const WIDTH = 640;
const HEIGHT = 360;

interface Yuv {
  y: number;
  u: number;
  v: number;
}

/** A generated picture in the socket's own form: someone in front of a wall, nodding, so that movement can be seen. */
export function testPicture(stream: StreamId, number: number): ArrayBuffer {
  const message = new ArrayBuffer(HEADER_BYTES + WIDTH * HEIGHT + 2 * chromaSide(WIDTH) * chromaSide(HEIGHT));
  const header = new DataView(message);
  header.setUint8(0, stream);
  header.setUint8(1, 1);
  header.setUint32(4, WIDTH, true);
  header.setUint32(8, HEIGHT, true);
  header.setUint32(12, number, true);
  header.setUint32(16, number * 33_333, true);
  const planes = new Uint8Array(message, HEADER_BYTES);
  const chromaU = WIDTH * HEIGHT;
  const chromaV = chromaU + chromaSide(WIDTH) * chromaSide(HEIGHT);
  for (let row = 0; row < HEIGHT; row++) {
    for (let column = 0; column < WIDTH; column++) {
      const colour = at(stream, number, column / WIDTH, row / HEIGHT);
      planes[row * WIDTH + column] = colour.y;
      if (row % 2 === 1 || column % 2 === 1) continue;
      const chroma = (row >> 1) * chromaSide(WIDTH) + (column >> 1);
      planes[chromaU + chroma] = colour.u;
      planes[chromaV + chroma] = colour.v;
    }
  }
  return message;
}

function at(stream: StreamId, number: number, x: number, y: number): Yuv {
  const nod = Math.sin(number / 12) * 0.012;
  const sway = Math.sin(number / 19) * 0.02;
  const wide = (x - 0.5 - sway) * (WIDTH / HEIGHT);
  const inside = (cy: number, rx: number, ry: number) => (wide / rx) ** 2 + ((y - cy) / ry) ** 2 < 1;
  const warm = stream === 0;
  if (inside(0.42 + nod, 0.15, 0.2)) {
    const hair = y < 0.34 + nod - wide * wide * 2;
    return hair ? { y: 52, u: 122, v: 136 } : { y: 176 - wide * 60, u: 108, v: 150 };
  }
  if (inside(0.36 + nod, 0.175, 0.2)) return { y: 46, u: 122, v: 136 };
  if (Math.abs(wide) < 0.07 && y > 0.5 && y < 0.72) return { y: 150, u: 110, v: 150 };
  if (inside(1.02, 0.42, 0.36)) return warm ? { y: 92, u: 140, v: 104 } : { y: 84, u: 150, v: 120 };
  const window = x > 0.66 && x < 0.92 && y > 0.1 && y < 0.6 && Math.abs(x - 0.79) > 0.006;
  if (window) return { y: 214 - y * 60, u: 134, v: 122 };
  return { y: 118 - y * 36 + x * 18, u: warm ? 116 : 126, v: warm ? 136 : 130 };
}
