import type { Message } from "./inbox.ts";

/** One call of `recv()` that waits. */
class Pull {
  readonly promise: Promise<Message | null>;
  readonly signal: AbortSignal | undefined;
  resolve!: (data: Message | null) => void;
  reject!: (reason: unknown) => void;
  abort: (() => void) | undefined = undefined;

  constructor(signal: AbortSignal | undefined) {
    this.signal = signal;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  settle(data: Message | null): void {
    if (this.abort !== undefined) this.signal!.removeEventListener("abort", this.abort);
    this.resolve(data);
  }
}

/** The calls of `recv()` that wait for messages, in order. */
export class Pulls {
  #waiting: Pull[] = [];

  /** Whether nobody waits. */
  get empty(): boolean {
    return this.#waiting.length === 0;
  }

  /**
   * Waits for a message.
   *
   * @param signal Gives the wait up, which takes no message with it.
   * @returns The message, or null at the end; rejects with the signal's reason.
   */
  wait(signal: AbortSignal | undefined): Promise<Message | null> {
    const pull = new Pull(signal);
    this.#waiting.push(pull);
    if (signal !== undefined) {
      pull.abort = () => {
        this.#waiting = this.#waiting.filter((it) => it !== pull);
        pull.reject(signal.reason);
      };
      signal.addEventListener("abort", pull.abort, { once: true });
    }
    return pull.promise;
  }

  /**
   * Ends a wait with null.
   *
   * @param promise What the wait gave; one that is over is left alone.
   */
  giveUp(promise: Promise<Message | null>): void {
    const pull = this.#waiting.find((it) => it.promise === promise);
    if (pull === undefined) return;
    this.#waiting = this.#waiting.filter((it) => it !== pull);
    pull.settle(null);
  }

  /**
   * Gives a message to whoever waits longest; somebody must.
   *
   * @param data The message.
   */
  give(data: Message): void {
    this.#waiting.shift()!.settle(data);
  }

  /** Tells all who wait that nothing more comes. */
  end(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const pull of waiting) pull.settle(null);
  }
}
