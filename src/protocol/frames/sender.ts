import { Buffer } from "node:buffer";
import type { NegotiatedExtension } from "./extension.ts";
import { closeBy, encodeBy } from "./extension_calls.ts";
import type { ProtocolError } from "./protocol_error.ts";
import {
  FIN,
  frameHeaderLength,
  MASK,
  MAX_HEADER_LENGTH,
  Opcode,
  writeFrameHeader,
} from "./frame.ts";
import { applyMask, copyMasked } from "./mask.ts";
import { takeMaskingKey } from "./masking_keys.ts";
import { MAX_SCRATCH, type OutputQueue } from "./output_queue.ts";
import { SharingSession } from "./sharing_session.ts";

/** Up to this many bytes, copying a payload costs less than one more write; the rest is queued as it is. */
const COPIED = MAX_SCRATCH - MAX_HEADER_LENGTH;
/** A text that takes no more bytes than this is written before its length is known. */
const SHORT_TEXT = 4096;
/** How many bytes a masking key takes. */
const KEY_LENGTH = 4;
/** Up to this many characters, a loop is faster than one native call. */
const LOOP_LIMIT = 64;
const encoder = new TextEncoder();

/**
 * Turns messages and control frames into bytes (RFC 6455 §5, §6.1): every message one frame, a client's masked.
 *
 * @example The unmasked "Hello" of RFC 6455 §5.7
 * ```ts
 * import { OutputQueue, Sender } from "@duet/websocket/protocol";
 *
 * const output = new OutputQueue();
 * new Sender(output).text("Hello");
 * console.assert(output.next()?.join() === "129,5,72,101,108,108,111");
 * ```
 */
export class Sender {
  /** Messages of fewer bytes are not given to the extensions. */
  threshold: number;
  readonly #output: OutputQueue;
  readonly #extensions: readonly NegotiatedExtension[];
  readonly #masks: boolean;
  // The only extension, where it can change a message for many connections at once.
  readonly #sharing: SharingSession | undefined;

  /**
   * Makes a sender for one connection.
   *
   * @param output Where the bytes go.
   * @param extensions The extensions agreed on in the opening handshake.
   * @param threshold Messages of fewer bytes are not given to the extensions.
   * @param masks Whether frames are masked, as a client's must be (RFC 6455 §5.1).
   */
  constructor(
    output: OutputQueue,
    extensions: readonly NegotiatedExtension[] = [],
    threshold = 1024,
    masks = false,
  ) {
    this.#output = output;
    this.#extensions = extensions;
    const session = extensions.length === 1 ? extensions[0].session : undefined;
    this.#sharing = session instanceof SharingSession ? session : undefined;
    this.threshold = threshold;
    this.#masks = masks;
  }

  /**
   * Sends a text message.
   *
   * @param data The text.
   * @throws {TypeError} When it has a lone surrogate, which has no UTF-8 form. Nothing is sent.
   * @throws {ProtocolError} 1011 when an extension fails, with the cause. Nothing is sent; the connection
   * must be failed, since the extension's state may no longer match the peer's.
   */
  text(data: string): void {
    if (this.#extensions.length > 0 && data.length * 3 >= this.threshold) {
      this.#message(Opcode.TEXT, encodeText(data));
    } else if (this.#masks) {
      this.#maskedText(data);
    } else if (data.length * 3 <= SHORT_TEXT) {
      this.#shortText(data);
    } else {
      this.#longText(data);
    }
  }

  /**
   * Sends a binary message.
   *
   * @param data The bytes. From 256 KiB on they are not copied: do not change them until they are sent.
   * @throws {ProtocolError} As {@linkcode Sender.text}.
   */
  binary(data: Uint8Array): void {
    this.#message(Opcode.BINARY, data);
  }

  /**
   * Tells who changes a message that several senders send.
   *
   * @param size How many bytes it has.
   * @returns The session that changes it once for all that share it; null when it goes as it is; undefined
   * when it has to be sent by itself, since it is masked, or extensions change it for this connection alone.
   */
  sessionFor(size: number): SharingSession | null | undefined {
    if (this.#masks) return undefined;
    return this.#extensions.length === 0 || size < this.threshold ? null : this.#sharing;
  }

  /**
   * Sends a control frame.
   *
   * @param opcode Close, Ping or Pong.
   * @param payload At most 125 bytes.
   */
  control(opcode: Opcode, payload: Uint8Array): void {
    if (this.#masks) this.#maskedFrame(FIN | opcode, payload);
    else this.#frame(FIN | opcode, payload);
  }

  /**
   * Closes the sessions of the extensions: nothing is sent or received any more.
   *
   * @returns What failed, if anything did.
   */
  close(): ProtocolError | undefined {
    let failure: ProtocolError | undefined;
    for (const extension of this.#extensions) failure = closeBy(extension) ?? failure;
    return failure;
  }

  #message(opcode: Opcode, payload: Uint8Array): void {
    let firstByte = FIN | opcode;
    if (payload.length >= this.threshold) {
      for (const extension of this.#extensions) {
        const encoded = encodeBy(extension, payload);
        if (encoded === undefined) continue;
        payload = encoded;
        firstByte |= extension.session.rsv;
      }
    }
    if (this.#masks) this.#maskedFrame(firstByte, payload);
    else this.#frame(firstByte, payload);
  }

  #frame(firstByte: number, payload: Uint8Array): void {
    const output = this.#output;
    const { length } = payload;
    const headerLength = frameHeaderLength(length);
    const copied = Math.min(length, COPIED);
    output.reserve(headerLength + copied);
    const { scratch, offset } = output;
    writeFrameHeader(scratch, offset, firstByte, length);
    scratch.set(copied === length ? payload : payload.subarray(0, copied), offset + headerLength);
    output.commit(headerLength + copied);
    if (copied < length) output.push(payload.subarray(copied));
  }

  /** Every byte is copied: the caller's must stay as they are. */
  #maskedFrame(firstByte: number, payload: Uint8Array): void {
    const output = this.#output;
    const { length } = payload;
    const key = this.#maskedHeader(firstByte, length, Math.min(length, COPIED));
    for (let at = 0; at < length;) {
      const size = Math.min(length - at, COPIED);
      if (at > 0) output.reserve(size);
      const piece = size === length ? payload : payload.subarray(at, at + size);
      copyMasked(piece, output.scratch, output.offset, key, at & 3);
      output.commit(size);
      at += size;
    }
  }

  #maskedText(data: string): void {
    const { length } = data;
    if (length * 3 > SHORT_TEXT) {
      this.#maskedFrame(FIN | Opcode.TEXT, encodeText(data));
      return;
    }
    const output = this.#output;
    output.reserve(MAX_HEADER_LENGTH + length * 3);
    const { scratch, offset } = output;
    const guess = frameHeaderLength(length) + KEY_LENGTH;
    const size = writeText(scratch, offset + guess, data);
    const start = offset + frameHeaderLength(size) + KEY_LENGTH;
    if (start !== offset + guess) {
      scratch.copyWithin(start, offset + guess, offset + guess + size);
    }
    const key = this.#maskedHeader(FIN | Opcode.TEXT, size, size);
    applyMask(scratch, start, start + size, key, 0);
    output.commit(size);
  }

  /** Writes a header with a new masking key, and makes room for a part of the payload; gives the key. */
  #maskedHeader(firstByte: number, length: number, room: number): number {
    const output = this.#output;
    const headerLength = frameHeaderLength(length);
    output.reserve(headerLength + KEY_LENGTH + room);
    const { scratch, offset } = output;
    writeFrameHeader(scratch, offset, firstByte, length);
    scratch[offset + 1] |= MASK;
    const key = takeMaskingKey();
    const at = offset + headerLength;
    scratch[at] = key;
    scratch[at + 1] = key >>> 8;
    scratch[at + 2] = key >>> 16;
    scratch[at + 3] = key >>> 24;
    output.commit(headerLength + KEY_LENGTH);
    return key;
  }

  #shortText(data: string): void {
    const output = this.#output;
    output.reserve(4 + data.length * 3);
    const { scratch, offset } = output;
    const guess = frameHeaderLength(data.length);
    const length = writeText(scratch, offset + guess, data);
    const headerLength = frameHeaderLength(length);
    if (headerLength !== guess) {
      scratch.copyWithin(offset + headerLength, offset + guess, offset + guess + length);
    }
    writeFrameHeader(scratch, offset, FIN | Opcode.TEXT, length);
    output.commit(headerLength + length);
  }

  /** Writes a text piece by piece into pooled memory, so that a long text allocates nothing. */
  #longText(data: string): void {
    const output = this.#output;
    const length = textLength(data);
    const headerLength = frameHeaderLength(length);
    output.reserve(Math.min(headerLength + length, MAX_SCRATCH));
    writeFrameHeader(output.scratch, output.offset, FIN | Opcode.TEXT, length);
    output.commit(headerLength);
    for (let read = 0, left = length; left > 0;) {
      const { scratch, offset } = output;
      const piece = encoder.encodeInto(
        read === 0 ? data : data.slice(read),
        scratch.subarray(offset),
      );
      output.commit(piece.written);
      read += piece.read;
      left -= piece.written;
      // A character that did not fit goes into the next scratch buffer.
      if (left > 0) output.reserve(Math.min(left, MAX_SCRATCH));
    }
  }
}

/** Writes a text's UTF-8, for which there must be room, and gives its length in bytes. */
function writeText(target: Uint8Array, offset: number, text: string): number {
  const { length } = text;
  if (length <= LOOP_LIMIT) {
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) break;
      target[offset + i] = code;
    }
    if (i === length) return length;
  }
  const { written } = encoder.encodeInto(text, target.subarray(offset));
  // As many bytes as characters: all ASCII, so no surrogate among them.
  if (written !== length) checkWellFormed(text);
  return written;
}

/** The length of a text's UTF-8 in bytes; throws when it has none. */
function textLength(text: string): number {
  const length = Buffer.byteLength(text);
  if (length !== text.length) checkWellFormed(text);
  return length;
}

/**
 * Makes sure that a text has a UTF-8 form, as a text message must (RFC 6455 §5.6).
 *
 * @param text The text.
 * @throws {TypeError} When it has a lone surrogate.
 *
 * @example
 * ```ts
 * import { checkWellFormed } from "@duet/websocket/protocol";
 *
 * checkWellFormed("🥊");
 * ```
 */
export function checkWellFormed(text: string): void {
  if (!text.isWellFormed()) {
    throw new TypeError("Cannot send a text with a lone surrogate: it has no UTF-8 form");
  }
}

function encodeText(text: string): Uint8Array {
  checkWellFormed(text);
  return encoder.encode(text);
}

/**
 * Encodes a text message as one frame, header and payload in one piece.
 *
 * @param text The text.
 * @returns The frame.
 * @throws {TypeError} When the text has a lone surrogate.
 *
 * @example
 * ```ts
 * import { encodeTextFrame } from "@duet/websocket/protocol";
 *
 * console.assert(encodeTextFrame("Hi").join() === "129,2,72,105");
 * ```
 */
export function encodeTextFrame(text: string): Uint8Array {
  const length = textLength(text);
  const headerLength = frameHeaderLength(length);
  const frame = allocate(headerLength + length);
  writeFrameHeader(frame, 0, FIN | Opcode.TEXT, length);
  encoder.encodeInto(text, frame.subarray(headerLength));
  return frame;
}

/**
 * Encodes a message as one frame, header and payload in one piece.
 *
 * @param firstByte FIN, the reserved bits and the opcode.
 * @param payload The payload.
 * @returns The frame.
 *
 * @example
 * ```ts
 * import { encodeFrame, FIN, Opcode } from "@duet/websocket/protocol";
 *
 * console.assert(encodeFrame(FIN | Opcode.PING, new Uint8Array()).join() === "137,0");
 * ```
 */
export function encodeFrame(firstByte: number, payload: Uint8Array): Uint8Array {
  const headerLength = frameHeaderLength(payload.length);
  const frame = allocate(headerLength + payload.length);
  writeFrameHeader(frame, 0, firstByte, payload.length);
  frame.set(payload, headerLength);
  return frame;
}

/** Memory that the caller fills completely, so that it need not be zeroed. */
function allocate(size: number): Uint8Array {
  return Buffer.allocUnsafeSlow(size);
}
