/** A message, text as a string. */
export type Message = string | Uint8Array;

/** What a message takes in memory beside its data, roughly; so that many small ones count too. */
const MESSAGE_OVERHEAD = 128;
/** Stands for no messages, so that an empty inbox holds no array. */
const NONE: Message[] = [];
/** How many taken messages are kept before the array is cut: cutting at each would take quadratic time. */
const COMPACT_FROM = 256;

/** Messages that have come and wait to be told of, in order. */
export class Inbox {
  #messages: Message[] = NONE;
  // The messages before this one have been taken.
  #first = 0;
  /** Roughly how many bytes wait. */
  size = 0;

  /** Whether nothing waits. */
  get empty(): boolean {
    return this.#first === this.#messages.length;
  }

  /**
   * Adds a message behind the others.
   *
   * @param data The message.
   */
  add(data: Message): void {
    if (this.#messages === NONE) this.#messages = [];
    this.#messages.push(data);
    this.size += data.length + MESSAGE_OVERHEAD;
  }

  /**
   * Takes the first message out.
   *
   * @returns The message, or undefined when nothing waits.
   */
  take(): Message | undefined {
    if (this.empty) return undefined;
    const data = this.#messages[this.#first++];
    this.size -= data.length + MESSAGE_OVERHEAD;
    if (this.empty) this.clear();
    else if (this.#first >= COMPACT_FROM) {
      this.#messages = this.#messages.slice(this.#first);
      this.#first = 0;
    }
    return data;
  }

  /** Drops all that waits. */
  clear(): void {
    this.#messages = NONE;
    this.#first = 0;
    this.size = 0;
  }
}
