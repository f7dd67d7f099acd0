/** Calls a function at a steady rate: late calls do not shift those after them, and none overlap. */
export class Ticker {
  readonly #act: () => Promise<void>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #period = 0;
  #next = 0;
  #busy = false;

  /** @param act The function; must not reject. */
  constructor(act: () => Promise<void>) {
    this.#act = act;
  }

  /**
   * Starts over with another period.
   *
   * @param period Seconds; 0 for never.
   */
  schedule(period: number): void {
    this.stop();
    this.#period = period * 1000;
    if (period <= 0) return;
    this.#next = performance.now() + this.#period;
    this.#wait();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    const timer = setTimeout(async () => {
      // A call that began before the period was changed may still be under way.
      if (!this.#busy) {
        this.#busy = true;
        await this.#act();
        this.#busy = false;
      }
      if (this.#timer !== timer) return;
      // Ticks that a slow one has run over are left out.
      const missed = Math.floor((performance.now() - this.#next) / this.#period);
      this.#next += (Math.max(0, missed) + 1) * this.#period;
      this.#wait();
    }, Math.max(0, this.#next - performance.now()));
    this.#timer = timer;
  }
}
