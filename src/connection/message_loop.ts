import type { Message } from "./inbox.ts";

/** What is gone through. */
export interface MessageSource {
  /** The next message; null at the end. A subclass may have one of its own. */
  recv(): Promise<Message | null>;
}

/** Who has those wait that nothing has come for. */
export interface Waits {
  /** Ends a wait for a message with null, as if the connection had ended; one that is over is left alone. */
  giveUp(waiting: Promise<Message | null>): void;
}

/**
 * A loop over the messages of a connection. A generator could not be left while it waits: it would hear of that
 * only with the next message, and nobody would see that one.
 */
export class MessageLoop implements AsyncGenerator<Message, void, void> {
  readonly #source: MessageSource;
  readonly #waits: Waits;
  readonly #waiting = new Set<Promise<Message | null>>();
  #over = false;

  /**
   * @param source What is gone through.
   * @param waits Where its waits can be given up.
   */
  constructor(source: MessageSource, waits: Waits) {
    this.#source = source;
    this.#waits = waits;
  }

  async next(): Promise<IteratorResult<Message, void>> {
    if (this.#over) return END;
    const waiting = this.#source.recv();
    this.#waiting.add(waiting);
    try {
      const value = await waiting;
      if (value !== null) return { done: false, value };
      this.#over = true;
      return END;
    } finally {
      this.#waiting.delete(waiting);
    }
  }

  return(): Promise<IteratorResult<Message, void>> {
    this.#leave();
    return Promise.resolve(END);
  }

  throw(error: unknown): Promise<IteratorResult<Message, void>> {
    this.#leave();
    return Promise.reject(error);
  }

  #leave(): void {
    this.#over = true;
    for (const waiting of this.#waiting) this.#waits.giveUp(waiting);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#leave();
    return Promise.resolve();
  }
}

const END: IteratorResult<Message, void> = { done: true, value: undefined };
