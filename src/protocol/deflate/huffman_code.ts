import { MAX_CODE_BITS } from "./deflate_alphabet.ts";

/** The largest alphabet of DEFLATE: that of the fixed code for literals and lengths. */
const MAX_SYMBOLS = 288;
/** Symbols that occur this often are sorted by comparison, the others by counting. */
const OFTEN = 64;

// Working memory for making a code; codes do not keep it.
const codesOfLength = new Uint16Array(MAX_CODE_BITS + 1);
const nextCode = new Uint16Array(MAX_CODE_BITS + 1);
const places = new Uint16Array(OFTEN + 1);
const sorted = new Uint16Array(MAX_SYMBOLS);
// A tree: first its leaves, the rarest first, then its inner nodes in the order they are made.
const weights = new Uint32Array(2 * MAX_SYMBOLS);
const parents = new Uint16Array(2 * MAX_SYMBOLS);
const depths = new Uint16Array(2 * MAX_SYMBOLS);

/** A prefix code to write with (RFC 1951 §3.2.2); the lengths of its codes determine it. */
export class HuffmanCode {
  /** The symbols that have a code, in ascending order; only the first {@linkcode used} count. */
  readonly symbols: Uint16Array;
  /** How many symbols have a code. */
  used = 0;
  /** The length of each symbol's code; 0 where it has none. */
  readonly lengths: Uint8Array;
  /** The code of each symbol: its bits in the order of the stream, and from bit 16 on its length. */
  readonly codes: Uint32Array;
  readonly #maxBits: number;

  /**
   * Makes a code without symbols.
   *
   * @param size How many symbols the alphabet has.
   * @param maxBits How long a code may be.
   */
  constructor(size: number, maxBits: number) {
    this.symbols = new Uint16Array(size);
    this.lengths = new Uint8Array(size);
    this.codes = new Uint32Array(size);
    this.#maxBits = maxBits;
  }

  /**
   * Makes a code of given lengths.
   *
   * @param lengths The length of every symbol's code, none of them 0.
   * @returns The code.
   */
  static of(lengths: Uint8Array): HuffmanCode {
    const code = new HuffmanCode(lengths.length, MAX_CODE_BITS);
    code.used = lengths.length;
    codesOfLength.fill(0);
    lengths.forEach((length, symbol) => {
      code.symbols[symbol] = symbol;
      code.lengths[symbol] = length;
      codesOfLength[length]++;
    });
    code.#assign();
    return code;
  }

  /**
   * Becomes the code that writes these symbols in the fewest bits. It has at least two symbols, since
   * not every decoder accepts an incomplete code.
   *
   * @param frequencies How often each symbol occurs.
   */
  fit(frequencies: Uint16Array): void {
    this.lengths.fill(0);
    this.#list(frequencies);
    sort(this.symbols, this.used, frequencies);
    growTree(this.used);
    measure(this.used, this.#maxBits);
    for (let length = this.#maxBits, i = 0; length > 0; length--) {
      for (const end = i + codesOfLength[length]; i < end; i++) this.lengths[sorted[i]] = length;
    }
    this.#assign();
  }

  #list(frequencies: Uint16Array): void {
    const { symbols } = this;
    let used = 0;
    for (let symbol = 0; symbol < symbols.length; symbol++) {
      if (frequencies[symbol] > 0) symbols[used++] = symbol;
    }
    if (used < 2) {
      symbols[1] = used === 0 ? 1 : Math.max(1, symbols[0]);
      symbols[0] = 0;
      used = 2;
    }
    this.used = used;
  }

  /** Gives each symbol its code: shorter codes first, and within a length in ascending order. */
  #assign(): void {
    const { symbols, lengths, codes, used } = this;
    codesOfLength[0] = 0;
    for (let length = 1, code = 0; length <= MAX_CODE_BITS; length++) {
      code = (code + codesOfLength[length - 1]) << 1;
      nextCode[length] = code;
    }
    for (let i = 0; i < used; i++) {
      const symbol = symbols[i];
      const length = lengths[symbol];
      codes[symbol] = length << 16 | reverse(nextCode[length]++, length);
    }
  }
}

const REVERSED = Uint8Array.from({ length: 256 }, (_, byte) => {
  let reversed = 0;
  for (let bit = 0; bit < 8; bit++) reversed |= (byte >> bit & 1) << 7 - bit;
  return reversed;
});

/** A code's highest bit comes first, in the lowest bit of a byte (RFC 1951 §3.1.1). */
function reverse(code: number, length: number): number {
  return (REVERSED[code & 0xff] << 8 | REVERSED[code >> 8]) >> 16 - length;
}

/** Puts the symbols into `sorted` and their frequencies into `weights`, the rarest first. */
function sort(symbols: Uint16Array, used: number, frequencies: Uint16Array): void {
  places.fill(0);
  for (let i = 0; i < used; i++) places[Math.min(frequencies[symbols[i]], OFTEN)]++;
  for (let i = 0, before = 0; i <= OFTEN; i++) {
    before += places[i];
    places[i] = before - places[i];
  }
  const firstOften = places[OFTEN];
  for (let i = 0; i < used; i++) {
    const symbol = symbols[i];
    const frequency = frequencies[symbol];
    let at = places[Math.min(frequency, OFTEN)]++;
    for (; at > firstOften && weights[at - 1] > frequency; at--) {
      weights[at] = weights[at - 1];
      sorted[at] = sorted[at - 1];
    }
    weights[at] = frequency;
    sorted[at] = symbol;
  }
}

/** Huffman's algorithm: the two lightest nodes get a parent, until one node is left. */
function growTree(leaves: number): void {
  for (let parent = leaves, leaf = 0, inner = leaves; parent < 2 * leaves - 1; parent++) {
    let weight = 0;
    for (let child = 0; child < 2; child++) {
      const leafIsLighter = leaf < leaves && (inner >= parent || weights[leaf] <= weights[inner]);
      const lightest = leafIsLighter ? leaf++ : inner++;
      weight += weights[lightest];
      parents[lightest] = parent;
    }
    weights[parent] = weight;
  }
}

/** Counts the leaves of each depth into `codesOfLength`; leaves that are too deep move up to the limit. */
function measure(leaves: number, maxBits: number): void {
  codesOfLength.fill(0);
  const root = 2 * leaves - 2;
  depths[root] = 0;
  // How many codes of the greatest length are too many once the longer ones are cut.
  let tooMany = -(1 << maxBits);
  for (let node = root - 1; node >= 0; node--) {
    const depth = depths[parents[node]] + 1;
    depths[node] = depth;
    if (node >= leaves) continue;
    const length = Math.min(depth, maxBits);
    codesOfLength[length]++;
    tooMany += 1 << maxBits - length;
  }
  for (; tooMany > 0; tooMany--) {
    // A shorter code becomes longer, and one of the longest moves beside it.
    let length = maxBits - 1;
    while (codesOfLength[length] === 0) length--;
    codesOfLength[length]--;
    codesOfLength[length + 1] += 2;
    codesOfLength[maxBits]--;
  }
}
