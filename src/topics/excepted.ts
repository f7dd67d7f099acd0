import type { Clock } from "./clock.ts";
import type { Subscriber } from "./subscription.ts";

/** How long a publication may take to come back from the engine, in milliseconds. */
const KEPT = 60_000;

/** Who is not to be given which publication, from when it is published until it comes back. */
export class Excepted {
  readonly #clock: Clock;
  // In the order of publishing: what is over is at the front.
  readonly #waiting = new Map<string, { who: ReadonlySet<Subscriber>; until: number }>();

  /** @param clock Where time comes from. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Leaves somebody out.
   *
   * @param id The publication's name.
   * @param except Who.
   */
  add(id: string, except: Subscriber | Iterable<Subscriber>): void {
    const now = this.#clock.now();
    for (const [old, { until }] of this.#waiting) {
      if (until > now) break;
      this.#waiting.delete(old);
    }
    const who = Symbol.iterator in except ? new Set(except) : new Set([except]);
    if (who.size > 0) this.#waiting.set(id, { who, until: now + KEPT });
  }

  /**
   * Tells who is left out, once.
   *
   * @param id The publication's name.
   * @returns Those, if any.
   */
  take(id: string): ReadonlySet<Subscriber> | undefined {
    if (this.#waiting.size === 0) return undefined;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting?.who;
  }
}
