import type { Clock } from "./clock.ts";

const FIRST = 100;
const LONGEST = 5_000;

/** Tries again later, and later each time it fails, at times that differ between servers. */
export class Backoff {
  readonly #clock: Clock;
  readonly #longest: number;
  #failures = 0;
  #cancel: (() => void) | null = null;

  /**
   * @param clock Where time comes from.
   * @param longest The longest that it waits, in milliseconds.
   */
  constructor(clock: Clock, longest: number = LONGEST) {
    this.#clock = clock;
    this.#longest = longest;
  }

  /**
   * Calls a function after 50 ms at first, in place of one that still waits.
   *
   * @param act The function.
   */
  later(act: () => void): void {
    this.#cancel?.();
    const longest = Math.min(this.#longest, FIRST * 2 ** this.#failures++);
    this.#cancel = this.#clock.after(longest * (0.5 + Math.random() / 2), () => {
      this.#cancel = null;
      act();
    });
  }

  /** Forgets failures, and what waits to be called. */
  reset(): void {
    this.#failures = 0;
    this.#cancel?.();
    this.#cancel = null;
  }
}
