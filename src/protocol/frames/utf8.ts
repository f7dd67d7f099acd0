import { Buffer, isUtf8 } from "node:buffer";

/** From this many bytes on, one native call is faster than the loop. */
const NATIVE_THRESHOLD = 32;

/**
 * Checks UTF-8 (RFC 3629) as it arrives in pieces that may end in the middle of a character, and
 * fails in the piece that holds the first bad byte: RFC 6455 §8.1 wants the connection failed, and the
 * rest of the message cannot change that.
 *
 * @example
 * ```ts
 * import { Utf8Validator } from "@duet/websocket/protocol";
 *
 * const validator = new Utf8Validator();
 * console.assert(validator.push(Uint8Array.of(0xe2, 0x98), 0, 2)); // two thirds of a snowman
 * console.assert(!validator.complete);
 * console.assert(!validator.push(Uint8Array.of(0x41), 0, 1)); // what follows cannot be right
 * ```
 */
export class Utf8Validator {
  // What the current character still needs: how many bytes, and the range of the next one.
  #wanted = 0;
  #low = 0x80;
  #high = 0xbf;

  /** Whether the text so far ends with a whole character. */
  get complete(): boolean {
    return this.#wanted === 0;
  }

  /** Starts another text. */
  reset(): void {
    this.#wanted = 0;
  }

  /**
   * Takes the next piece.
   *
   * @param bytes What holds the piece.
   * @param start Its first byte.
   * @param end The byte after it.
   * @returns false when a byte is not UTF-8.
   */
  push(bytes: Uint8Array, start: number, end: number): boolean {
    let i = start;
    while (this.#wanted > 0 && i < end) {
      if (!this.#step(bytes[i++])) return false;
    }
    const tail = incompleteTail(bytes, i, end);
    if (tail - i >= NATIVE_THRESHOLD) {
      if (!isUtf8(bytes.subarray(i, tail))) return false;
      i = tail;
    }
    while (i < end) {
      if (!this.#step(bytes[i++])) return false;
    }
    return true;
  }

  /** One byte, by the table of well-formed sequences of RFC 3629 §4. */
  #step(byte: number): boolean {
    if (this.#wanted > 0) {
      if (byte < this.#low || byte > this.#high) return false;
      this.#wanted--;
      this.#low = 0x80;
      this.#high = 0xbf;
      return true;
    }
    if (byte < 0x80) return true;
    this.#low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    this.#high = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    this.#wanted = byte >= 0xc2 && byte <= 0xdf
      ? 1
      : byte >= 0xe0 && byte <= 0xef
      ? 2
      : byte >= 0xf0 && byte <= 0xf4
      ? 3
      : 0;
    return this.#wanted > 0;
  }
}

/** The start of the character that the range cuts off at its end; `end` when none is cut. */
function incompleteTail(bytes: Uint8Array, start: number, end: number): number {
  for (let i = end - 1; i >= start && i >= end - 3; i--) {
    const byte = bytes[i];
    if (byte < 0x80) return end;
    if (byte >= 0xc0) {
      const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
      return i + length > end ? i : end;
    }
  }
  return end;
}

/**
 * The string conversions of `Buffer.prototype` that take a range. They work on any `Uint8Array`,
 * are the fastest way to a string in both runtimes; `toString` calls them.
 */
interface RangeDecoders {
  utf8Slice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
}
const { utf8Slice, latin1Slice } = Buffer.prototype as unknown as RangeDecoders;

/** From this many bytes on, converting ASCII as Latin-1 is faster in both runtimes. */
const LATIN1_THRESHOLD = 256;

/**
 * Decodes a range of bytes that is known to be ASCII.
 *
 * @param bytes What holds the text.
 * @param start Its first byte.
 * @param end The byte after it.
 * @returns The text.
 *
 * @example
 * ```ts
 * import { decodeAscii } from "@duet/websocket/protocol";
 *
 * console.assert(decodeAscii(Uint8Array.of(0x48, 0x69), 0, 2) === "Hi");
 * ```
 */
export function decodeAscii(bytes: Uint8Array, start: number, end: number): string {
  return end - start < LATIN1_THRESHOLD
    ? utf8Slice.call(bytes, start, end)
    : latin1Slice.call(bytes, start, end);
}

/**
 * Decodes a range of bytes as UTF-8, a leading byte order mark included in the text.
 *
 * @param bytes What holds the text.
 * @param start Its first byte.
 * @param end The byte after it.
 * @returns The text, or undefined when the bytes are not UTF-8.
 *
 * @example
 * ```ts
 * import { decodeUtf8 } from "@duet/websocket/protocol";
 *
 * console.assert(decodeUtf8(Uint8Array.of(0xe2, 0x98, 0x83), 0, 3) === "☃");
 * console.assert(decodeUtf8(Uint8Array.of(0xc0, 0xaf), 0, 2) === undefined);
 * ```
 */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string | undefined {
  const text = utf8Slice.call(bytes, start, end);
  // The decoder replaces bytes that are not UTF-8 by U+FFFD, which may also have been in the text.
  if (text.includes("\ufffd") && !isUtf8(bytes.subarray(start, end))) return undefined;
  return text;
}
