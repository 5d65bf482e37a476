/**
 * The sealed part of what goes through the server: AES-256-GCM, one key for each direction, so that whoever relays it can
 * neither read it, change it, make it up, send it back, nor send it twice. `crates/signaling/src/seal.rs` does the same.
 */
import { concat, lv, utf8, type Bytes } from "./bytes";

/** The sizes, bytes, that sealed bytes may have, their tag among them: all that the server sees of a message's length. */
export const SIZE_CLASSES = [256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 40_960] as const;

const TAG_BYTES = 16;
const SPACE = 0x20;

/** Sealed bytes and the number under which they were sealed. */
export interface Sealed {
  number: number;
  bytes: Bytes;
}

/** Why sealed bytes can't be opened, or something can't be sealed. */
export class SealError extends Error {}

export class Seal {
  readonly #sending: Promise<CryptoKey>;
  readonly #receiving: Promise<CryptoKey>;
  #sealed = 0;
  #opened = 0;

  constructor(sending: Bytes, receiving: Bytes) {
    this.#sending = importKey(sending);
    this.#receiving = importKey(receiving);
  }

  /** Seals under the next number. A number is used once: what has to be sent again is kept and sent as it is. */
  async seal(kind: string, plain: Uint8Array): Promise<Sealed> {
    const size = SIZE_CLASSES.find((size) => size >= plain.length + TAG_BYTES);
    if (size === undefined) throw new SealError(`a body of ${plain.length} bytes is too large`);
    const padded = new Uint8Array(size - TAG_BYTES).fill(SPACE);
    padded.set(plain);
    const number = ++this.#sealed;
    const bytes = await crypto.subtle.encrypt(parameters(kind, number), await this.#sending, padded);
    return { number, bytes: new Uint8Array(bytes) };
  }

  /** Opens what the other side sealed. Each number follows the one before; whatever is refused, the next can be opened. */
  async open(kind: string, { number, bytes }: Sealed): Promise<Bytes> {
    if (!SIZE_CLASSES.some((size) => size === bytes.length)) {
      throw new SealError(`a sealed message of ${bytes.length} bytes was cut or lengthened`);
    }
    const plain = await crypto.subtle.decrypt(parameters(kind, number), await this.#receiving, bytes).catch(() => null);
    if (plain === null) throw new SealError("a message was forged or changed");
    const expected = this.#opened + 1;
    if (number < expected) throw new SealError(`message ${number} was played again`);
    this.#opened = number;
    if (number > expected) throw new SealError(`message ${expected} is missing`);
    return new Uint8Array(plain);
  }
}

function importKey(bytes: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
}

function parameters(kind: string, number: number): AesGcmParams {
  const eight = new Uint8Array(8);
  new DataView(eight.buffer).setBigUint64(0, BigInt(number));
  return { name: "AES-GCM", iv: concat(new Uint8Array(4), eight), additionalData: concat(lv(utf8(kind)), eight) };
}
