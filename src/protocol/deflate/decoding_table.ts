import { MAX_CODE_BITS } from "./deflate_alphabet.ts";

// A table describes each code by one number, an entry. Its lowest four bits are the length of the code,
// the next four the number of extra bits after the code. Then comes one of the flags below, or none, and
// from bit 16 on a number, to which the extra bits are added.

/** The bits of an entry that are the length of the code. */
export const CODE_BITS = 0xf;
/** The position in an entry of the number of extra bits. */
export const EXTRA_SHIFT = 4;
/** In an entry: a byte. */
export const LITERAL = 0x100;
/** In an entry: the end of the block. */
export const END = 0x200;
/** In an entry: no code. */
export const INVALID = 0x400;
/** The position in an entry of the number. */
export const VALUE_SHIFT = 16;

/** The symbols of an alphabet that have a code, in ascending order, with the lengths of their codes. */
export class CodeLengthList {
  readonly symbols: Uint16Array;
  readonly lengths: Uint8Array;
  count = 0;

  constructor(size: number) {
    this.symbols = new Uint16Array(size);
    this.lengths = new Uint8Array(size);
  }

  add(symbol: number, length: number): void {
    this.symbols[this.count] = symbol;
    this.lengths[this.count++] = length;
  }
}

const places = new Uint16Array(MAX_CODE_BITS + 1);

/** A prefix code to read with (RFC 1951 §3.2.2). */
export class DecodingTable {
  /** The entry for each value of the next bits; 0 where they begin with a long code or with none. */
  readonly entries: Int32Array;
  readonly #meanings: Int32Array;
  readonly #shortBits: number;
  readonly #codesOfLength = new Uint16Array(MAX_CODE_BITS + 1);
  /** The symbols in the order of their codes. */
  readonly #sorted: Uint16Array;

  /**
   * Makes a table without codes.
   *
   * @param meanings What each symbol says: an entry, but for the length of the code.
   * @param shortBits How long a code is found at once.
   */
  constructor(meanings: Int32Array, shortBits: number) {
    this.entries = new Int32Array(1 << shortBits);
    this.#meanings = meanings;
    this.#shortBits = shortBits;
    this.#sorted = new Uint16Array(meanings.length);
  }

  /** Makes a table for codes in which every symbol has one. */
  static of(lengths: Uint8Array, meanings: Int32Array, shortBits: number): DecodingTable {
    const list = new CodeLengthList(lengths.length);
    lengths.forEach((length, symbol) => list.add(symbol, length));
    const table = new DecodingTable(meanings, shortBits);
    table.build(list, false);
    return table;
  }

  /**
   * Becomes the table for other codes.
   *
   * @param list The symbols that have one.
   * @param halfAllowed Whether a code may be of one symbol with one bit, the other bit having no
   * meaning. As in zlib, one without symbols always may be, and no other that leaves bits over.
   * @returns false when there can be no such code.
   */
  build(list: CodeLengthList, halfAllowed: boolean): boolean {
    const { entries } = this;
    const codesOfLength = this.#codesOfLength.fill(0);
    for (let i = 0; i < list.count; i++) codesOfLength[list.lengths[i]]++;
    let free = 1;
    for (let length = 1, before = 0; length <= MAX_CODE_BITS; length++) {
      places[length] = before;
      before += codesOfLength[length];
      free = 2 * free - codesOfLength[length];
      if (free < 0) return false;
    }
    const half = list.count === 1 && codesOfLength[1] === 1;
    if (free > 0 && list.count > 0 && !(half && halfAllowed)) return false;

    const sorted = this.#sorted;
    for (let i = 0; i < list.count; i++) sorted[places[list.lengths[i]]++] = list.symbols[i];
    entries.fill(0);
    for (let length = 1, code = 0, i = 0; length <= this.#shortBits; length++) {
      const step = 1 << length;
      for (const end = i + codesOfLength[length]; i < end; i++) {
        const entry = this.#meanings[sorted[i]] | length;
        for (let bits = code; bits < entries.length; bits += step) entries[bits] = entry;
        // Counts up in the order of the stream, in which the highest bit is the one that goes up.
        let bit = step >> 1;
        while ((code & bit) !== 0) bit >>= 1;
        code = (code & bit - 1) | bit;
      }
    }
    return true;
  }

  /**
   * Finds a code that `entries` does not have.
   *
   * @param bits The bits that come next.
   * @returns Its entry, which is invalid when there is no such code.
   */
  find(bits: number): number {
    for (let length = 1, code = 0, first = 0, before = 0; length <= MAX_CODE_BITS; length++) {
      const count = this.#codesOfLength[length];
      code = code << 1 | bits & 1;
      bits >>>= 1;
      first <<= 1;
      if (code - first < count) return this.#meanings[this.#sorted[before + code - first]] | length;
      before += count;
      first += count;
    }
    return INVALID | 1;
  }
}
