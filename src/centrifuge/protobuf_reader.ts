import { Malformed } from "./codec.ts";
import { WireType } from "./protobuf_writer.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads the values of protobuf messages. Whatever is no such value throws {@linkcode Malformed}. */
export class ProtobufReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  /**
   * @param bytes What is read.
   * @param at From where on.
   * @param end Up to where.
   */
  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** Whether all is read. */
  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** A number of up to 64 bits. */
  varint(): bigint {
    const low = this.#low();
    if (low.more) return BigInt(low.value) + (this.#high() << 28n);
    return BigInt(low.value);
  }

  /** The lower 32 bits of a number, as every number of 32 bits is read. */
  uint32(): number {
    const { value, more } = this.#low();
    return more ? Number(BigInt.asUintN(32, BigInt(value) + (this.#high() << 28n))) : value;
  }

  /** A number as JavaScript has it: what is larger than it can tell apart is the largest one. */
  uint64(): number {
    const { value, more } = this.#low();
    if (!more) return value;
    const whole = BigInt(value) + (this.#high() << 28n);
    return whole > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(whole);
  }

  /** The first four bytes of a number, which are all of most. */
  #low(): { value: number; more: boolean } {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return { value, more: false };
    }
    return { value, more: true };
  }

  /** The other bytes, of which there are at most six. */
  #high(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 42n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(36, value);
    }
    throw new Malformed("a number has too many bytes");
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new Malformed("a number is cut off");
    return this.#bytes[this.#at++];
  }

  /** Bytes behind their length, as a copy. */
  bytes(): Uint8Array {
    const [from, to] = this.#part();
    return this.#bytes.slice(from, to);
  }

  /** A text behind its length. */
  string(): string {
    const [from, to] = this.#part();
    try {
      return decoder.decode(this.#bytes.subarray(from, to));
    } catch {
      throw new Malformed("a text is no UTF-8");
    }
  }

  /** A message behind its length. */
  nested(): ProtobufReader {
    const [from, to] = this.#part();
    return new ProtobufReader(this.#bytes, from, to);
  }

  /** Where the bytes behind a length are. */
  #part(): [from: number, to: number] {
    const length = this.uint64();
    const from = this.#at;
    this.#forward(length);
    return [from, this.#at];
  }

  #forward(length: number): void {
    if (length > this.#end - this.#at) throw new Malformed("a value is cut off");
    this.#at += length;
  }

  /**
   * Passes over a value.
   *
   * @param type Its wire type.
   */
  skip(type: number): void {
    if (type === WireType.VARINT) this.varint();
    else if (type === WireType.FIXED64) this.#forward(8);
    else if (type === WireType.LENGTH) this.#part();
    else if (type === WireType.FIXED32) this.#forward(4);
    else throw new Malformed("a value has no type that there is");
  }
}
