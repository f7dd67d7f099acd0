/** How a client frame differs from a plain, whole one. */
export interface FrameOptions {
  fin?: boolean;
  /** The reserved bits in place: 0x40, 0x20, 0x10. */
  rsv?: number;
  /** The masking key; null leaves the frame unmasked. */
  key?: readonly [number, number, number, number] | null;
  /** What the header says instead of the payload's length. */
  claim?: bigint;
  /** How many bytes the length takes, where it is not to be the fewest: 2 or 8. */
  lengthBytes?: 2 | 8;
}

/** Builds a frame as a client sends it (RFC 6455 §5.2), rightly or wrongly. */
export function clientFrame(
  opcode: number,
  payload: string | Uint8Array = new Uint8Array(),
  { fin = true, rsv = 0, key = [0x37, 0xfa, 0x21, 0x3d], claim, lengthBytes }: FrameOptions = {},
): Uint8Array {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const length = claim ?? BigInt(bytes.length);
  const size = lengthBytes ?? (length < 126n ? 0 : length < 65_536n ? 2 : 8);
  const header = [(fin ? 0x80 : 0) | rsv | opcode];
  header.push((key ? 0x80 : 0) | (size === 0 ? Number(length) : size === 2 ? 126 : 127));
  for (let i = size - 1; i >= 0; i--) header.push(Number((length >> BigInt(8 * i)) & 0xffn));
  if (key) header.push(...key);
  const frame = new Uint8Array(header.length + bytes.length);
  frame.set(header);
  for (let i = 0; i < bytes.length; i++) {
    frame[header.length + i] = bytes[i] ^ (key ? key[i & 3] : 0);
  }
  return frame;
}

/** The payload of a Close frame. */
export function closeBytes(code: number, reason = ""): Uint8Array {
  return Uint8Array.of(code >> 8, code & 0xff, ...new TextEncoder().encode(reason));
}

/** Puts pieces together. */
export function concat(...pieces: (Uint8Array | string)[]): Uint8Array {
  const parts = pieces.map((it) => typeof it === "string" ? new TextEncoder().encode(it) : it);
  const whole = new Uint8Array(parts.reduce((sum, it) => sum + it.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
