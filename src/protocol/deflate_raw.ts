import { BitWriter } from "./bit_writer.ts";
import { BlockType, MAX_LENGTH } from "./deflate_alphabet.ts";
import { Block, MAX_BLOCK } from "./deflate_block.ts";

/** The shortest repetition looked for: as many bytes as are compared at a time. */
const MIN_MATCH = 4;
/** A repetition this long is taken without looking for a longer one. */
const GOOD_MATCH = 32;
/** Knuth's multiplicative hashing: 2^32 over the golden ratio. */
const HASH_FACTOR = 0x9e3779b1;

/**
 * What has gone through, with an index of it: for the hash of four bytes, the two last places where
 * they began. Positions are in 16 bits, and none is 0, which stands for no place.
 */
class Window {
  /** The bytes; those before `start` are not to be referred to any more. */
  readonly bytes: Uint8Array;
  start = 1;
  end = 1;
  readonly #view: DataView;
  readonly #index: Uint16Array;
  readonly #hashShift: number;

  constructor(capacity: number, hashBits: number) {
    this.bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.bytes.buffer);
    this.#index = new Uint16Array(2 << hashBits);
    this.#hashShift = 32 - hashBits;
  }

  /** Appends bytes, and drops such as are `size` before them if there is no room. */
  append(piece: Uint8Array, size: number): void {
    if (this.end + piece.length > this.bytes.length) {
      this.#slide(Math.min(size, this.end - this.start));
    }
    this.bytes.set(piece, this.end);
    this.end += piece.length;
  }

  #slide(kept: number): void {
    const index = this.#index;
    const by = this.end - kept - 1;
    this.bytes.copyWithin(1, this.end - kept, this.end);
    if (kept === 0) index.fill(0);
    else for (let i = 0; i < index.length; i++) index[i] = Math.max(0, index[i] - by);
    this.start = 1;
    this.end = kept + 1;
  }

  /**
   * Writes what begins at `position` as literals and references to what comes before (RFC 1951 §4).
   * Always takes the longest of the two that it knows of at once: looking further costs more time
   * than it saves bytes in messages of a few KiB.
   */
  tokenize(position: number, size: number, block: Block): void {
    const view = this.#view;
    const index = this.#index;
    const hashShift = this.#hashShift;
    const { bytes, start, end } = this;
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
    for (; i < end; i++) block.literal(bytes[i]);
  }
}

/** How many bytes are the same at two places, of which the first four are. */
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
const shared = new Window(65_536, 12);

/** Compresses the messages of one connection as RFC 7692 §7.2.1 says, in memory shared with others. */
export class RawDeflater {
  readonly #windowBits: number;
  readonly #takeover: boolean;
  #own: Window | null = null;

  constructor(windowBits: number, takeover: boolean) {
    this.#windowBits = windowBits;
    this.#takeover = takeover;
  }

  deflate(payload: Uint8Array): Uint8Array {
    const size = 1 << this.#windowBits;
    let window = shared;
    if (this.#takeover) {
      window = this.#own ??= new Window(1 + size + MAX_BLOCK, Math.min(this.#windowBits, 12));
    } else {
      window.start = window.end;
    }
    writer.begin(payload.length + 6 * (1 + payload.length / MAX_BLOCK));
    for (let at = 0; at < payload.length; at += MAX_BLOCK) {
      const piece = payload.subarray(at, at + MAX_BLOCK);
      window.append(piece, size);
      const from = window.end - piece.length;
      window.tokenize(from, size, block);
      block.write(writer, piece);
    }
    // The tail of an empty stored block, 00 00 ff ff, is left off (RFC 7692 §7.2.1).
    writer.put(BlockType.STORED << 1, 3);
    writer.align();
    return writer.take();
  }
}
