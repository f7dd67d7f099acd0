/** Something that holds bytes back to write them together with others. */
interface Flushable {
  flush(): void;
}

/** Has what was held back go out together, with one callback for all connections. */
export class FlushLater {
  readonly #schedule: (flush: () => void) => void;
  readonly #flush = () => this.#flushAll();
  #waiting: Flushable[] = [];

  /** @param schedule Calls what it is given once, later. */
  constructor(schedule: (flush: () => void) => void) {
    this.#schedule = schedule;
  }

  /**
   * Asks for a flush.
   *
   * @param channel What to flush; to ask once is enough.
   */
  add(channel: Flushable): void {
    if (this.#waiting.length === 0) this.#schedule(this.#flush);
    this.#waiting.push(channel);
  }

  #flushAll(): void {
    const channels = this.#waiting;
    this.#waiting = [];
    for (const channel of channels) channel.flush();
  }
}
