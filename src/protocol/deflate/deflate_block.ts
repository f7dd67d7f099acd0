import type { BitWriter } from "./bit_writer.ts";
import {
  BlockType,
  DISTANCE_EXTRA,
  DISTANCE_SYMBOLS,
  END_OF_BLOCK,
  FIRST_LENGTH,
  FIXED_DISTANCE_BITS,
  FIXED_LITERAL_BITS,
  LENGTH_BASE,
  LENGTH_EXTRA,
  LITERAL_SYMBOLS,
  MAX_CODE_BITS,
  MAX_LENGTH,
  RUN_EXTRA,
  RUN_SYMBOL_ORDER,
  RunSymbol,
} from "./deflate_alphabet.ts";
import { HuffmanCode } from "./huffman_code.ts";

/** The most bytes that one block stands for. */
export const MAX_BLOCK = 16_384;

/** Tokens from here on are matches: the length in the lower 16 bits, over this; the distance, less 1, above. */
const MATCH = 0x100;
const HEADER_BITS = 3;
/** The size of a stored block's header, with the most padding, and of its length, which comes twice. */
const STORED_BITS = HEADER_BITS + 7 + 32;
/** A dynamic block's header and the sizes of its three alphabets. */
const DYNAMIC_BITS = HEADER_BITS + 5 + 5 + 4;

const LENGTH_SYMBOL = new Uint16Array(MAX_LENGTH + 1);
LENGTH_BASE.forEach((base, i) => LENGTH_SYMBOL.fill(FIRST_LENGTH + i, base));

const fixedLiterals = HuffmanCode.of(FIXED_LITERAL_BITS);
const fixedDistances = HuffmanCode.of(FIXED_DISTANCE_BITS);

/** One block of a DEFLATE stream, collected first and then written in the shortest of its three forms. */
export class Block {
  readonly #tokens = new Uint32Array(MAX_BLOCK);
  #count = 0;
  readonly #literalFrequencies = new Uint16Array(LITERAL_SYMBOLS);
  readonly #distanceFrequencies = new Uint16Array(DISTANCE_SYMBOLS);
  readonly #literals = new HuffmanCode(LITERAL_SYMBOLS, MAX_CODE_BITS);
  readonly #distances = new HuffmanCode(DISTANCE_SYMBOLS, MAX_CODE_BITS);
  readonly #lengths = new CodeLengths();

  /** Adds a byte. */
  literal(byte: number): void {
    this.#tokens[this.#count++] = byte;
    this.#literalFrequencies[byte]++;
  }

  /**
   * Adds a repetition.
   *
   * @param length How many bytes it has, 3 to 258.
   * @param distance How far back they stand, 1 to 32,768.
   */
  match(length: number, distance: number): void {
    this.#tokens[this.#count++] = distance - 1 << 16 | MATCH + length;
    this.#literalFrequencies[LENGTH_SYMBOL[length]]++;
    this.#distanceFrequencies[distanceSymbol(distance - 1)]++;
  }

  /**
   * Writes the block, and starts another.
   *
   * @param writer Where it goes.
   * @param source The bytes that it stands for.
   */
  write(writer: BitWriter, source: Uint8Array): void {
    this.#literalFrequencies[END_OF_BLOCK] = 1;
    this.#literals.fit(this.#literalFrequencies);
    this.#distances.fit(this.#distanceFrequencies);
    this.#lengths.fit(this.#literals, this.#distances);
    const stored = STORED_BITS + 8 * source.length;
    const fixed = HEADER_BITS + this.#size(fixedLiterals, fixedDistances);
    const dynamic = DYNAMIC_BITS + this.#lengths.size + this.#size(this.#literals, this.#distances);
    if (stored <= Math.min(fixed, dynamic)) {
      writeStored(writer, source);
    } else if (fixed <= dynamic) {
      writer.put(BlockType.FIXED << 1, HEADER_BITS);
      this.#writeTokens(writer, fixedLiterals.codes, fixedDistances.codes);
    } else {
      writer.put(BlockType.DYNAMIC << 1, HEADER_BITS);
      this.#lengths.write(writer);
      this.#writeTokens(writer, this.#literals.codes, this.#distances.codes);
    }
    this.#count = 0;
    this.#literalFrequencies.fill(0);
    this.#distanceFrequencies.fill(0);
  }

  /** How many bits the tokens take with these codes. */
  #size(literals: HuffmanCode, distances: HuffmanCode): number {
    let size = 0;
    // The symbols of the fitted codes are those that occur.
    const { symbols, used } = this.#literals;
    for (let i = 0; i < used; i++) {
      const symbol = symbols[i];
      const extra = symbol < FIRST_LENGTH ? 0 : LENGTH_EXTRA[symbol - FIRST_LENGTH];
      size += this.#literalFrequencies[symbol] * (literals.lengths[symbol] + extra);
    }
    for (let symbol = 0; symbol < DISTANCE_SYMBOLS; symbol++) {
      size += this.#distanceFrequencies[symbol] *
        (distances.lengths[symbol] + DISTANCE_EXTRA[symbol]);
    }
    return size;
  }

  /** The hot path: `BitWriter.put` for every token, with the state of the writer in variables. */
  #writeTokens(writer: BitWriter, literals: Uint32Array, distances: Uint32Array): void {
    const tokens = this.#tokens;
    const tokenCount = this.#count;
    const { view } = writer;
    let { position, bits, count } = writer;
    for (let i = 0; i < tokenCount; i++) {
      const token = tokens[i];
      if (token < MATCH) {
        const code = literals[token];
        bits |= (code & 0xffff) << count;
        count += code >>> 16;
      } else {
        const length = (token & 0xffff) - MATCH;
        const symbol = LENGTH_SYMBOL[length];
        const lengthCode = literals[symbol];
        bits |= (lengthCode & 0xffff) << count;
        count += lengthCode >>> 16;
        bits |= length - LENGTH_BASE[symbol - FIRST_LENGTH] << count;
        count += LENGTH_EXTRA[symbol - FIRST_LENGTH];
        view.setInt32(position, bits, true);
        position += count >> 3;
        bits >>>= count & 24;
        count &= 7;

        const distance = token >>> 16;
        const distanceCode = distances[distanceSymbol(distance)];
        bits |= (distanceCode & 0xffff) << count;
        count += distanceCode >>> 16;
        view.setInt32(position, bits, true);
        position += count >> 3;
        bits >>>= count & 24;
        count &= 7;

        const extra = distanceExtra(distance);
        bits |= (distance & (1 << extra) - 1) << count;
        count += extra;
      }
      view.setInt32(position, bits, true);
      position += count >> 3;
      bits >>>= count & 24;
      count &= 7;
    }
    writer.position = position;
    writer.bits = bits;
    writer.count = count;
    const end = literals[END_OF_BLOCK];
    writer.put(end & 0xffff, end >>> 16);
  }
}

/** How many extra bits a distance has, given less 1: its two highest bits choose the symbol. */
function distanceExtra(distance: number): number {
  return distance < 4 ? 0 : 30 - Math.clz32(distance);
}

function distanceSymbol(distance: number): number {
  const extra = distanceExtra(distance);
  return 2 * extra + (distance >> extra);
}

function writeStored(writer: BitWriter, source: Uint8Array): void {
  writer.put(BlockType.STORED << 1, HEADER_BITS);
  writer.align();
  writer.put(source.length, 16);
  writer.put(~source.length & 0xffff, 16);
  writer.append(source);
}

/** The lengths of a dynamic block's two codes as the block holds them: as runs, in a code of their own. */
class CodeLengths {
  /** How many bits they take. */
  size = 0;
  readonly #code = new HuffmanCode(RUN_EXTRA.length, 7);
  readonly #frequencies = new Uint16Array(RUN_EXTRA.length);
  /** Symbols, with what follows them from bit 8 on. */
  readonly #runs = new Uint16Array(LITERAL_SYMBOLS + DISTANCE_SYMBOLS);
  #runCount = 0;
  #literals = 0;
  #distances = 0;
  /** How many lengths of the code for the runs the block holds. */
  #given = 0;

  fit(literals: HuffmanCode, distances: HuffmanCode): void {
    this.#frequencies.fill(0);
    this.#runCount = 0;
    this.#literals = literals.symbols[literals.used - 1] + 1;
    this.#distances = distances.symbols[distances.used - 1] + 1;
    this.#list(literals.lengths, this.#literals);
    this.#list(distances.lengths, this.#distances);
    this.#code.fit(this.#frequencies);
    this.#given = RUN_SYMBOL_ORDER.length;
    while (this.#code.lengths[RUN_SYMBOL_ORDER[this.#given - 1]] === 0) this.#given--;
    this.size = 3 * this.#given;
    for (let symbol = 0; symbol < RUN_EXTRA.length; symbol++) {
      this.size += this.#frequencies[symbol] * (this.#code.lengths[symbol] + RUN_EXTRA[symbol]);
    }
  }

  write(writer: BitWriter): void {
    writer.put(this.#literals - FIRST_LENGTH, 5);
    writer.put(this.#distances - 1, 5);
    writer.put(this.#given - 4, 4);
    for (let i = 0; i < this.#given; i++) {
      writer.put(this.#code.lengths[RUN_SYMBOL_ORDER[i]], 3);
    }
    for (let i = 0; i < this.#runCount; i++) {
      const run = this.#runs[i];
      const symbol = run & 0xff;
      const code = this.#code.codes[symbol];
      writer.put(code & 0xffff, code >>> 16);
      writer.put(run >> 8, RUN_EXTRA[symbol]);
    }
  }

  /** Makes runs of the lengths of one code. */
  #list(lengths: Uint8Array, count: number): void {
    for (let i = 0; i < count;) {
      const length = lengths[i];
      const start = i++;
      while (i < count && lengths[i] === length) i++;
      if (length === 0) this.#zeros(i - start);
      else this.#same(length, i - start);
    }
  }

  #zeros(times: number): void {
    for (; times > 10; times -= Math.min(times, 138)) {
      this.#add(RunSymbol.MANY_ZEROS, Math.min(times, 138) - 11);
    }
    if (times > 2) this.#add(RunSymbol.ZEROS, times - 3);
    else for (; times > 0; times--) this.#add(0, 0);
  }

  #same(length: number, times: number): void {
    this.#add(length, 0);
    for (times--; times > 2; times -= Math.min(times, 6)) {
      this.#add(RunSymbol.REPEAT, Math.min(times, 6) - 3);
    }
    for (; times > 0; times--) this.#add(length, 0);
  }

  #add(symbol: number, rest: number): void {
    this.#runs[this.#runCount++] = rest << 8 | symbol;
    this.#frequencies[symbol]++;
  }
}
