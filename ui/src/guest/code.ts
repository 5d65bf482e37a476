/** The two halves of a code: what the server gives, and what it never learns. */
import { WORDS } from "../bindings/code";
import { parseCode } from "../start/code";

export interface RoomCode {
  nameplate: string;
  /** Joined by one hyphen; never leaves this machine. */
  words: string;
}

/** Two words, each as likely as any other: their number divides 2¹⁶. */
export function newWords(): string {
  const drawn = crypto.getRandomValues(new Uint16Array(2));
  return Array.from(drawn, (place) => WORDS[place % WORDS.length] ?? "").join("-");
}

export function writeCode(code: RoomCode): string {
  return `${code.nameplate}-${code.words}`;
}

/** Reads a code, however it is written; `null` where it is none. */
export function readCode(input: string): RoomCode | null {
  const parsed = parseCode(input);
  if (parsed.kind !== "code") return null;
  const [nameplate = "", ...words] = parsed.code.split("-");
  return { nameplate, words: words.join("-") };
}
