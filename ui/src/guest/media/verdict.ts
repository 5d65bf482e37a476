/**
 * How good a call is, in one word with its reason. Loss and delay are graded by what people notice in speech (ITU-T G.114: a
 * one-way delay over 150 ms is noticed, over 400 ms is unacceptable); bounds as in `crates/call/src/quality.rs`.
 */
import type { Grade } from "../../bindings/view";
import { text } from "../../text";
import type { ReceiveReport } from "../call/control";

/** How much of a measure's value is its newest second, so that the word doesn't flicker. */
const NEWEST = 0.4;

type Cause = keyof typeof text.guest.quality.causes;

interface Bound {
  cause: Cause;
  measure: number;
  fair: number;
  poor: number;
}

export class Judge {
  #smooth = new Map<Cause, number>();

  /** The verdict on one more second. */
  judge(ours: ReceiveReport, theirs: ReceiveReport | null, rttMs: number | null): { grade: Grade; words: string } {
    const bounds: Bound[] = [
      { cause: "fromThem", measure: ours.lossPercent, fair: 2, poor: 10 },
      { cause: "toThem", measure: theirs?.lossPercent ?? 0, fair: 2, poor: 10 },
      { cause: "ourComputer", measure: ours.overloaded ? 1 : 0, fair: 0.6, poor: Infinity },
      { cause: "theirComputer", measure: theirs?.overloaded === true ? 1 : 0, fair: 0.6, poor: Infinity },
      { cause: "delay", measure: rttMs ?? 0, fair: 300, poor: 800 },
      { cause: "sound", measure: ours.concealedPercent, fair: 3, poor: 10 },
    ];
    const found = bounds.map((bound) => this.#grade(bound)).sort((a, b) => b.badness - a.badness)[0];
    if (found === undefined || found.badness < 1) return { grade: "good", words: text.guest.quality.good };
    return { grade: found.poor ? "poor" : "fair", words: text.guest.quality.causes[found.cause](found.value) };
  }

  #grade({ cause, measure, fair, poor }: Bound) {
    const before = this.#smooth.get(cause) ?? measure;
    const value = before + (measure - before) * NEWEST;
    this.#smooth.set(cause, value);
    return { cause, value: Math.round(value), badness: value / fair, poor: value >= poor };
  }
}
