import { setTimeout } from "node:timers";

/** How many frames, or parts of them, are looked at in one turn: some two milliseconds of work. */
export const FRAMES_A_TURN = 2048;

/** How many bytes of messages one connection may make out of what it has compressed, in one turn. */
const INFLATED_A_TURN = 1024 * 1024;

/**
 * Has a connection take turns with the others. What has come is dealt with while everybody waits, and one
 * read may hold ten thousand frames, or hundreds of messages that inflate to much.
 */
export class Turn {
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
   * Counts a message that may have come compressed.
   *
   * @param size How long it is.
   * @returns Whether the turn is over, and no more should be looked at.
   */
  inflated(size: number): boolean {
    this.#inflated += size;
    if (this.#inflated >= INFLATED_A_TURN) this.end();
    return this.#resting;
  }

  /** The turn is over. */
  end(): void {
    if (this.#resting) return;
    this.#resting = true;
    // Not an immediate: between two of those Deno seldom looks at its sockets.
    setTimeout(() => {
      this.#resting = false;
      this.#inflated = 0;
      this.#rested();
    }, 0);
  }
}
