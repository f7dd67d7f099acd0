/** The size of a buffer that several messages share. */
const SIZE = 4096;
/** Larger messages get a buffer of their own. */
export const MAX_SHARED: number = SIZE / 4;

/** Copies the small binary messages of one read into one buffer, where buffers are slow to make. */
export class SharedBuffer {
  #bytes: Uint8Array | null = null;
  #used = 0;

  /**
   * Copies a message of at most {@linkcode MAX_SHARED} bytes.
   *
   * @param chunk The read that it came in.
   * @param start Its first byte there.
   * @param end The byte after it.
   * @returns The copy, a view of the buffer.
   */
  copy(chunk: Uint8Array, start: number, end: number): Uint8Array {
    const length = end - start;
    let used = this.#used;
    if (this.#bytes === null || used + length > this.#bytes.length) {
      this.#bytes = new Uint8Array(Math.min(SIZE, chunk.length - start));
      used = 0;
    }
    this.#bytes.set(chunk.subarray(start, end), used);
    this.#used = used + length;
    return this.#bytes.subarray(used, used + length);
  }
}
