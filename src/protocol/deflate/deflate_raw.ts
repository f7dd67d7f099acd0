import { BitWriter } from "./bit_writer.ts";
import { BlockType, MAX_LENGTH } from "./deflate_alphabet.ts";
import { Block, MAX_BLOCK } from "./deflate_block.ts";

/** The shortest repetition that is looked for: so many bytes are compared at a time. */
const MIN_MATCH = 4;
/** A repetition this long is taken without looking for a longer one. */
const GOOD_MATCH = 32;
/** An index of 16 KiB: twice the size would make messages 1 % smaller. */
const MAX_HASH_BITS = 12;
/** The overhead of a stored block, rounded up. */
const STORED_OVERHEAD = 6;
/** Knuth's multiplicative hashing: 2^32 over the golden ratio. */
const HASH_FACTOR = 0x9e3779b1;

/**
 * The last bytes that were compressed, with an index: for each hash of four bytes, the two last positions
 * at which they begin. Positions have 16 bits; 0 stands for none.
 */
class Window {
  /** The bytes; those before `start` must not be referred to. */
  start = 1;
  end = 1;
  /** How far back a reference may reach. */
  size: number;
  #view: DataView;
  #bytes: Uint8Array;
  readonly #index: Uint16Array;
  readonly #hashShift: number;

  /**
   * Makes an empty window.
   *
   * @param size How far back a reference may reach; later no further.
   * @param capacity How many bytes there is room for at first.
   */
  constructor(size: number, capacity: number) {
    this.size = size;
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
    const hashBits = Math.min(MAX_HASH_BITS, 31 - Math.clz32(size));
    this.#index = new Uint16Array(2 << hashBits);
    this.#hashShift = 32 - hashBits;
  }

  /**
   * Appends bytes.
   *
   * @param piece The bytes, at most {@linkcode MAX_BLOCK}.
   * @returns Where they begin.
   */
  append(piece: Uint8Array): number {
    if (this.end + piece.length > this.#bytes.length) this.#makeRoom(piece.length);
    const at = this.end;
    this.#bytes.set(piece, at);
    this.end += piece.length;
    return at;
  }

  /** Moves the bytes that can be referred to to the front, or all bytes to a larger buffer. */
  #makeRoom(needed: number): void {
    const bytes = this.#bytes;
    const capacity = 1 + this.size + MAX_BLOCK;
    if (bytes.length < capacity) {
      this.#bytes = new Uint8Array(Math.min(2 * (this.end + needed), capacity));
      this.#bytes.set(bytes.subarray(0, this.end));
      this.#view = new DataView(this.#bytes.buffer);
      if (this.end + needed <= this.#bytes.length) return;
    }
    const kept = Math.min(this.size, this.end - this.start);
    const by = this.end - kept - 1;
    this.#bytes.copyWithin(1, this.end - kept, this.end);
    const index = this.#index;
    for (let i = 0; i < index.length; i++) index[i] = Math.max(0, index[i] - by);
    this.start = 1;
    this.end = kept + 1;
  }

  /**
   * Turns the bytes from `position` on into literals and references to earlier bytes (RFC 1951 §4). It
   * takes the better of the two positions in the index and does not try the next byte first: that would
   * cost more time than it saves bytes.
   */
  tokenize(position: number, block: Block): void {
    const size = this.size;
    const view = this.#view;
    const index = this.#index;
    const hashShift = this.#hashShift;
    const { start, end } = this;
    const last = end - MIN_MATCH;
    let i = position;
    while (i <= last) {
      const word = view.getInt32(i, true);
      const bucket = Math.imul(word, HASH_FACTOR) >>> hashShift << 1;
      const newer = index[bucket];
      const older = index[bucket + 1];
      index[bucket] = i;
      index[bucket + 1] = newer;

      const oldest = Math.max(start, i - size);
      let length = 0;
      let match = 0;
      if (newer >= oldest && view.getInt32(newer, true) === word) {
        match = newer;
        length = matchLength(view, newer, i, end);
      }
      if (length < GOOD_MATCH && older >= oldest && view.getInt32(older, true) === word) {
        const olderLength = matchLength(view, older, i, end);
        if (olderLength > length) {
          match = older;
          length = olderLength;
        }
      }
      if (length === 0) {
        block.literal(word & 0xff);
        i++;
        continue;
      }

      block.match(length, i - match);
      const next = i + length;
      const indexed = Math.min(next, last + 1);
      for (i++; i < indexed; i++) {
        const bucket = Math.imul(view.getInt32(i, true), HASH_FACTOR) >>> hashShift << 1;
        index[bucket + 1] = index[bucket];
        index[bucket] = i;
      }
      i = next;
    }
    for (; i < end; i++) block.literal(view.getUint8(i));
  }
}

/** How many bytes are equal at two positions; the first four are known to be. */
function matchLength(view: DataView, match: number, position: number, end: number): number {
  const most = Math.min(end - position, MAX_LENGTH);
  let length = MIN_MATCH;
  for (; length + 4 <= most; length += 4) {
    const different = view.getInt32(match + length, true) ^ view.getInt32(position + length, true);
    if (different !== 0) return length + (31 - Math.clz32(different & -different) >> 3);
  }
  while (length < most && view.getUint8(match + length) === view.getUint8(position + length)) {
    length++;
  }
  return length;
}

const writer = new BitWriter();
const block = new Block();
/** The window of all messages that refer to no earlier ones; as large as 16-bit positions allow. */
const shared = new Window(0x8000, 0x10000);

/** Compresses the messages of one connection as RFC 7692 §7.2.1 says. */
export class RawDeflater {
  readonly #windowSize: number;
  readonly #own: Window | null;

  /**
   * Makes a deflater.
   *
   * @param windowBits How far back a reference may reach, as a power of two: 8 to 15.
   * @param takeover Whether a message may refer to those before it.
   */
  constructor(windowBits: number, takeover: boolean) {
    this.#windowSize = 1 << windowBits;
    this.#own = takeover ? new Window(this.#windowSize, 0) : null;
  }

  /**
   * Compresses a message.
   *
   * @param payload The message.
   * @returns It, as a DEFLATE stream without the tail.
   */
  deflate(payload: Uint8Array): Uint8Array {
    return this.#own === null ? this.deflateAlone(payload) : deflate(payload, this.#own);
  }

  /**
   * Compresses a message that refers to none before it.
   *
   * @param payload The message.
   * @returns It, as a DEFLATE stream without the tail.
   */
  deflateAlone(payload: Uint8Array): Uint8Array {
    shared.size = this.#windowSize;
    shared.start = shared.end;
    return deflate(payload, shared);
  }

  /**
   * Puts a message into the window that was compressed elsewhere: the peer has it there, so messages before
   * it are so much further back. It is not looked up in the index, which would cost as much as compressing.
   *
   * @param payload The message.
   */
  skip(payload: Uint8Array): void {
    const window = this.#own;
    // Without anything to refer to, nothing moves.
    if (window === null || window.start === window.end) return;
    if (payload.length >= this.#windowSize) {
      window.start = window.end;
      return;
    }
    for (let at = 0; at < payload.length; at += MAX_BLOCK) {
      window.append(payload.subarray(at, at + MAX_BLOCK));
    }
  }
}

function deflate(payload: Uint8Array, window: Window): Uint8Array {
  // In the worst case every block is a stored one.
  writer.begin(payload.length + STORED_OVERHEAD * (2 + payload.length / MAX_BLOCK));
  for (let at = 0; at < payload.length; at += MAX_BLOCK) {
    const piece = payload.length <= MAX_BLOCK ? payload : payload.subarray(at, at + MAX_BLOCK);
    window.tokenize(window.append(piece), block);
    block.write(writer, piece);
  }
  // An empty stored block fills the last byte up; its tail 00 00 ff ff is left off.
  writer.put(BlockType.STORED << 1, 3);
  writer.align();
  return writer.take();
}
