/**
 * The masking loop in WebAssembly, 64 bytes a step. It works on memory of its own, so bytes are copied
 * in and out, which still takes a quarter of the time of the loop in JavaScript.
 *
 * In the text format:
 *
 *     (module
 *       (memory (export "memory") 1 1)
 *       (func (export "mask") (param $end i32) (param $key i32) (result i32)
 *         (local $at i32) (local $k v128) (local $word v128) (local $seen v128)
 *         (local.set $k (i32x4.splat (local.get $key)))
 *         (loop $step
 *           ;; four times, for offsets 0, 16, 32 and 48:
 *           (v128.store offset=0 (local.get $at)
 *             (local.tee $word (v128.xor (v128.load offset=0 (local.get $at)) (local.get $k))))
 *           (local.set $seen (v128.or (local.get $seen) (local.get $word)))
 *           (br_if $step (i32.lt_u
 *             (local.tee $at (i32.add (local.get $at) (i32.const 64)))
 *             (local.get $end))))
 *         (i8x16.bitmask (local.get $seen))))
 *
 * @module
 */

const I32 = 0x7f;
const V128 = 0x7b;
const END = 0x0b;
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const LOCAL_TEE = 0x22;
const I32_CONST = 0x41;
const I32_LT_U = 0x49;
const I32_ADD = 0x6a;
const LOOP = 0x03;
const BR_IF = 0x0d;
const VOID = 0x40;
const SIMD = 0xfd;
const V128_LOAD = [SIMD, 0x00];
const V128_STORE = [SIMD, 0x0b];
const I32X4_SPLAT = [SIMD, 0x11];
const V128_OR = [SIMD, 0x50];
const V128_XOR = [SIMD, 0x51];
const I8X16_BITMASK = [SIMD, 0x64];
/** Alignment, as a power of two, that loads and stores promise. */
const ALIGNED = 4;

// The locals of the function: its two parameters first.
const [end, key, at, k, word, seen] = [0, 1, 2, 3, 4, 5];

function maskAt(offset: number): number[] {
  return [
    ...[LOCAL_GET, at],
    ...[LOCAL_GET, at, ...V128_LOAD, ALIGNED, offset],
    ...[LOCAL_GET, k, ...V128_XOR, LOCAL_TEE, word],
    ...[...V128_STORE, ALIGNED, offset],
    ...[LOCAL_GET, seen, LOCAL_GET, word, ...V128_OR, LOCAL_SET, seen],
  ];
}

const BODY = [
  ...[2, 1, I32, 3, V128],
  // 1024 as a signed LEB128 number.
  ...[I32_CONST, 0x80, 0x08, LOCAL_SET, at],
  ...[LOCAL_GET, key, ...I32X4_SPLAT, LOCAL_SET, k],
  ...[LOOP, VOID],
  ...[0, 16, 32, 48].flatMap(maskAt),
  // 64 as a signed LEB128 number takes two bytes.
  ...[LOCAL_GET, at, I32_CONST, 0xc0, 0x00, I32_ADD, LOCAL_TEE, at],
  ...[LOCAL_GET, end, I32_LT_U, BR_IF, 0],
  END,
  ...[LOCAL_GET, seen, ...I8X16_BITMASK],
  END,
];

function section(id: number, ...content: number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

/** An unsigned LEB128 number. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function name(text: string): number[] {
  return [text.length, ...new TextEncoder().encode(text)];
}

const MODULE = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, 1, 0x60, 2, I32, I32, 1, I32), // types: one, (i32, i32) -> i32
  ...section(3, 1, 0), // functions: one, of type 0
  ...section(5, 1, 1, 2, 2), // memories: one, of exactly two pages
  ...section(7, 2, ...name("memory"), 2, 0, ...name("mask"), 0, 0), // exports
  ...section(10, 1, ...unsigned(BODY.length), ...BODY), // code
);

/** How many bytes one call can take. */
export const BLOCK = 65_536;
/** Where they lie: a quarter of a page on, for the reason that `half_page.ts` tells. */
const BLOCK_START = 1024;
/** Bytes that one step takes. */
const STEP = 64;

interface Exports {
  readonly memory: WebAssembly.Memory;
  mask(end: number, key: number): number;
}

const { memory, mask } = new WebAssembly.Instance(new WebAssembly.Module(MODULE))
  .exports as unknown as Exports;
/** What is masked lies here; the next masking uses it again. */
export const block: Uint8Array = new Uint8Array(memory.buffer, BLOCK_START, BLOCK);

/**
 * XORs whole steps of 64 bytes with a masking key.
 *
 * @param source The bytes.
 * @param start The first byte; what is left after the last whole step is not looked at.
 * @param end The byte after the last.
 * @param key The masking key as it applies at `start`, its first byte in the lowest 8 bits.
 * @param target Where the result goes; may be `source`.
 * @param offset Its first byte there.
 * @returns 0x80 when a byte of the result is not ASCII, else 0.
 */
export function applyMaskInSteps(
  source: Uint8Array,
  start: number,
  end: number,
  key: number,
  target: Uint8Array,
  offset: number,
): number {
  let seen = 0;
  for (let at = start; end - at >= STEP; at += BLOCK) {
    const size = Math.min(end - at, BLOCK) & -STEP;
    block.set(source.subarray(at, at + size));
    seen |= mask(BLOCK_START + size, key);
    target.set(size === BLOCK ? block : block.subarray(0, size), offset + at - start);
  }
  return seen === 0 ? 0 : 0x80;
}

/**
 * Copies bytes to {@linkcode block}, and XORs whole steps of 64 bytes with a masking key there.
 *
 * @param source The bytes, at most {@linkcode BLOCK}, a step at least.
 * @param key The masking key, its first byte in the lowest 8 bits.
 * @returns 0x80 when a byte of the whole steps is not ASCII, else 0.
 */
export function maskInBlock(source: Uint8Array, key: number): number {
  block.set(source);
  return mask(BLOCK_START + (source.length & -STEP), key) === 0 ? 0 : 0x80;
}
