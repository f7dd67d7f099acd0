import { CODE_BITS, type DecodingTable } from "./decoding_table.ts";

/** The end of the input is noticed only after a whole symbol of up to 48 bits. */
const SLACK = 16;

/** Reads bits in the order of DEFLATE, the lowest of a byte first (RFC 1951 §3.1.1). */
export class BitReader {
  /** The input, followed by zeros. */
  readonly bytes: Uint8Array;
  /** The same memory. */
  readonly view: DataView;
  /** How many bytes the input has. */
  end = 0;
  /** How many bytes have been read into `bits`. */
  position = 0;
  /** The next bits; bits beyond `count` are either correct or zero. */
  bits = 0;
  /** How many of these bits come before `position`. */
  count = 0;

  /**
   * Makes a reader.
   *
   * @param capacity The most bytes of an input.
   */
  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity + SLACK);
    this.view = new DataView(this.bytes.buffer);
  }

  /**
   * Starts to read a new input.
   *
   * @param payload What it begins with.
   * @param tail What it ends with.
   */
  begin(payload: Uint8Array, tail: Uint8Array): void {
    const { bytes } = this;
    bytes.set(payload);
    bytes.set(tail, payload.length);
    this.end = payload.length + tail.length;
    bytes.fill(0, this.end, this.end + SLACK);
    this.position = this.bits = this.count = 0;
  }

  /**
   * Reads bits.
   *
   * @param count How many, up to 24.
   * @returns What they say, or -1 where the input has ended.
   */
  take(count: number): number {
    if (this.count < count) this.#fill();
    const value = this.bits & (1 << count) - 1;
    this.bits >>>= count;
    this.count -= count;
    return this.position > this.end && this.position - (this.count >> 3) > this.end ? -1 : value;
  }

  /**
   * Reads a code.
   *
   * @param table The codes that there are.
   * @returns Its entry; whether the input has ended, the next {@linkcode take} tells.
   */
  decode(table: DecodingTable): number {
    this.#fill();
    const { entries } = table;
    const entry = entries[this.bits & entries.length - 1] || table.find(this.bits);
    this.bits >>>= entry & CODE_BITS;
    this.count -= entry & CODE_BITS;
    return entry;
  }

  /** Makes at least 24 bits ready: reads as many whole bytes as fit. */
  #fill(): void {
    this.bits |= this.view.getInt32(this.position, true) << this.count;
    this.position += 31 - this.count >> 3;
    this.count |= 24;
  }

  /** Skips to the next whole byte, and gives its position. */
  align(): number {
    this.position -= this.count >> 3;
    this.bits = this.count = 0;
    return this.position;
  }
}
