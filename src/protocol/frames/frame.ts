/** The opcodes of RFC 6455 §5.2; every other value is reserved. */
export const Opcode = {
  /** A further fragment of a message. */
  CONTINUATION: 0x0,
  /** A text message, or its first fragment. */
  TEXT: 0x1,
  /** A binary message, or its first fragment. */
  BINARY: 0x2,
  /** The closing handshake (§5.5.1). */
  CLOSE: 0x8,
  /** Asks for a pong (§5.5.2). */
  PING: 0x9,
  /** Answers a ping, or comes unsolicited (§5.5.3). */
  PONG: 0xa,
} as const;

/** One of the values of {@linkcode Opcode}. */
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

/** The FIN bit in the first byte of a frame: the last fragment of its message. */
export const FIN = 0x80;
/** The three reserved bits in the first byte of a frame; extensions give them a meaning (§9). */
export const RSV = 0x70;
/** The first reserved bit; permessage-deflate marks compressed messages with it (RFC 7692 §6). */
export const RSV1 = 0x40;
/** The second reserved bit. */
export const RSV2 = 0x20;
/** The third reserved bit. */
export const RSV3 = 0x10;
/** The MASK bit in the second byte of a frame. */
export const MASK = 0x80;
/** The most bytes that the payload of a control frame may have (§5.5). */
export const MAX_CONTROL_PAYLOAD = 125;
/** The most bytes that a frame header can take: 2, an 8-byte length, a 4-byte masking key. */
export const MAX_HEADER_LENGTH = 14;

/**
 * The header of one frame (RFC 6455 §5.2), as {@linkcode readFrameHeader} fills it in. One object
 * serves every frame of a connection, so that reading a header allocates nothing.
 */
export class FrameHeader {
  /** Whether this is the last fragment of its message. */
  fin = false;
  /** The reserved bits in their place in the first byte: 0 when none is set. */
  rsv = 0;
  /** The opcode, which may be a reserved one. */
  opcode = 0;
  /** Whether the payload is masked. */
  masked = false;
  /** The masking key, its first byte in the lowest 8 bits; 0 when the payload is not masked. */
  maskingKey = 0;
  /** How many bytes the payload has; above 2^53 the number is inexact but still huge. */
  payloadLength = 0;
  /** Whether the length was written in the fewest bytes and its top bit was clear, as it must be. */
  minimal = true;
}

/**
 * Reads one frame header.
 *
 * @param header Filled in when the header is complete; of no use otherwise.
 * @param bytes What came from the peer.
 * @param start Where the frame begins in `bytes`.
 * @param end Where the bytes that have come end.
 * @returns How many bytes the header takes, or 0 when it is incomplete.
 *
 * @example A masked frame of RFC 6455 §5.7
 * ```ts
 * import { FrameHeader, readFrameHeader } from "@duet/websocket/protocol";
 *
 * const header = new FrameHeader();
 * const bytes = Uint8Array.of(0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d);
 * console.assert(readFrameHeader(header, bytes, 0, bytes.length) === 6);
 * console.assert(header.payloadLength === 5);
 * ```
 */
export function readFrameHeader(
  header: FrameHeader,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  if (end - start < 2) return 0;
  const first = bytes[start];
  const second = bytes[start + 1];
  let length = second & 0x7f;
  let position = start + 2;
  let minimal = true;
  if (length === 126) {
    if (end - position < 2) return 0;
    length = (bytes[position] << 8) | bytes[position + 1];
    minimal = length > 125;
    position += 2;
  } else if (length === 127) {
    if (end - position < 8) return 0;
    const high = readUint32(bytes, position);
    length = high * 0x1_0000_0000 + readUint32(bytes, position + 4);
    minimal = length > 0xffff && high < 0x8000_0000;
    position += 8;
  }
  const masked = (second & MASK) !== 0;
  let key = 0;
  if (masked) {
    if (end - position < 4) return 0;
    key = bytes[position] | (bytes[position + 1] << 8) | (bytes[position + 2] << 16) |
      (bytes[position + 3] << 24);
    position += 4;
  }
  header.fin = (first & FIN) !== 0;
  header.rsv = first & RSV;
  header.opcode = first & 0x0f;
  header.masked = masked;
  header.maskingKey = key;
  header.payloadLength = length;
  header.minimal = minimal;
  return position - start;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/**
 * Tells how many bytes the header of an unmasked frame takes.
 *
 * @param payloadLength How many bytes the payload has.
 * @returns 2, 4 or 10.
 *
 * @example
 * ```ts
 * import { frameHeaderLength } from "@duet/websocket/protocol";
 *
 * console.assert(frameHeaderLength(125) === 2);
 * console.assert(frameHeaderLength(126) === 4);
 * console.assert(frameHeaderLength(65_536) === 10);
 * ```
 */
export function frameHeaderLength(payloadLength: number): number {
  return payloadLength < 126 ? 2 : payloadLength < 0x1_0000 ? 4 : 10;
}

/**
 * Writes the header of an unmasked frame, as a server sends them (RFC 6455 §5.1), with its length
 * in the fewest bytes.
 *
 * @param target Where to write; needs {@linkcode frameHeaderLength} bytes from `offset` on.
 * @param offset The first byte to write.
 * @param firstByte FIN, the reserved bits and the opcode.
 * @param payloadLength How many bytes the payload has, below 2^53.
 * @returns How many bytes were written.
 *
 * @example
 * ```ts
 * import { FIN, Opcode, writeFrameHeader } from "@duet/websocket/protocol";
 *
 * const frame = new Uint8Array(2);
 * writeFrameHeader(frame, 0, FIN | Opcode.PING, 0);
 * console.assert(frame[0] === 0x89 && frame[1] === 0);
 * ```
 */
export function writeFrameHeader(
  target: Uint8Array,
  offset: number,
  firstByte: number,
  payloadLength: number,
): number {
  target[offset] = firstByte;
  if (payloadLength < 126) {
    target[offset + 1] = payloadLength;
    return 2;
  }
  if (payloadLength < 0x1_0000) {
    target[offset + 1] = 126;
    target[offset + 2] = payloadLength >>> 8;
    target[offset + 3] = payloadLength;
    return 4;
  }
  target[offset + 1] = 127;
  writeUint32(target, offset + 2, Math.floor(payloadLength / 0x1_0000_0000));
  writeUint32(target, offset + 6, payloadLength % 0x1_0000_0000);
  return 10;
}

function writeUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}
