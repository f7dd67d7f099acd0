import { limits } from "./chat_protocol.ts";

/** How many messages one connection may send: a burst, which then comes back little by little. */
export class RateLimit {
  #left: number = limits.burst;
  #last: number;
  #refused = 0;

  /** @param now The time in seconds, on any clock. */
  constructor(now: number = performance.now() / 1000) {
    this.#last = now;
  }

  /** Messages refused since the last one that was let through. */
  get refused(): number {
    return this.#refused;
  }

  /** Whether one more message may pass now. */
  take(now: number = performance.now() / 1000): boolean {
    const back = (now - this.#last) * (limits.burst / limits.burstSeconds);
    this.#left = Math.min(limits.burst, this.#left + back);
    this.#last = now;
    if (this.#left < 1) {
      this.#refused++;
      return false;
    }
    this.#left -= 1;
    this.#refused = 0;
    return true;
  }
}
