import { BitReader } from "./bit_reader.ts";
import { CloseCode } from "../frames/close.ts";
import {
  CODE_BITS,
  CodeLengthList,
  DecodingTable,
  END,
  EXTRA_SHIFT,
  INVALID,
  LITERAL,
  VALUE_SHIFT,
} from "./decoding_table.ts";
import {
  BlockType,
  DISTANCE_BASE,
  DISTANCE_EXTRA,
  DISTANCE_SYMBOLS,
  END_OF_BLOCK,
  FIRST_LENGTH,
  FIXED_DISTANCE_BITS,
  FIXED_LITERAL_BITS,
  LENGTH_BASE,
  LENGTH_EXTRA,
  LITERAL_SYMBOLS,
  RUN_BASE,
  RUN_EXTRA,
  RUN_SYMBOL_ORDER,
  RunSymbol,
} from "./deflate_alphabet.ts";
import { ProtocolError } from "../frames/protocol_error.ts";

/** The most bytes that {@linkcode inflateRaw} takes. */
export const MAX_INPUT = 16_384;
/** The most bytes that it produces. */
export const MAX_OUTPUT = 65_536;
/** How often a message may end its DEFLATE stream and begin another; more is an attack. */
export const MAX_FINAL_BLOCKS = 8;
/** What follows the last byte of a message on its way through DEFLATE (RFC 7692 §7.2.2). */
export const TAIL: Uint8Array = Uint8Array.of(0x00, 0x00, 0xff, 0xff);

/** Whole words are copied, so up to three bytes are written beyond the end. */
const SLACK = 4;

/** How far a block came. */
const Progress = { BLOCK_ENDED: 0, INPUT_ENDED: 1, OUTPUT_FULL: 2 } as const;
type Progress = typeof Progress[keyof typeof Progress];

const literalMeanings = Int32Array.from(FIXED_LITERAL_BITS, (_, symbol) => {
  if (symbol < END_OF_BLOCK) return symbol << VALUE_SHIFT | LITERAL;
  if (symbol === END_OF_BLOCK) return END;
  if (symbol >= LITERAL_SYMBOLS) return INVALID;
  const i = symbol - FIRST_LENGTH;
  return LENGTH_BASE[i] << VALUE_SHIFT | LENGTH_EXTRA[i] << EXTRA_SHIFT;
});
const distanceMeanings = Int32Array.from(
  FIXED_DISTANCE_BITS,
  (_, i) =>
    i < DISTANCE_SYMBOLS
      ? DISTANCE_BASE[i] << VALUE_SHIFT | DISTANCE_EXTRA[i] << EXTRA_SHIFT
      : INVALID,
);
const runMeanings = Int32Array.from(
  RUN_EXTRA,
  (extra, symbol) => symbol << VALUE_SHIFT | extra << EXTRA_SHIFT,
);

/** The length up to which a code is found in one step: at most 24 less the longest. */
const LITERAL_BITS = 9;
const DISTANCE_BITS = 7;
const fixedLiterals = DecodingTable.of(FIXED_LITERAL_BITS, literalMeanings, LITERAL_BITS);
const fixedDistances = DecodingTable.of(FIXED_DISTANCE_BITS, distanceMeanings, DISTANCE_BITS);

const literalList = new CodeLengthList(LITERAL_SYMBOLS);
const distanceList = new CodeLengthList(DISTANCE_SYMBOLS);
const runList = new CodeLengthList(RUN_EXTRA.length);
const runBits = new Uint8Array(RUN_EXTRA.length);
const literals = new DecodingTable(literalMeanings, LITERAL_BITS);
const distances = new DecodingTable(distanceMeanings, DISTANCE_BITS);
const runs = new DecodingTable(runMeanings, 7);

const reader = new BitReader(MAX_INPUT + TAIL.length);
const output = new Uint8Array(MAX_OUTPUT + SLACK);
const outputView = new DataView(output.buffer);
let produced = 0;

/**
 * Decompresses a small message as RFC 7692 §7.2.2 says, in less time than setting up zlib takes. A
 * message that ends within a block gives the bytes up to there, as with a flush of zlib.
 *
 * @param payload The message, at most {@linkcode MAX_INPUT} bytes.
 * @param history What it may refer to.
 * @param maxSize The most bytes that may come of it.
 * @returns The bytes, or undefined when there are over {@linkcode MAX_OUTPUT}, and not over `maxSize`.
 * @throws {ProtocolError} When it is no DEFLATE stream (1007) or too big (1009).
 */
export function inflateRaw(
  payload: Uint8Array,
  history: Uint8Array,
  maxSize: number,
): Uint8Array | undefined {
  const limit = Math.min(maxSize, MAX_OUTPUT);
  reader.begin(payload, TAIL);
  produced = 0;
  for (let finalBlocks = 0;;) {
    const header = reader.take(3);
    if (header < 0) break;
    const progress = readBlock(header >> 1, history, limit);
    if (progress === Progress.OUTPUT_FULL) {
      if (limit === maxSize) throw tooBig(maxSize);
      return undefined;
    }
    if (progress === Progress.INPUT_ENDED) break;
    // RFC 7692 §7.2.3.5: a block with BFINAL set ends the stream, but not the message.
    if ((header & 1) !== 0) {
      if (reader.align() >= payload.length) break;
      if (++finalBlocks > MAX_FINAL_BLOCKS) throw tooManyFinalBlocks();
    }
  }
  return output.slice(0, produced);
}

function readBlock(type: number, history: Uint8Array, limit: number): Progress {
  if (type === BlockType.STORED) return readStored(limit);
  if (type === BlockType.FIXED) return readSymbols(fixedLiterals, fixedDistances, history, limit);
  if (type !== BlockType.DYNAMIC) throw corrupt("it has a block of no known type");
  return readCodes() ? readSymbols(literals, distances, history, limit) : Progress.INPUT_ENDED;
}

function readStored(limit: number): Progress {
  const start = reader.align() + 4;
  if (start > reader.end) return Progress.INPUT_ENDED;
  const length = reader.view.getUint16(start - 4, true);
  if ((length ^ reader.view.getUint16(start - 2, true)) !== 0xffff) {
    throw corrupt("it has a stored block whose lengths differ");
  }
  reader.position = start;
  if (length === 0) return Progress.BLOCK_ENDED;
  const stored = reader.bytes.subarray(start, Math.min(start + length, reader.end));
  if (produced + stored.length > limit) return Progress.OUTPUT_FULL;
  output.set(stored, produced);
  produced += stored.length;
  reader.position += stored.length;
  return stored.length === length ? Progress.BLOCK_ENDED : Progress.INPUT_ENDED;
}

/** Reads the codes of a dynamic block (RFC 1951 §3.2.7); false when the input ends within them. */
function readCodes(): boolean {
  const sizes = reader.take(14);
  if (sizes < 0) return false;
  const literalCount = (sizes & 31) + FIRST_LENGTH;
  const count = literalCount + (sizes >> 5 & 31) + 1;
  if (literalCount > LITERAL_SYMBOLS || count - literalCount > DISTANCE_SYMBOLS) {
    throw corrupt("it has a code for symbols that there are not");
  }
  if (!readRunCode((sizes >> 10) + 4)) return false;

  literalList.count = distanceList.count = 0;
  let hasEnd = false;
  let length = 0;
  for (let symbol = 0; symbol < count;) {
    const entry = reader.decode(runs);
    const rest = reader.take(entry >> EXTRA_SHIFT & 0xf);
    if (rest < 0) return false;
    const run = entry >> VALUE_SHIFT;
    if (run === RunSymbol.REPEAT && symbol === 0) throw corrupt("it repeats a length before any");
    if (run !== RunSymbol.REPEAT) length = run < RunSymbol.REPEAT ? run : 0;
    const end = symbol + (run < RunSymbol.REPEAT ? 1 : RUN_BASE[run - RunSymbol.REPEAT] + rest);
    if (end > count) throw corrupt("it has more lengths of codes than it says");
    if (length === 0) symbol = end;
    for (; symbol < end; symbol++) {
      if (symbol < literalCount) literalList.add(symbol, length);
      else distanceList.add(symbol - literalCount, length);
      if (symbol === END_OF_BLOCK) hasEnd = true;
    }
  }
  if (!hasEnd) throw corrupt("it has a block that cannot end");
  if (!literals.build(literalList, true) || !distances.build(distanceList, true)) {
    throw corrupt("it has a code that is too large or too small");
  }
  return true;
}

/** Reads the code for the lengths of the codes; false when the input ends within it. */
function readRunCode(given: number): boolean {
  runBits.fill(0);
  for (let i = 0; i < given; i++) {
    const length = reader.take(3);
    if (length < 0) return false;
    runBits[RUN_SYMBOL_ORDER[i]] = length;
  }
  runList.count = 0;
  for (let symbol = 0; symbol < runBits.length; symbol++) {
    if (runBits[symbol] > 0) runList.add(symbol, runBits[symbol]);
  }
  if (!runs.build(runList, false)) {
    throw corrupt("it has a code for lengths that is too large or too small");
  }
  return true;
}

/** The hot path: `BitReader.decode` and `take` for every symbol, with the state of the reader in variables. */
function readSymbols(
  literals: DecodingTable,
  distances: DecodingTable,
  history: Uint8Array,
  limit: number,
): Progress {
  const { view, end } = reader;
  const literalEntries = literals.entries;
  const distanceEntries = distances.entries;
  const literalMask = literalEntries.length - 1;
  const distanceMask = distanceEntries.length - 1;
  let { position, bits, count } = reader;
  let made = produced;
  let progress: Progress = Progress.INPUT_ENDED;
  for (;;) {
    bits |= view.getInt32(position, true) << count;
    position += 31 - count >> 3;
    count |= 24;
    let entry = literalEntries[bits & literalMask];
    if (entry === 0) entry = literals.find(bits);
    bits >>>= entry & CODE_BITS;
    count -= entry & CODE_BITS;
    if (position > end && position - (count >> 3) > end) break;
    if ((entry & LITERAL) !== 0) {
      if (made === limit) {
        progress = Progress.OUTPUT_FULL;
        break;
      }
      output[made++] = entry >> VALUE_SHIFT;
      // After the longest code, 24 bits hold a short one too, which is often a literal again.
      entry = literalEntries[bits & literalMask];
      if ((entry & LITERAL) === 0 || made === limit || position >= end) continue;
      bits >>>= entry & CODE_BITS;
      count -= entry & CODE_BITS;
      output[made++] = entry >> VALUE_SHIFT;
      continue;
    }
    if ((entry & END) !== 0) {
      progress = Progress.BLOCK_ENDED;
      break;
    }
    if ((entry & INVALID) !== 0) throw corrupt("it has a code for no length");

    let extra = entry >> EXTRA_SHIFT & 0xf;
    const length = (entry >> VALUE_SHIFT) + (bits & (1 << extra) - 1);
    bits >>>= extra;
    count -= extra;

    bits |= view.getInt32(position, true) << count;
    position += 31 - count >> 3;
    count |= 24;
    entry = distanceEntries[bits & distanceMask];
    if (entry === 0) entry = distances.find(bits);
    bits >>>= entry & CODE_BITS;
    count -= entry & CODE_BITS;
    bits |= view.getInt32(position, true) << count;
    position += 31 - count >> 3;
    count |= 24;
    extra = entry >> EXTRA_SHIFT & 0xf;
    const distance = (entry >> VALUE_SHIFT) + (bits & (1 << extra) - 1);
    bits >>>= extra;
    count -= extra;
    if (position > end && position - (count >> 3) > end) break;
    if ((entry & INVALID) !== 0) throw corrupt("it has a code for no distance");
    if (distance > made + history.length) throw corrupt("it refers to before the beginning");
    if (made + length > limit) {
      progress = Progress.OUTPUT_FULL;
      break;
    }

    made = copy(made, distance, length, history);
  }
  reader.position = position;
  reader.bits = bits;
  reader.count = count;
  produced = made;
  return progress;
}

/** Repeats the bytes `distance` bytes back, and gives the end of the copy. */
function copy(to: number, distance: number, length: number, history: Uint8Array): number {
  const end = to + length;
  let from = to - distance;
  if (distance >= 4 && from >= 0) {
    for (; to < end; to += 4, from += 4) {
      outputView.setInt32(to, outputView.getInt32(from, true), true);
    }
    return end;
  }
  for (; from < 0 && to < end; from++) output[to++] = history[history.length + from];
  for (; to < end; from++) output[to++] = output[from];
  return end;
}

/** The error for a message that is too large. */
export function tooBig(maxSize: number): ProtocolError {
  return new ProtocolError(
    CloseCode.MESSAGE_TOO_BIG,
    `Cannot take a message that inflates to over ${maxSize} bytes`,
    "maxRecvSize",
  );
}

/** The error for a message with too many final blocks. */
export function tooManyFinalBlocks(): ProtocolError {
  return corrupt(`it has over ${MAX_FINAL_BLOCKS} final blocks`);
}

/** The error for a message that is no DEFLATE stream. */
export function corrupt(why: string): ProtocolError {
  return new ProtocolError(
    CloseCode.INVALID_PAYLOAD,
    `Cannot inflate a message: ${why}`,
    "RFC 7692 §7.2.2",
  );
}
