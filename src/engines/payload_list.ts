/**
 * How engines write several payloads as one: each after its length in four bytes.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/**
 * Writes payloads.
 *
 * @param payloads The payloads.
 * @returns Them, each after its length.
 */
export function encodePayloads(payloads: readonly Buffer[]): Buffer {
  return Buffer.concat(payloads.flatMap((payload) => {
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(payload.length);
    return [length, payload];
  }));
}

/**
 * Reads payloads.
 *
 * @param list What has them.
 * @param at Where they begin; they go on up to the end.
 * @returns Them, as views.
 * @throws {RangeError} Where one is not whole.
 */
export function* decodePayloads(list: Buffer, at: number): Generator<Buffer> {
  while (at < list.length) {
    const end = at + 4 + list.readUInt32BE(at);
    if (end > list.length) throw new RangeError("The last payload is not whole");
    yield list.subarray(at + 4, end);
    at = end;
  }
}
