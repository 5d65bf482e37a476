/** Room codes as people type, paste and read them. Whether a room exists is for the server to say. */

export type ParsedCode = { kind: "empty" } | { kind: "invalid" } | { kind: "code"; code: string };

const CODE = /^\d{4,12}(-[a-z]+)*$/;

/** Reads a code, however it is spaced or cased, also out of a pasted link: `visavis://…` or `https://host/#482913`. */
export function parseCode(input: string): ParsedCode {
  const typed = input.normalize("NFKC").trim();
  if (typed === "") return { kind: "empty" };
  const code = join(fromLink(typed) ?? typed);
  return CODE.test(code) ? { kind: "code", code } : { kind: "invalid" };
}

/** Whether a pasted text is a link, and so should be shown as the code in it. */
export function isLink(input: string): boolean {
  return fromLink(input.trim()) !== null;
}

/** The blocks a code is read out in: the words one by one, a bare number by threes. */
export function codeBlocks(code: string): string[] {
  const parts = code.split("-").filter((part) => part !== "");
  const [number] = parts;
  if (parts.length !== 1 || number === undefined || !/^\d+$/.test(number)) return parts;
  return number.length % 3 === 0 ? (number.match(/\d{3}/g) ?? [number]) : [number];
}

/** A code for a screen reader: digits one by one. */
export function spellCode(code: string): string {
  return codeBlocks(code)
    .map((block) => (/^\d+$/.test(block) ? block.split("").join(" ") : block))
    .join(", ");
}

function join(text: string): string {
  const parts = text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((part) => part !== "");
  const digits = parts.findIndex((part) => !/^\d+$/.test(part));
  if (digits === -1) return parts.join("");
  return [parts.slice(0, digits).join(""), ...parts.slice(digits)].join("-");
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
