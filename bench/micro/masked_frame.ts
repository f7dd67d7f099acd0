// Frames as a client sends them, for the micro-benchmarks.

/**
 * One frame with a masking key of zero: unmasking does all of its work and changes nothing, so that the same bytes
 * can be read again and again.
 */
export function maskedFrame(firstByte: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const start = 6 + lengthBytes;
  const frame = new Uint8Array(start + length);
  const view = new DataView(frame.buffer);
  frame[0] = firstByte;
  frame[1] = 0x80 | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) view.setUint16(2, length);
  if (lengthBytes === 8) view.setBigUint64(2, BigInt(length));
  frame.set(payload, start);
  return frame;
}
