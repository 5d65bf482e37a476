// The code exchange for the test page, written from docs/protocol.md and RFC 9496 alone, on WebCrypto and whole numbers.
// Nothing in it is constant in time: it is for tests, whose secrets are none.
"use strict";

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
const SQRT_M1 = 19681161376707505956807079304988542015446066515923890162744021073123829784752n;
const SQRT_AD_MINUS_ONE = 25063068953384623474111414158702152701244531502492656460079210482610430750235n;
const INVSQRT_A_MINUS_D = 54469307008909316920995813868745141605393597292927456921205312896311721017578n;
const ONE_MINUS_D_SQ = 1159843021668779879193775521855586647937357759715417654439879720876111806838n;
const D_MINUS_ONE_SQ = 40440834346308536858101042469323190826248399146238708352240133220865137265952n;

const mod = (n) => ((n % P) + P) % P;
const negative = (n) => (n & 1n) === 1n;
const abs = (n) => (negative(n) ? mod(-n) : n);

function power(base, exponent) {
  let [result, square] = [1n, base];
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}

/** SQRT_RATIO_M1 of RFC 9496, section 4.2. */
function sqrtRatio(u, v) {
  const v3 = mod(v * v * v);
  const root = mod(u * v3 * power(mod(u * v3 * v3 * v), (P - 5n) / 8n));
  const check = mod(v * root * root);
  const flipped = check === mod(-u);
  const other = check === mod(-u * SQRT_M1);
  return [check === u || flipped, abs(flipped || other ? mod(root * SQRT_M1) : root)];
}

/** Points are [x, y, z, t]; the addition is complete, so it doubles too. */
function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const [a, b] = [mod((y1 - x1) * (y2 - x2)), mod((y1 + x1) * (y2 + x2))];
  const [c, e] = [mod(2n * D * t1 * t2), mod(2n * z1 * z2)];
  const [f, g, h, i] = [b - a, e - c, e + c, b + a];
  return [mod(f * g), mod(h * i), mod(g * h), mod(f * i)];
}

function multiply(point, scalar) {
  let [sum, double] = [[0n, 1n, 1n, 0n], point];
  for (let left = scalar; left > 0n; left >>= 1n) {
    if (left & 1n) sum = add(sum, double);
    double = add(double, double);
  }
  return sum;
}

/** MAP of RFC 9496, section 4.3.4. */
function map(t) {
  const r = mod(SQRT_M1 * t * t);
  const v = mod((-1n - r * D) * (r + D));
  const [square, root] = sqrtRatio(mod((r + 1n) * ONE_MINUS_D_SQ), v);
  const s = square ? root : mod(-abs(mod(root * t)));
  const n = mod((square ? -1n : r) * (r - 1n) * D_MINUS_ONE_SQ - v);
  const [w0, w1, w2, w3] = [mod(2n * s * v), mod(n * SQRT_AD_MINUS_ONE), mod(1n - s * s), mod(1n + s * s)];
  return [mod(w0 * w3), mod(w2 * w1), mod(w1 * w3), mod(w0 * w2)];
}

const fromLittle = (bytes) => Array.from(bytes).reduceRight((n, byte) => n * 256n + BigInt(byte), 0n);
const toLittle = (n) => Uint8Array.from({ length: 32 }, (_, at) => Number((n >> BigInt(8 * at)) & 255n));

function element(hash) {
  const half = (bytes) => map(mod(fromLittle(bytes) & (2n ** 255n - 1n)));
  return add(half(hash.subarray(0, 32)), half(hash.subarray(32)));
}

function encode([x, y, z, t]) {
  const u1 = mod((z + y) * (z - y));
  const u2 = mod(x * y);
  const [, root] = sqrtRatio(1n, mod(u1 * u2 * u2));
  const [den1, den2] = [mod(root * u1), mod(root * u2)];
  const zInverse = mod(den1 * den2 * t);
  const rotate = negative(mod(t * zInverse));
  const [a, b] = rotate ? [mod(y * SQRT_M1), mod(x * SQRT_M1)] : [x, y];
  const den = rotate ? mod(den1 * INVSQRT_A_MINUS_D) : den2;
  const c = negative(mod(a * zInverse)) ? mod(-b) : b;
  return toLittle(abs(mod(den * (z - c))));
}

function decode(bytes) {
  const s = fromLittle(bytes);
  if (s >= P || negative(s)) throw new Error("the point doesn't decode");
  const [u1, u2] = [mod(1n - s * s), mod(1n + s * s)];
  const v = mod(-(D * u1 * u1) - u2 * u2);
  const [square, root] = sqrtRatio(1n, mod(v * u2 * u2));
  const denX = mod(root * u2);
  const x = abs(mod(2n * s * denX));
  const y = mod(u1 * root * denX * v);
  const t = mod(x * y);
  if (!square || negative(t) || y === 0n) throw new Error("the point doesn't decode");
  return [x, y, 1n, t];
}

const utf8 = (text) => new TextEncoder().encode(text);
const join = (...parts) => Uint8Array.from(parts.flatMap((part) => Array.from(part)));
const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const fromBase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
const sha512 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-512", bytes));

/** Each part behind its length as unsigned LEB128. */
function lv(...parts) {
  const length = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...length(n >> 7)]);
  return join(...parts.map((part) => join(length(part.length), part)));
}

async function hmac(key, bytes) {
  const usable = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-512" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", usable, bytes));
}

const VERSION = utf8("visavis/1");
const SEALED_SIZES = [256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 40960];
const TAG_BYTES = 16;

/** One side of one exchange: what stands in relay bodies, docs/protocol.md, "The code exchange". */
class Exchange {
  /** `fingerprint`: our own certificate's, `AB:CD:…`. */
  constructor({ role, nameplate, words, fingerprint }) {
    Object.assign(this, { role, nameplate, words, numbers: { sealed: 0, opened: 0 }, state: "new" });
    const hash = fingerprint.split(":").map((pair) => parseInt(pair, 16));
    this.ad = lv(VERSION, utf8(role === "joiner" ? "join" : "create"), Uint8Array.from(hash));
    this.scalar = fromLittle(crypto.getRandomValues(new Uint8Array(64))) % ORDER;
  }

  async makePoint() {
    const [dsi, prs] = [utf8("CPaceRistretto255"), utf8(this.words)];
    const head = lv(dsi, prs);
    const ci = lv(VERSION, utf8(this.nameplate));
    const zeros = new Uint8Array(Math.max(0, 127 - head.length));
    const generator = element(await sha512(join(head, lv(zeros), lv(ci), lv(this.sid))));
    this.point = encode(multiply(generator, this.scalar));
  }

  /** The joiner's first message. */
  async open() {
    this.sid = crypto.getRandomValues(new Uint8Array(16));
    await this.makePoint();
    this.state = "opened";
    return { type: "open", sid: base64(this.sid), point: base64(this.point), ad: base64(this.ad) };
  }

  /** Takes a message of the other side; a body if there is one in it, null for an `open`. */
  async take(message) {
    if (message.type === "open" && this.state === "new") {
      this.sid = fromBase64(message.sid);
      await this.makePoint();
      await this.agree(message);
      this.state = "heard";
      return null;
    }
    if (message.type === "reply" && this.state === "opened") {
      await this.agree(message);
      this.check(message.tag);
      this.state = "checked";
    } else if (message.type === "confirm" && this.state === "replied") {
      this.check(message.tag);
      this.state = "verified";
    } else if (message.type !== "sealed" || !["checked", "verified"].includes(this.state)) {
      throw new Error(`a message “${message.type}” in state ${this.state}`);
    }
    return this.unseal(message);
  }

  async agree(message) {
    const [point, ad] = [fromBase64(message.point), fromBase64(message.ad)];
    const role = this.role === "joiner" ? "create" : "join";
    const head = lv(VERSION, utf8(role));
    const certificate = ad.subarray(head.length + 1);
    if (!same(ad, join(head, lv(certificate))) || certificate.length !== 32) throw new Error("no AD of the other's");
    if (same(point, this.point)) throw new Error("our own point came back");
    const shared = encode(multiply(decode(point), this.scalar));
    if (shared.every((byte) => byte === 0)) throw new Error("the point is the identity");
    const sides = [lv(this.point, this.ad), lv(point, ad)];
    const transcript = join(...(this.role === "joiner" ? sides : sides.reverse()));
    const isk = await sha512(join(lv(utf8("CPaceRistretto255_ISK"), this.sid, shared), transcript));
    const macKey = await sha512(join(utf8("CPaceMac"), this.sid, isk));
    this.tag = await hmac(macKey, lv(this.point, this.ad));
    this.expected = await hmac(macKey, lv(point, ad));
    this.fingerprint = Array.from(certificate, (byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(":");
    const source = await crypto.subtle.importKey("raw", isk, "HKDF", false, ["deriveKey"]);
    const key = (sender) =>
      crypto.subtle.deriveKey(
        { name: "HKDF", hash: "SHA-512", salt: new Uint8Array(), info: lv(VERSION, utf8(`from ${sender}`)) },
        source,
        { name: "AES-GCM", length: 256 },
        false,
        ["encrypt", "decrypt"],
      );
    this.sending = await key(this.role);
    this.receiving = await key(this.role === "joiner" ? "creator" : "joiner");
  }

  check(tag) {
    if (!same(fromBase64(tag), this.expected)) throw new Error("the words don't match");
  }

  /** The message that carries a body. */
  async seal(body) {
    const kind = { heard: "reply", checked: "confirm", replied: "sealed", verified: "sealed" }[this.state];
    const head = {
      reply: { type: kind, point: base64(this.point), ad: base64(this.ad), tag: base64(this.tag ?? []) },
      confirm: { type: kind, tag: base64(this.tag ?? []) },
      sealed: { type: kind },
    }[kind];
    const json = utf8(JSON.stringify(body));
    const size = SEALED_SIZES.find((size) => size >= json.length + TAG_BYTES);
    const padded = new Uint8Array(size - TAG_BYTES).fill(0x20);
    padded.set(json);
    this.numbers.sealed += 1;
    const number = this.numbers.sealed;
    this.state = { heard: "replied", checked: "verified" }[this.state] ?? this.state;
    const sealed = await crypto.subtle.encrypt(parameters(kind, number), this.sending, padded);
    return { ...head, number, sealed: base64(new Uint8Array(sealed)) };
  }

  async unseal({ type, number, sealed }) {
    const plain = await crypto.subtle.decrypt(parameters(type, number), this.receiving, fromBase64(sealed));
    if (number !== this.numbers.opened + 1) throw new Error(`message ${number} after ${this.numbers.opened}`);
    this.numbers.opened = number;
    return JSON.parse(new TextDecoder().decode(plain));
  }
}

/** How a message of this kind and number is sealed. */
function parameters(kind, number) {
  const counter = new Uint8Array(8);
  new DataView(counter.buffer).setBigUint64(0, BigInt(number));
  return { name: "AES-GCM", iv: join([0, 0, 0, 0], counter), additionalData: join(lv(utf8(kind)), counter) };
}
