import { setTimeout } from "node:timers";

/** How many bytes of messages one connection may make out of what it has compressed, in one turn. */
const TURN = 1024 * 1024;

/**
 * Keeps a peer from holding up the others with little that inflates to much: messages are inflated while
 * everybody waits, and one read may hold hundreds of them.
 */
export class InflationTurn {
  readonly #rested: () => void;
  #inflated = 0;
  #resting = false;

  /** @param rested Called when the others have had their turn. */
  constructor(rested: () => void) {
    this.#rested = rested;
  }

  /** Whether it is the others' turn. */
  get resting(): boolean {
    return this.#resting;
  }

  /** Bytes have come that are not part of what was under way: a turn of its own. */
  begin(): void {
    this.#inflated = 0;
  }

  /**
   * Counts a message.
   *
   * @param size How long it is.
   * @returns Whether the turn is over, and no more should be looked at.
   */
  end(size: number): boolean {
    this.#inflated += size;
    if (this.#inflated < TURN || this.#resting) return this.#resting;
    this.#resting = true;
    // Not an immediate: between two of those Deno seldom looks at its sockets.
    setTimeout(() => {
      this.#resting = false;
      this.#inflated = 0;
      this.#rested();
    }, 0);
    return true;
  }
}
