/** Room codes as people type, paste and read them: `4827-tulip-orbit`. Whether a room exists is for the server to say. */
import { WORDS } from "../bindings/code";

export type ParsedCode =
  | { kind: "empty" }
  | { kind: "invalid"; why: CodeProblem }
  /** With the address that a longer code has behind an `@`. */
  | { kind: "code"; code: string; address: string | null };

/** What is wrong with a code, for the catalogue to put in words. */
export type CodeProblem =
  | { kind: "characters" | "number" | "no-words" | "one-word" | "many-words" }
  | { kind: "address"; address: string }
  | { kind: "unknown"; word: string; near: string[] }
  | { kind: "uncertain"; word: string; fits: string[] };

const DIGITS = /^\d{4,9}$/;
/** IPv4, or IPv6 with or without the brackets that it needs before a port. What the numbers may be is for the app to say. */
const ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?|\[[\da-f:.]+\](:\d{1,5})?|[\da-f]*:[\da-f:.]*:[\da-f.]*)$/i;
/** What stands around a text that was copied. */
const AROUND = /[\s\p{Cf}]|[.,;)/>]+\s*$/gu;
/** How much of what can't be read is shown again, characters. */
const SHOWN = 24;
/** How many words are named where several would do. */
const EXAMPLES = 3;

/**
 * Reads a code, however it is spaced or cased, with words cut to the letters that make them certain, also out of a pasted
 * link: `visavis://…` or `https://host/#4827-tulip-orbit`. A longer code says behind an `@` where it is good:
 * `4827-tulip-orbit@192.0.2.7:7880`.
 */
export function parseCode(input: string): ParsedCode {
  const typed = input.normalize("NFKC").trim();
  if (typed === "") return { kind: "empty" };
  const [shorter = "", ...behind] = (fromLink(typed) ?? typed).toLowerCase().split("@");
  const address = behind.length === 0 ? null : behind.join("@").replace(AROUND, "");
  if (address !== null && !ADDRESS.test(address)) return invalid({ kind: "address", address: address.slice(0, SHOWN) });
  const parts = split(shorter);
  if (parts === null) return invalid({ kind: "characters" });
  const words = parts.filter((part) => !/^\d/.test(part));
  const number = parts.slice(0, parts.length - words.length).join("");
  const inOrder = parts.slice(parts.length - words.length).every((part) => words.includes(part));
  if (!inOrder || !DIGITS.test(number)) return invalid({ kind: "number" });
  const found = findWords(words);
  return Array.isArray(found) ? { kind: "code", code: [number, ...found].join("-"), address } : invalid(found);
}

/** What the word under way may become: the words that fit, and the whole text if there is only one. */
export function completion(typed: string): { fits: string[]; whole: string | null } {
  const letters = /^[^a-z]*\d[\d\W_]*(?:([a-z]+)[\W_]+)?([a-z]+)$/i.exec(typed);
  const begun = letters?.[2]?.toLowerCase();
  if (begun === undefined || WORDS.includes(begun)) return { fits: [], whole: null };
  const fits = beginningWith(begun);
  const only = fits.length === 1 ? fits[0] : undefined;
  if (only === undefined) return { fits, whole: null };
  const end = letters?.[1] === undefined ? "-" : "";
  return { fits, whole: typed.slice(0, typed.length - begun.length) + only + end };
}

function invalid(why: CodeProblem): ParsedCode {
  return { kind: "invalid", why };
}

function beginningWith(letters: string): string[] {
  return WORDS.filter((word) => word.startsWith(letters));
}

function findWords(typed: string[]): string[] | CodeProblem {
  const [first, second] = typed;
  if (first === undefined) return { kind: "no-words" };
  if (typed.length > 2) return { kind: "many-words" };
  if (second === undefined) {
    const glued = cut(first);
    if (glued !== null) return glued;
    const found = findWord(first);
    return typeof found === "string" ? { kind: "one-word" } : found;
  }
  const [one, other] = [findWord(first), findWord(second)];
  if (typeof one !== "string") return one;
  return typeof other === "string" ? [one, other] : other;
}

function findWord(word: string): string | CodeProblem {
  const fits = beginningWith(word);
  const [only] = fits;
  if (only !== undefined && fits.length === 1) return only;
  if (only !== undefined) return { kind: "uncertain", word, fits: fits.slice(0, EXAMPLES) };
  return { kind: "unknown", word: word.slice(0, SHOWN), near: near(word) };
}

/** Two words with nothing between them. No word begins with another, so there is one way to cut them at most. */
function cut(word: string): string[] | null {
  const first = WORDS.find((known) => word.startsWith(known) && word.length > known.length);
  const fits = first === undefined ? [] : beginningWith(word.slice(first.length));
  const [second] = fits;
  return first !== undefined && second !== undefined && fits.length === 1 ? [first, second] : null;
}

/** The words that look like this one, at most two slips away; the likeliest first. */
function near(word: string): string[] {
  const far = 2;
  return WORDS.map((known) => ({ known, slips: slips(word, known) }))
    .filter(({ slips }) => slips <= far)
    .sort((a, b) => a.slips - b.slips)
    .slice(0, EXAMPLES)
    .map(({ known }) => known);
}

/** Letters to change, leave out, add or swap with their neighbour. */
function slips(one: string, other: string): number {
  let before: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const differs = one[i - 1] === other[j - 1] ? 0 : 1;
      const plain = Math.min((last[j - 1] ?? 0) + differs, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      const swapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      row.push(swapped ? Math.min(plain, (before[j - 2] ?? 0) + 1) : plain);
    }
    [before, last] = [last, row];
  }
  return last[other.length] ?? 0;
}

/** A code as it is passed on: with its address, if it has one. */
export function written(code: string, address: string | null): string {
  return address === null ? code : `${code}@${address}`;
}

/** Whether a pasted text is a link, and so should be shown as the code in it. */
export function isLink(input: string): boolean {
  return fromLink(input.trim()) !== null;
}

/** The blocks a code is read out in: the number, and the words one by one. */
export function codeBlocks(code: string): string[] {
  return code.split("-").filter((part) => part !== "");
}

/** A code for a screen reader: digits one by one. */
export function spellCode(code: string): string {
  return codeBlocks(code)
    .map((block) => (/^\d+$/.test(block) ? block.split("").join(" ") : block))
    .join(", ");
}

/** Runs of digits and of letters; `null` where there is anything else but separators. */
function split(text: string): string[] | null {
  if (/[^\da-z\s\p{P}\p{Cf}]/u.test(text)) return null;
  return text.match(/\d+|[a-z]+/g) ?? [];
}

function fromLink(text: string): string | null {
  const link = /^[a-z][a-z0-9+.-]*:\/\/(.*)$/iu.exec(text)?.[1];
  if (link === undefined) return null;
  const hash = link.indexOf("#");
  const tail = hash >= 0 ? link.slice(hash + 1) : (link.split("?")[0] ?? "").split("/").filter(Boolean).at(-1);
  try {
    return decodeURIComponent(tail ?? "");
  } catch {
    return tail ?? "";
  }
}
