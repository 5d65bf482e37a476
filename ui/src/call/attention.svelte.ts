import { untrack } from "svelte";

const QUIET_MS = 3000;
/** As long as the controls take to come back into sight. */
const UNSEEN_MS = 200;

/** Whether the controls are shown: while somebody moves, types or is asked for something, and three seconds longer. */
export class Attention {
  awake = $state(true);
  #held: () => boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #awakeSince = -Infinity;
  #unseen = false;

  /** While `held` is true the controls stay. */
  constructor(held: () => boolean) {
    this.#held = held;
    $effect(() => {
      held();
      this.wake();
      return () => {
        clearTimeout(this.#timer);
      };
    });
  }

  wake = (): void => {
    if (!untrack(() => this.awake)) this.#awakeSince = performance.now();
    this.awake = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.awake = this.#held();
    }, QUIET_MS);
  };

  /** A mouse has moved to where it presses and shown the controls on its way; a finger may have done both at once. */
  press = (event: PointerEvent): void => {
    const asleep = !this.awake;
    this.wake();
    const woken = performance.now() - this.#awakeSince < UNSEEN_MS;
    this.#unseen = asleep || (woken && event.pointerType !== "mouse");
  };

  /** A touch that brought the controls back must not also work the one it came down on, which nobody could see. */
  click = (event: MouseEvent): void => {
    const fromKeyboard = event.detail === 0;
    if (!this.#unseen || fromKeyboard) return;
    this.#unseen = false;
    event.stopPropagation();
    event.preventDefault();
  };
}
