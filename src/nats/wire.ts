/**
 * How publications are written in messages of NATS: one as it is, several behind a byte that no publication
 * begins with.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { decodePayloads, encodePayloads } from "../engines/payload_list.ts";

const SEVERAL = Buffer.from([0x80]);

/**
 * Writes publications.
 *
 * @param payloads Their payloads, one at least.
 * @returns The message.
 */
export function encodeMessage(payloads: readonly Buffer[]): Buffer {
  return payloads.length === 1 ? payloads[0] : Buffer.concat([SEVERAL, encodePayloads(payloads)]);
}

/**
 * Reads publications.
 *
 * @param message The message.
 * @returns Their payloads, as views.
 * @throws {RangeError} Where one is not whole.
 */
export function decodeMessage(message: Uint8Array): Iterable<Buffer> {
  const { buffer, byteOffset, length } = message;
  const bytes = Buffer.from(buffer as ArrayBuffer, byteOffset, length);
  return bytes[0] === SEVERAL[0] ? decodePayloads(bytes, 1) : [bytes];
}
