/** Deadlines by name: setting one again moves it, and each says which one it was. */
export class Deadlines<Name extends string> {
  readonly #running = new Map<Name, ReturnType<typeof setTimeout>>();
  readonly #due: (name: Name) => void;

  constructor(due: (name: Name) => void) {
    this.#due = due;
  }

  set(name: Name, ms: number): void {
    this.clear(name);
    const timer = setTimeout(() => {
      this.#running.delete(name);
      this.#due(name);
    }, ms);
    this.#running.set(name, timer);
  }

  isSet(name: Name): boolean {
    return this.#running.has(name);
  }

  clear(...names: Name[]): void {
    for (const name of names) {
      clearTimeout(this.#running.get(name));
      this.#running.delete(name);
    }
  }

  clearAll(): void {
    this.clear(...this.#running.keys());
  }
}
