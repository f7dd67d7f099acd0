/** What a peer may still send after its connection has failed; more, and it is dropped. */
export const MAX_LINGERING: number = 64 * 1024 * 1024;

/**
 * Reads on after the last word has been sent, and drops what comes: a close with unread bytes would
 * reset the connection, and could take that word with it.
 */
export class Lingering {
  readonly #socket: { destroy(): void };
  #left = MAX_LINGERING;

  /** @param socket Dropped when too much comes. */
  constructor(socket: { destroy(): void }) {
    this.#socket = socket;
  }

  /**
   * Takes what is not looked at any more.
   *
   * @param size How many bytes.
   */
  take(size: number): void {
    this.#left -= size;
    if (this.#left < 0) this.#socket.destroy();
  }
}
