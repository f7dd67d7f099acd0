import { Buffer } from "node:buffer";

/** How a value is written, as the lower three bits of its tag tell. */
export const WireType = { VARINT: 0, FIXED64: 1, LENGTH: 2, FIXED32: 5 } as const;

/** Writes the values of protobuf messages. */
export class ProtobufWriter {
  #bytes = Buffer.allocUnsafeSlow(256);
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

  /**
   * Writes a text behind its length.
   *
   * @param text The text.
   */
  string(text: string): void {
    const length = Buffer.byteLength(text);
    this.varint(length);
    this.#reserve(length);
    this.#length += this.#bytes.write(text, this.#length);
  }

  /**
   * Writes a message behind its length.
   *
   * @param write Writes what is in the message.
   */
  nested(write: () => void): void {
    // Most lengths take one byte; for a longer one the message moves on.
    const at = this.#length;
    this.varint(0);
    write();
    const length = this.#length - at - 1;
    if (length >= 0x80) {
      const more = Math.floor((31 - Math.clz32(length)) / 7);
      this.#reserve(more);
      this.#bytes.copyWithin(at + 1 + more, at + 1, this.#length);
    }
    // The first `varint` has made the room for this one.
    this.#length = at;
    this.varint(length);
    this.#length += length;
  }

  /** Gives what was written. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
