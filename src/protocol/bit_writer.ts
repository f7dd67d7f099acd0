/** A buffer up to this size is kept for the next message. */
const KEPT = 65_536;
/** Four bytes are written whenever some of them are full. */
const SLACK = 4;

/** Writes bits in the order of DEFLATE, the first into a byte's lowest (RFC 1951 §3.1.1). */
export class BitWriter {
  /** What the bits are written to. */
  view: DataView = new DataView(new ArrayBuffer(KEPT));
  /** How many bytes are full. */
  position = 0;
  /** The bits of the byte under way. */
  bits = 0;
  /** How many there are, below 8. */
  count = 0;

  /**
   * Begins anew.
   *
   * @param size The most bytes that will be written.
   */
  begin(size: number): void {
    if (size + SLACK > this.view.byteLength) {
      this.view = new DataView(new ArrayBuffer(size + SLACK));
    } else if (this.view.byteLength > KEPT) {
      this.view = new DataView(new ArrayBuffer(KEPT));
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

  /** Fills up the byte under way with zeros. */
  align(): void {
    if (this.count > 0) this.position++;
    this.bits = this.count = 0;
  }

  /**
   * Writes whole bytes behind those that are full.
   *
   * @param bytes The bytes.
   */
  append(bytes: Uint8Array): void {
    new Uint8Array(this.view.buffer).set(bytes, this.position);
    this.position += bytes.length;
  }

  /** The bytes that are full, as a copy. */
  take(): Uint8Array {
    return new Uint8Array(this.view.buffer.slice(0, this.position));
  }
}
