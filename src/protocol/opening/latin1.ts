import { Buffer } from "node:buffer";

/** Works on any `Uint8Array`, and is the fastest way to a string in both runtimes. */
const { latin1Slice } = Buffer.prototype as unknown as {
  latin1Slice(start: number, end: number): string;
};

/**
 * Decodes a range of bytes as Latin-1, each byte one character.
 *
 * @param bytes What holds the text.
 * @param start Its first byte.
 * @param end The byte after it.
 * @returns The text.
 *
 * @example
 * ```ts
 * import { decodeLatin1 } from "@duet/websocket/protocol";
 *
 * console.assert(decodeLatin1(Uint8Array.of(0x63, 0xe9), 0, 2) === "cé");
 * ```
 */
export function decodeLatin1(bytes: Uint8Array, start: number, end: number): string {
  return latin1Slice.call(bytes, start, end);
}
