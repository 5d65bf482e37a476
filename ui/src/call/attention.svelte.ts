const QUIET_MS = 3000;

/** Whether the controls are shown: while somebody moves, types or is asked for something, and three seconds longer. */
export class Attention {
  awake = $state(true);
  #held: () => boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waking = false;

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
    this.awake = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.awake = this.#held();
    }, QUIET_MS);
  };

  press = (): void => {
    this.#waking = !this.awake;
    this.wake();
  };

  /** A touch that only brought the controls back must not also work the one it came down on, which nobody could see. */
  click = (event: MouseEvent): void => {
    const fromKeyboard = event.detail === 0;
    if (!this.#waking || fromKeyboard) return;
    this.#waking = false;
    event.stopPropagation();
    event.preventDefault();
  };
}
