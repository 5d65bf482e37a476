import { toRgba } from "./convert";
import { chromaSide, type Frame } from "./frame";

/** Draws frames onto one canvas. */
export interface Painter {
  readonly kind: PainterKind;
  paint(frame: Frame): void;
  release(): void;
}

export type PainterKind = "webgl" | "2d" | "none";

/** A painter of the wanted kind, or of the next one that this machine has. */
export function createPainter(canvas: HTMLCanvasElement, kind: PainterKind): Painter {
  return (kind === "webgl" ? webglPainter(canvas) : null) ?? canvasPainter(canvas) ?? nullPainter;
}

const nullPainter: Painter = { kind: "none", paint: () => undefined, release: () => undefined };

function fit(canvas: HTMLCanvasElement, frame: Frame): boolean {
  if (canvas.width === frame.width && canvas.height === frame.height) return false;
  canvas.width = frame.width;
  canvas.height = frame.height;
  return true;
}

/** Converts on the processor; the quicker of the two where the graphics are drawn in software. */
export function canvasPainter(canvas: HTMLCanvasElement): Painter | null {
  const context = canvas.getContext("2d", { alpha: false });
  if (context === null) return null;
  let image: ImageData | null = null;
  const paint = (frame: Frame) => {
    if (fit(canvas, frame) || image === null) image = context.createImageData(frame.width, frame.height);
    toRgba(frame, image.data);
    context.putImageData(image, 0, 0);
  };
  return { kind: "2d", paint, release: () => (image = null) };
}

const VERTEX = `
attribute vec2 corner;
varying vec2 at;
void main() {
  at = vec2(corner.x, 1.0 - corner.y);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

// ITU-R BT.601, limited range.
const FRAGMENT = `
precision mediump float;
varying vec2 at;
uniform sampler2D planeY;
uniform sampler2D planeU;
uniform sampler2D planeV;
void main() {
  float y = 1.1643836 * (texture2D(planeY, at).r - 0.0627451);
  float u = texture2D(planeU, at).r - 0.5019608;
  float v = texture2D(planeV, at).r - 0.5019608;
  gl_FragColor = vec4(y + 1.5960268 * v, y - 0.3917623 * u - 0.8129676 * v, y + 2.0172321 * u, 1.0);
}`;

/** Converts on the graphics processor: three one-byte textures and a shader. */
export function webglPainter(canvas: HTMLCanvasElement): Painter | null {
  const gl = canvas.getContext("webgl", { alpha: false, antialias: false, depth: false, stencil: false });
  if (gl === null) return null;
  if (!setUp(gl)) return null;
  // A lost context comes back empty; the next frame fills it.
  const onLost = (event: Event) => {
    event.preventDefault();
  };
  const onRestored = () => {
    setUp(gl);
  };
  canvas.addEventListener("webglcontextlost", onLost);
  canvas.addEventListener("webglcontextrestored", onRestored);
  const paint = (frame: Frame) => {
    if (gl.isContextLost()) return;
    if (fit(canvas, frame)) gl.viewport(0, 0, frame.width, frame.height);
    const [width, height] = [chromaSide(frame.width), chromaSide(frame.height)];
    upload(gl, gl.TEXTURE0, frame.width, frame.height, frame.y);
    upload(gl, gl.TEXTURE1, width, height, frame.u);
    upload(gl, gl.TEXTURE2, width, height, frame.v);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  };
  const release = () => {
    canvas.removeEventListener("webglcontextlost", onLost);
    canvas.removeEventListener("webglcontextrestored", onRestored);
    gl.getExtension("WEBGL_lose_context")?.loseContext();
  };
  return { kind: "webgl", paint, release };
}

function upload(gl: WebGLRenderingContext, unit: number, width: number, height: number, plane: Uint8Array): void {
  gl.activeTexture(unit);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.LUMINANCE, width, height, 0, gl.LUMINANCE, gl.UNSIGNED_BYTE, plane);
}

function setUp(gl: WebGLRenderingContext): boolean {
  const program = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(type);
    if (shader === null) return false;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (gl.getProgramParameter(program, gl.LINK_STATUS) !== true) return false;
  gl.useProgram(program);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
  const corner = gl.getAttribLocation(program, "corner");
  gl.enableVertexAttribArray(corner);
  gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  ["planeY", "planeU", "planeV"].forEach((name, unit) => {
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    gl.uniform1i(gl.getUniformLocation(program, name), unit);
  });
  return true;
}
