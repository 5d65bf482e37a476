/** Reading JSON that somebody else wrote: a field is there and of its kind, or it isn't. */

export type Fields = Readonly<Record<string, unknown>>;

/** The object that a text holds, `null` for anything else. */
export function parseObject(text: string): Fields | null {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}

export function asObject(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

export function text(fields: Fields, name: string): string | null {
  const value = fields[name];
  return typeof value === "string" ? value : null;
}

/** A whole number from 0 to 2⁵³−1. */
export function whole(fields: Fields, name: string): number | null {
  const value = fields[name];
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null;
}

export function flag(fields: Fields, name: string): boolean | null {
  const value = fields[name];
  return typeof value === "boolean" ? value : null;
}

/** A finite number; what is missing counts as 0, `null` where something else stands. */
export function measure(fields: Fields, name: string): number | null {
  const value = fields[name] ?? 0;
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

export function texts(value: unknown): string[] | null {
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : null;
}
