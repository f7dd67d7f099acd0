import { clearTimeout, setTimeout } from "node:timers";

/** Where topics and the memory engine take their time from; tests bring their own. */
export interface Clock {
  /**
   * Tells the time.
   *
   * @returns Milliseconds since 1970.
   */
  now(): number;
  /**
   * Calls a function later, once.
   *
   * @param milliseconds How much later.
   * @param act The function.
   * @returns Keeps the function from being called.
   */
  after(milliseconds: number, act: () => void): () => void;
}

/** The machine's clock. Its timers do not keep a program running. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  after(milliseconds, act) {
    const timer = setTimeout(act, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
