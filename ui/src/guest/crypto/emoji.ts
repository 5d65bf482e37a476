/** The six pictures that both screens show, for whoever wants to compare them aloud. */
import { PICTURES } from "../../bindings/code";

/** How many of them a call shows. */
export const SHOWN = 6;

/** A picture and the word to say for it. */
export interface Emoji {
  picture: string;
  name: string;
}

/** The pictures that six bytes choose: the lower six bits of each. */
export function choose(bytes: Uint8Array): Emoji[] {
  return Array.from(bytes, (byte) => {
    const [picture = "", name = ""] = PICTURES[byte % PICTURES.length] ?? [];
    return { picture, name };
  });
}
