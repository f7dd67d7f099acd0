/** The number of symbols for literal bytes, the end of a block and lengths (RFC 1951 §3.2.5). */
export const LITERAL_SYMBOLS = 286;
/** The number of symbols for distances. */
export const DISTANCE_SYMBOLS = 30;
/** The symbol that ends a block. */
export const END_OF_BLOCK = 256;
/** The symbol of the shortest lengths. */
export const FIRST_LENGTH = 257;
/** The longest length. */
export const MAX_LENGTH = 258;
/** No code is longer than this many bits (RFC 1951 §3.2.7). */
export const MAX_CODE_BITS = 15;

/** The type of a block: the two bits after BFINAL (RFC 1951 §3.2.3). */
export const BlockType = { STORED: 0, FIXED: 1, DYNAMIC: 2 } as const;

/** How many bits follow each symbol of a length, the first at 0. */
export const LENGTH_EXTRA: Uint8Array = Uint8Array.from(
  { length: LITERAL_SYMBOLS - FIRST_LENGTH },
  (_, i) => i < 8 || i === 28 ? 0 : (i >> 2) - 1,
);
/** The shortest length that each of these symbols stands for. */
export const LENGTH_BASE: Uint16Array = bases(LENGTH_EXTRA, 3);
// The longest has a symbol of its own, though the one before could stand for it too.
LENGTH_BASE[28] = MAX_LENGTH;

/** How many bits follow each symbol of a distance. */
export const DISTANCE_EXTRA: Uint8Array = Uint8Array.from(
  { length: DISTANCE_SYMBOLS },
  (_, i) => i < 4 ? 0 : (i >> 1) - 1,
);
/** The shortest distance that each symbol stands for. */
export const DISTANCE_BASE: Uint16Array = bases(DISTANCE_EXTRA, 1);

function bases(extraBits: Uint8Array, first: number): Uint16Array {
  let base = first;
  return Uint16Array.from(extraBits, (extra) => (base += 1 << extra) - (1 << extra));
}

/** The lengths of the fixed codes of literals, end and lengths; two of them are never used (§3.2.6). */
export const FIXED_LITERAL_BITS: Uint8Array = Uint8Array.from(
  { length: LITERAL_SYMBOLS + 2 },
  (_, i) => i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8,
);
/** The lengths of the fixed codes of distances; two of them are never used. */
export const FIXED_DISTANCE_BITS: Uint8Array = new Uint8Array(DISTANCE_SYMBOLS + 2).fill(5);

/** The symbols that give the lengths of codes: 0 to 15, and three for runs of one (§3.2.7). */
export const RunSymbol = { REPEAT: 16, ZEROS: 17, MANY_ZEROS: 18 } as const;
/** How many bits follow each of these symbols. */
export const RUN_EXTRA: Uint8Array = new Uint8Array(19);
RUN_EXTRA.set([2, 3, 7], RunSymbol.REPEAT);
/** The shortest run that each of the three stands for. */
export const RUN_BASE: Uint8Array = Uint8Array.of(3, 3, 11);
/** The order in which a dynamic block gives the lengths of their own codes. */
// deno-fmt-ignore
export const RUN_SYMBOL_ORDER: Uint8Array = Uint8Array.of(
  16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
);
