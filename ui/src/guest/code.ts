/** Room codes as people write, say and paste them, by the same rules as `crates/signaling/src/code.rs`. */
import { WORDS } from "../bindings/code";
import { text } from "../text";

const MIN_DIGITS = 4;
const MAX_DIGITS = 9;
const EXAMPLES = 3;
/** Hyphens, dots, underscores and all kinds of space, among them the zero-width ones that messengers insert. */
const SEPARATOR = /[\s\-_.,/\u2010-\u2015\u2212\u200b-\u200f\u2060\ufeff]/u;

export interface RoomCode {
  nameplate: string;
  /** Joined by one hyphen; never leaves this machine. */
  words: string;
}

/** What is wrong with a code, in a sentence. */
export class CodeError extends Error {}

const words = text.guest.code;

/** Two words, each as likely as any other: their number divides 2¹⁶. */
export function newWords(): string {
  const drawn = crypto.getRandomValues(new Uint16Array(2));
  return Array.from(drawn, (place) => WORDS[place % WORDS.length] ?? "").join("-");
}

export function writeCode(code: RoomCode): string {
  return `${code.nameplate}-${code.words}`;
}

/** Reads a code; throws a `CodeError` where it is none. */
export function readCode(input: string): RoomCode {
  const { digits, typed } = split(codePart(input.trim()));
  if (digits === "") throw new CodeError(words.empty);
  if (digits.length < MIN_DIGITS) throw new CodeError(words.tooShort(MIN_DIGITS, digits.length));
  if (digits.length > MAX_DIGITS) throw new CodeError(words.tooLong(MAX_DIGITS, digits.length));
  return { nameplate: digits, words: meant(typed).join("-") };
}

/** The digits, in as many groups as one likes, and the runs of letters behind them. */
function split(input: string): { digits: string; typed: string[] } {
  let digits = "";
  const typed: string[] = [];
  let inWord = false;
  for (const char of input) {
    const isLetter = /[a-z]/i.test(char);
    if (/[0-9]/.test(char) && typed.length === 0) digits += char;
    else if (isLetter && digits === "") throw new CodeError(words.numberMissing);
    else if (isLetter) {
      if (!inWord) typed.push("");
      typed.push(`${typed.pop() ?? ""}${char.toLowerCase()}`);
    } else if (!SEPARATOR.test(char)) throw new CodeError(words.unexpected(char));
    inWord = isLetter;
  }
  return { digits, typed };
}

/** The words that were meant: each in full or cut to what makes it certain, both perhaps written as one. */
function meant(typed: readonly string[]): [string, string] {
  const [first, second] = typed;
  if (first === undefined) throw new CodeError(words.wordsMissing);
  if (typed.length > 2) throw new CodeError(words.tooMany(typed.length));
  if (second !== undefined) return [word(first), word(second)];
  const both = glued(first);
  if (both !== null) return both;
  word(first);
  throw new CodeError(words.secondMissing);
}

function word(typed: string): string {
  const [only, ...more] = beginningWith(typed);
  if (only === undefined) throw new CodeError(words.unknown(typed.slice(0, 24)));
  if (more.length > 0) throw new CodeError(words.uncertain(typed, [only, ...more].slice(0, EXAMPLES)));
  return only;
}

function beginningWith(letters: string): string[] {
  return WORDS.filter((known) => known.startsWith(letters));
}

/** Two words with nothing between them. No word begins with another, so there is one way to cut them at most. */
function glued(typed: string): [string, string] | null {
  for (let at = 1; at < typed.length; at++) {
    const [first, second, ...more] = [typed.slice(0, at), ...beginningWith(typed.slice(at))];
    if (second !== undefined && more.length === 0 && WORDS.includes(first)) return [first, second];
  }
  return null;
}

/** Cuts the code out of a link; anything that isn't a link comes back whole. */
function codePart(input: string): string {
  const [, scheme, rest] = /^([^:]*):\/\/(.*)$/s.exec(input) ?? [];
  if (scheme === undefined || rest === undefined) return input.slice(input.lastIndexOf("#") + 1);
  const app = scheme.toLowerCase() === "visavis";
  const part = app ? rest.split(/[/?#]/).find((piece) => piece !== "") : rest.split(/#(.*)/s)[1];
  if (part === undefined || part === "") throw new CodeError(words.linkWithoutCode);
  return part;
}
