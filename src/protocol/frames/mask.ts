import { applyMaskInSteps, BLOCK, block, maskInBlock } from "./mask_simd.ts";

export { block as aside } from "./mask_simd.ts";

/** Below this many bytes, setting up the word loop costs more than it saves. */
const WORD_LOOP_THRESHOLD = 24;

/** From this many bytes on, copying to the memory of the SIMD code costs less than it saves. */
const SIMD_THRESHOLD = 2048;

/** Rotates a masking key so that it begins with its byte number `by` (0 to 3). */
function rotateKey(key: number, by: number): number {
  const bits = (by & 3) << 3;
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits));
}

/**
 * XORs a range of bytes with a masking key in place (RFC 6455 §5.3). Masking and unmasking are the
 * same operation. It works a 32-bit word at a time; both runtimes run on little-endian machines
 * only, so the first byte of the key is the lowest byte of a word.
 *
 * @param bytes The bytes, changed in place.
 * @param start The first byte of the range.
 * @param end The byte after the range.
 * @param key The masking key, its first byte in the lowest 8 bits, as `FrameHeader.maskingKey`.
 * @param phase How many bytes of this payload came before `start`: the key goes on from there.
 * @returns The bitwise OR of all bytes of the result in every byte position, so that
 * `(result & 0x80808080) === 0` means that the result is all ASCII.
 *
 * @example The payload of the masked "Hello" of RFC 6455 §5.7
 * ```ts
 * import { applyMask } from "@duet/websocket/protocol";
 *
 * const bytes = Uint8Array.of(0x7f, 0x9f, 0x4d, 0x51, 0x58);
 * applyMask(bytes, 0, 5, 0x3d21fa37, 0);
 * console.assert(new TextDecoder().decode(bytes) === "Hello");
 * ```
 */
export function applyMask(
  bytes: Uint8Array,
  start: number,
  end: number,
  key: number,
  phase: number,
): number {
  let k = rotateKey(key, phase);
  let seen = 0;
  let i = start;
  if (end - start >= SIMD_THRESHOLD) {
    seen = applyMaskInSteps(bytes, start, end, k, bytes, start);
    // Whole steps leave the key as it is.
    i = end - ((end - start) & 63);
  }
  if (end - i >= WORD_LOOP_THRESHOLD) {
    const base = bytes.byteOffset;
    for (const stop = i + (-(base + i) & 3); i < stop; i++) {
      seen |= bytes[i] ^= k;
      k = (k >>> 8) | (k << 24);
    }
    seen &= 0xff;
    const words = wordsOf(bytes.buffer);
    let w = (base + i) >>> 2;
    const stop = (base + end) >>> 2;
    i += (stop - w) << 2;
    for (; w + 4 <= stop; w += 4) {
      const a = words[w] ^ k;
      const b = words[w + 1] ^ k;
      const c = words[w + 2] ^ k;
      const d = words[w + 3] ^ k;
      words[w] = a;
      words[w + 1] = b;
      words[w + 2] = c;
      words[w + 3] = d;
      seen |= a | b | c | d;
    }
    for (; w < stop; w++) seen |= words[w] ^= k;
  }
  for (; i < end; i++) {
    const byte = (bytes[i] ^ k) & 0xff;
    bytes[i] = byte;
    seen |= byte;
    k = (k >>> 8) | (k << 24);
  }
  return seen;
}

/**
 * Copies bytes and XORs the copy with a masking key, as {@linkcode applyMask} does in place.
 *
 * @param source The bytes; they stay as they are.
 * @param target Where the result goes.
 * @param offset Its first byte there.
 * @param key The masking key.
 * @param phase How many bytes of this payload came before.
 * @returns As {@linkcode applyMask}.
 *
 * @example
 * ```ts
 * import { copyMasked } from "@duet/websocket/protocol";
 *
 * const target = new Uint8Array(5);
 * copyMasked(Uint8Array.of(0x7f, 0x9f, 0x4d, 0x51, 0x58), target, 0, 0x3d21fa37, 0);
 * console.assert(new TextDecoder().decode(target) === "Hello");
 * ```
 */
export function copyMasked(
  source: Uint8Array,
  target: Uint8Array,
  offset: number,
  key: number,
  phase: number,
): number {
  const { length } = source;
  if (length < SIMD_THRESHOLD) {
    target.set(source, offset);
    return applyMask(target, offset, offset + length, key, phase);
  }
  const whole = length - (length & 63);
  const seen = applyMaskInSteps(source, 0, whole, rotateKey(key, phase), target, offset);
  target.set(source.subarray(whole), offset + whole);
  return seen | applyMask(target, offset + whole, offset + length, key, phase + whole);
}

/** A larger buffer is not kept in memory only for its view. */
const MAX_KEPT_BUFFER = 64 * 1024;

// A view costs more than unmasking a short message, and several messages come in one buffer.
let lastBuffer: ArrayBufferLike = new ArrayBuffer(0);
let lastWords: Int32Array = new Int32Array(0);

function wordsOf(buffer: ArrayBufferLike): Int32Array {
  if (buffer === lastBuffer) return lastWords;
  const words = new Int32Array(buffer, 0, buffer.byteLength >>> 2);
  if (buffer.byteLength <= MAX_KEPT_BUFFER) {
    lastBuffer = buffer;
    lastWords = words;
  }
  return words;
}

/**
 * Tells whether bytes can be masked aside: so many are done by SIMD, in memory of its own.
 *
 * @param length How many bytes.
 * @returns Whether {@linkcode maskAside} takes them.
 */
export function fitsAside(length: number): boolean {
  return length >= SIMD_THRESHOLD && length <= BLOCK;
}

/**
 * Copies bytes, and XORs the copy in {@linkcode aside} with a masking key from its first byte on.
 *
 * @param source The bytes; they stay as they are. {@linkcode fitsAside} tells how many they may be.
 * @param start The first byte of the range.
 * @param end The byte after it.
 * @param key The masking key.
 * @returns As {@linkcode applyMask}.
 */
export function maskAside(source: Uint8Array, start: number, end: number, key: number): number {
  const length = end - start;
  const seen = maskInBlock(source.subarray(start, end), key);
  return seen | applyMask(block, length - (length & 63), length, key, 0);
}
