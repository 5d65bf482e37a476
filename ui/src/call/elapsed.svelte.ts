import { clock } from "../text";

const TICK_MS = 250;
/** Smaller differences are the event's own way through the process, and would only make the clock stutter. */
const JITTER_MS = 1500;

/** A clock that runs on between the views that set it. */
export class Elapsed {
  #origin: number | null = null;
  words = $state(clock(0));

  /** `since` is read from the newest view, milliseconds. */
  constructor(since: () => number) {
    $effect(() => {
      const origin = performance.now() - since();
      if (this.#origin === null || Math.abs(origin - this.#origin) > JITTER_MS) this.#origin = origin;
      this.#tick();
    });
    $effect(() => {
      const timer = setInterval(() => {
        this.#tick();
      }, TICK_MS);
      return () => {
        clearInterval(timer);
      };
    });
  }

  #tick(): void {
    if (this.#origin !== null) this.words = clock(performance.now() - this.#origin);
  }
}
