import { patiently } from "./patience.ts";

/** What happened, in order, written on one side of a connection and waited for on the other. */
export class Journal<T> {
  /** All of it, taken or not. */
  readonly entries: T[] = [];
  #taken = 0;
  #waiting: (() => void)[] = [];

  /** Adds an entry; can be handed over as it is. */
  readonly add = (entry: T): void => {
    this.entries.push(entry);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  };

  /** Waits for the first entry that was not taken, and takes it. */
  async next(): Promise<T> {
    await this.#until(this.#taken + 1);
    return this.entries[this.#taken++];
  }

  /** Waits until there are so many entries, and gives them all. */
  async first(count: number): Promise<T[]> {
    await this.#until(count);
    return this.entries;
  }

  async #until(count: number): Promise<void> {
    while (this.entries.length < count) {
      const added = new Promise<void>((resolve) => this.#waiting.push(resolve));
      await patiently(added, `entry ${count} of a journal that has ${this.entries.length}`);
    }
  }
}
