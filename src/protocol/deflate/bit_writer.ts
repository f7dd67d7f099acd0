/** A buffer up to this size is kept for the next message. */
const KEPT = 65_536;
/** Each write stores four bytes, of which only some may be full. */
const SLACK = 4;

/** Writes bits in the order of DEFLATE, the first into a byte's lowest (RFC 1951 §3.1.1). */
export class BitWriter {
  /** The buffer that the bits are written to. */
  view: DataView;
  #bytes: Uint8Array;
  /** How many bytes are full. */
  position = 0;
  /** The bits of the byte that is not full yet. */
  bits = 0;
  /** How many bits that byte has, below 8. */
  count = 0;

  /** Makes a writer without a buffer. */
  constructor() {
    this.#bytes = new Uint8Array(KEPT);
    this.view = new DataView(this.#bytes.buffer);
  }

  /**
   * Starts a new output.
   *
   * @param size The most bytes that will be written.
   */
  begin(size: number): void {
    const wanted = Math.max(size + SLACK, KEPT);
    if (wanted > this.#bytes.length || this.#bytes.length > KEPT) {
      this.#bytes = new Uint8Array(wanted);
      this.view = new DataView(this.#bytes.buffer);
    }
    this.position = this.bits = this.count = 0;
  }

  /**
   * Writes bits.
   *
   * @param bits The bits; those above are zero.
   * @param count How many, up to 24.
   */
  put(bits: number, count: number): void {
    bits = this.bits | bits << this.count;
    count += this.count;
    this.view.setInt32(this.position, bits, true);
    this.position += count >> 3;
    this.bits = bits >>> (count & 24);
    this.count = count & 7;
  }

  /** Fills the last byte up with zeros. */
  align(): void {
    if (this.count > 0) this.position++;
    this.bits = this.count = 0;
  }

  /**
   * Writes whole bytes after the full ones.
   *
   * @param bytes The bytes.
   */
  append(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.position);
    this.position += bytes.length;
  }

  /** A copy of the full bytes. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.position);
  }
}
