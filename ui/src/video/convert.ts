import { chromaSide, type Frame } from "./frame";

/** I420 to RGBA in fixed point, ITU-R BT.601, limited range. `rgba` holds four bytes for each pixel. */
export function toRgba(frame: Frame, rgba: Uint8ClampedArray): void {
  const { width, height, y, u, v } = frame;
  const chromaWidth = chromaSide(width);
  let out = 0;
  let luma = 0;
  for (let row = 0; row < height; row++) {
    const chromaRow = (row >> 1) * chromaWidth;
    for (let column = 0; column < width; column++) {
      const chroma = chromaRow + (column >> 1);
      // The planes were measured by the parser, so no index is out of range.
      const brightness = 298 * ((y[luma++] as number) - 16) + 128;
      const blue = (u[chroma] as number) - 128;
      const red = (v[chroma] as number) - 128;
      rgba[out] = (brightness + 409 * red) >> 8;
      rgba[out + 1] = (brightness - 100 * blue - 208 * red) >> 8;
      rgba[out + 2] = (brightness + 516 * blue) >> 8;
      rgba[out + 3] = 255;
      out += 4;
    }
  }
}
