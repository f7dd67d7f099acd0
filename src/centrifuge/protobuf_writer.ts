/** How a value is written, as the lower three bits of its tag tell. */
export const WireType = { VARINT: 0, FIXED64: 1, LENGTH: 2, FIXED32: 5 } as const;

/** Writes the values of protobuf messages. */
export class ProtobufWriter {
  #bytes = new Uint8Array(64);
  #length = 0;

  /**
   * Writes a number.
   *
   * @param value A whole number from 0 on.
   */
  varint(value: number): void {
    this.#reserve(10);
    // Shifting would cut it to 32 bits.
    while (value >= 0x80) {
      this.#bytes[this.#length++] = value % 0x80 | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#bytes[this.#length++] = value;
  }

  /**
   * Writes bytes behind their length.
   *
   * @param bytes The bytes.
   */
  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Gives what was written. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
