import { performance } from "node:perf_hooks";
import type { WebSocketServer } from "../mod.ts";

const GAUGES = 25;
/** Updates a second, of all gauges together. */
const RATE = 1000;
/** How often updates are published, in milliseconds. */
const PERIOD = 25;
/** How many values an update has. */
const VALUES = 320;

/** Something to look at: hills that wander. */
export class Gauge {
  readonly number: number;
  readonly #values: number[] = [];
  readonly #period: number;
  #time = 0;

  /**
   * @param number Which one it is.
   * @param period How many seconds lie between two measurements.
   */
  constructor(number: number, period: number) {
    this.number = number;
    this.#period = period;
    for (let i = 1; i < VALUES; i++) this.#step();
  }

  /**
   * Measures.
   *
   * @returns An update: the gauge, the time in milliseconds since 1970, and the last values, each from 0 to
   * 999. The newest update alone draws the whole line, so nothing is missed when others are left out.
   */
  measure(): string {
    this.#step();
    if (this.#values.length > VALUES) this.#values.shift();
    return JSON.stringify([this.number, Date.now(), this.#values]);
  }

  #step(): void {
    const { number } = this;
    const t = this.#time += this.#period;
    const swell = Math.sin(1.9 * t + 0.33 * number) * Math.sin(0.7 * t - 0.21 * number);
    const ripple = Math.sin(6.1 * t + number * number) * Math.sin(0.43 * t + 0.8 * number);
    const height = 0.78 * Math.max(0, swell) ** 1.6 + 0.1 * Math.max(0, ripple);
    this.#values.push(Math.floor(1000 * Math.min(0.999, 0.03 + height + 0.05 * Math.random())));
  }
}

/**
 * Measures all gauges in turn, and publishes the updates with the gauge as their key.
 *
 * @param server Where to publish.
 * @param topic What to publish to.
 * @returns What `clearInterval` takes.
 */
export function measureAll(
  server: WebSocketServer,
  topic: string,
): ReturnType<typeof setInterval> {
  const gauges = Array.from({ length: GAUGES }, (_, number) => new Gauge(number, GAUGES / RATE));
  let last = performance.now();
  return setInterval(() => {
    const now = performance.now();
    // Timers are late now and then; after a longer pause nobody wants all that was missed.
    const due = Math.min(Math.floor((now - last) * RATE / 1000), RATE);
    last = due === RATE ? now : last + due * 1000 / RATE;
    for (let i = 0; i < due; i++) {
      const gauge = gauges.shift()!;
      gauges.push(gauge);
      void server.publish(topic, gauge.measure(), { key: String(gauge.number) });
    }
  }, PERIOD);
}
