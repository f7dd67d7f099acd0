/** Counts the pings and pongs of one peer, second by second. */
export class ControlFrameRate {
  #second = 0;
  #count = 0;

  /**
   * Counts one.
   *
   * @param most How many may come in a second.
   * @returns Whether this one may.
   */
  take(most: number): boolean {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
    }
    return ++this.#count <= most;
  }
}
