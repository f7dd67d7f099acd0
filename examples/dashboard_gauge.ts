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
