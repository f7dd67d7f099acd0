import { Buffer } from "node:buffer";
import { CloseCode, readCloseStatus } from "./close.ts";
import type { NegotiatedExtension } from "./extension.ts";
import { decodeBy, messageTooBig } from "./extension_calls.ts";
import { FrameHeader, MAX_HEADER_LENGTH, Opcode, readFrameHeader } from "./frame.ts";
import { checkFrame } from "./frame_rules.ts";
import { applyMask, aside, copyMasked, fitsAside, maskAside } from "./mask.ts";
import { allocate, MessageAssembly, notUtf8 } from "./message_assembly.ts";
import { ProtocolError } from "./protocol_error.ts";
import type { ReceiverEvents, ReceiverOptions } from "./receiver_options.ts";
import { MAX_SHARED, SharedBuffer } from "./shared_buffer.ts";
import { decodeAscii, decodeUtf8 } from "./utf8.ts";

const ASCII_MASK = 0x80808080 | 0;
/** From this many bytes on, unmasking while copying is faster. */
const COPY_MASKED_FROM = 4096;
/** Chunks of more bytes are freed at once where they are the receiver's own. */
const FREED_FROM = 16 * 1024;
/** Filled in for each frame, and used only until the next one. */
const header = new FrameHeader();
/** Stands for no chunks, so that an idle connection holds no array. */
const NONE: Uint8Array[] = [];

/**
 * Turns the bytes that come from a peer into messages and control frames (RFC 6455 §5, §6.2, §7).
 * Frames are parsed in place; a message that spans reads is put together in one buffer; text is
 * checked as it arrives. While nothing is half-read, the receiver holds no buffer.
 *
 * @example The masked "Hello" of RFC 6455 §5.7, in two pieces
 * ```ts
 * import { Receiver } from "@duet/websocket/protocol";
 *
 * const messages: string[] = [];
 * const ignore = () => {};
 * const receiver = new Receiver({
 *   onText: (data) => void messages.push(data),
 *   onBinary: ignore,
 *   onPing: ignore,
 *   onPong: ignore,
 *   onClose: ignore,
 *   onFailure: ignore,
 * }, { maxMessageSize: 1024 });
 * receiver.push(Uint8Array.of(0x81, 0x85, 0x37, 0xfa, 0x21));
 * receiver.push(Uint8Array.of(0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58));
 * console.assert(messages[0] === "Hello");
 * ```
 */
export class Receiver {
  /** The most bytes of a message; may be changed between messages. */
  maxMessageSize: number;
  readonly #events: ReceiverEvents;
  readonly #maxFragments: number;
  readonly #maxReserve: number;
  readonly #framesPerTurn: number;
  readonly #extensions: readonly NegotiatedExtension[];
  readonly #rsvAllowed: number;
  // Whether frames must be masked.
  readonly #masked: boolean;

  readonly #shareBuffers: boolean;
  // Holds the small binary messages of the chunk being parsed.
  #shared: SharedBuffer | null = null;
  readonly #ownsChunks: boolean;
  // Set when a message is a view of the chunk being parsed.
  #kept = false;

  #ended = false;
  #ignoring = false;
  #paused = false;
  #parsing = false;
  // Chunks that were handed over and not parsed, because the receiver was paused.
  #waiting: Uint8Array[] = NONE;

  // A header that has come in part.
  #partialHeader: Uint8Array | null = null;
  // Of the frame under way: how many bytes are still to come, how many modulo 4 have, and its header.
  #remaining = 0;
  #phase = 0;
  #fin = false;
  #opcode = 0;
  #maskingKey = 0;

  // The message and the control frame that have come in part.
  #message: MessageAssembly | null = null;
  #control: Uint8Array | null = null;

  /**
   * Makes a receiver for one connection.
   *
   * @param events Told of what arrives.
   * @param options The bounds, and the extensions agreed on.
   */
  constructor(events: ReceiverEvents, options: ReceiverOptions) {
    this.#events = events;
    this.maxMessageSize = options.maxMessageSize;
    this.#maxFragments = options.maxFragments ?? 131_072;
    this.#maxReserve = options.maxReserve ?? 65_536;
    this.#framesPerTurn = options.framesPerTurn ?? Infinity;
    this.#extensions = options.extensions ?? [];
    this.#masked = options.fromServer !== true;
    this.#shareBuffers = options.shareBuffers ?? false;
    this.#ownsChunks = options.ownsChunks ?? false;
    this.#rsvAllowed = this.#extensions.reduce((bits, it) => bits | it.session.rsv, 0);
  }

  /** Whether a Close frame or a failure has ended what is read. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether all bytes handed over have been parsed, so that their buffer may be used again. */
  get idle(): boolean {
    return this.#waiting.length === 0;
  }

  /**
   * Takes the next bytes.
   *
   * @param chunk What came from the peer. Payloads are unmasked in place in it, and while
   * {@linkcode Receiver.idle} is false it must be left alone.
   */
  push(chunk: Uint8Array): void {
    if (this.#ended) return;
    // The slice() of a Buffer shares its memory, and messages must be the listener's own.
    if (chunk instanceof Buffer) {
      chunk = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
    if (this.#paused || this.#parsing) {
      this.#waiting = [...this.#waiting, chunk];
      return;
    }
    this.#parse(chunk);
    // Chunks that were handed over within an event come next.
    if (this.#waiting.length > 0 && !this.#paused) this.resume();
  }

  /** Stops parsing, also of bytes that are here already, until {@linkcode Receiver.resume}. */
  pause(): void {
    this.#paused = true;
  }

  /** Goes on after {@linkcode Receiver.pause}. */
  resume(): void {
    this.#paused = false;
    // Within an event, the parse loop that emitted it goes on by itself.
    if (this.#parsing) return;
    while (!this.#paused && this.#waiting.length > 0) this.#parse(this.#takeWaiting());
  }

  #takeWaiting(): Uint8Array {
    const [chunk, ...others] = this.#waiting;
    this.#waiting = others.length > 0 ? others : NONE;
    return chunk;
  }

  /**
   * Passes messages over from now on, the one under way too: they are not unmasked, put together or told
   * of, nor is their UTF-8 checked. What RFC 6455 and the bounds demand of frames still holds, and control
   * frames are told of.
   */
  ignoreMessages(): void {
    this.#ignoring = true;
    this.#message?.release();
  }

  /** Drops all that it holds, and ignores all further bytes. */
  end(): void {
    this.#ended = true;
    this.#waiting = NONE;
    this.#partialHeader = null;
    this.#message?.release();
    this.#message = null;
    this.#control = null;
  }

  #parse(chunk: Uint8Array): void {
    this.#parsing = true;
    try {
      let position = 0;
      let left = this.#framesPerTurn;
      while (position < chunk.length && !this.#ended) {
        if (left-- === 0 && !this.#paused) {
          this.#paused = true;
          this.#events.onTurnEnd?.();
        }
        if (this.#paused) {
          this.#waiting = [chunk.subarray(position), ...this.#waiting];
          break;
        }
        position = this.#remaining > 0
          ? this.#continuePayload(chunk, position)
          : this.#beginFrame(chunk, position);
      }
      if (this.#ownsChunks && chunk.length > FREED_FROM) this.#free(chunk);
    } catch (error) {
      this.end();
      if (!(error instanceof ProtocolError)) throw error;
      this.#events.onFailure(error);
    } finally {
      this.#parsing = false;
      this.#shared = null;
    }
  }

  /** Does not leave a large chunk to the collector: so the next one gets the same memory, which is in the caches. */
  #free(chunk: Uint8Array): void {
    const buffer = chunk.buffer as ArrayBuffer;
    const whole = chunk.length === buffer.byteLength;
    if (whole && !this.#kept && this.#waiting.length === 0) buffer.transfer(0);
    this.#kept = false;
  }

  /** Reads a header and, when the whole payload is here too, the payload where it stands. */
  #beginFrame(chunk: Uint8Array, position: number): number {
    let headerLength: number;
    if (this.#partialHeader === null) {
      headerLength = readFrameHeader(header, chunk, position, chunk.length);
      if (headerLength === 0) {
        this.#partialHeader = chunk.slice(position);
        return chunk.length;
      }
    } else {
      const partial = this.#partialHeader;
      const fresh = chunk.subarray(position, position + MAX_HEADER_LENGTH - partial.length);
      const joined = new Uint8Array(partial.length + fresh.length);
      joined.set(partial);
      joined.set(fresh, partial.length);
      headerLength = readFrameHeader(header, joined, 0, joined.length);
      if (headerLength === 0) {
        this.#partialHeader = joined;
        return chunk.length;
      }
      this.#partialHeader = null;
      headerLength -= partial.length;
    }
    checkFrame(header, this.#masked, this.#rsvAllowed, this.#message !== null);
    if (header.opcode < Opcode.CLOSE) this.#checkSize();
    const start = position + headerLength;
    const end = start + header.payloadLength;
    if (header.opcode >= Opcode.CLOSE) {
      this.#control = new Uint8Array(header.payloadLength);
    } else if (header.fin && this.#message === null && end <= chunk.length) {
      this.#wholeMessage(chunk, start, end);
      return end;
    } else {
      this.#beginFragment();
    }
    this.#remaining = header.payloadLength;
    this.#phase = 0;
    this.#fin = header.fin;
    this.#opcode = header.opcode;
    this.#maskingKey = header.maskingKey;
    if (this.#remaining === 0) this.#endFrame();
    return start;
  }

  #checkSize(): void {
    const rsv = this.#message === null ? header.rsv : this.#message.rsv;
    // Compressing incompressible data adds a few bytes, which do not count.
    const most = this.maxMessageSize + (rsv === 0 ? 0 : 64 + this.maxMessageSize / 1024);
    if (header.payloadLength + (this.#message?.length ?? 0) <= most) return;
    throw messageTooBig(this.maxMessageSize);
  }

  /** The hot path: an unfragmented message of which all bytes are here. */
  #wholeMessage(chunk: Uint8Array, start: number, end: number): void {
    if (this.#ignoring) return;
    if (header.rsv !== 0) {
      applyMask(chunk, start, end, header.maskingKey, 0);
      const { opcode } = header;
      const payload = this.#decode(header.rsv, chunk.subarray(start, end));
      // An extension may return the bytes it was given, which are the transport's.
      this.#deliver(opcode, payload.buffer === chunk.buffer ? new Uint8Array(payload) : payload);
    } else if (header.opcode === Opcode.TEXT) {
      const length = end - start;
      const text = fitsAside(length)
        ? textOf(maskAside(chunk, start, end, header.maskingKey), aside, 0, length)
        : textOf(applyMask(chunk, start, end, header.maskingKey, 0), chunk, start, end);
      if (text === undefined) throw notUtf8();
      this.#events.onText(text);
    } else {
      this.#events.onBinary(this.#takeBinary(chunk, start, end, header.maskingKey));
    }
  }

  /** Unmasks a whole binary message and makes it the listener's own. */
  #takeBinary(chunk: Uint8Array, start: number, end: number, key: number): Uint8Array {
    const length = end - start;
    if (length >= COPY_MASKED_FROM) {
      if (this.#ownsChunks && end === chunk.length && length * 2 >= chunk.buffer.byteLength) {
        applyMask(chunk, start, end, key, 0);
        this.#kept = true;
        return chunk.subarray(start);
      }
      const data = allocate(length);
      copyMasked(chunk.subarray(start, end), data, 0, key, 0);
      return data;
    }
    applyMask(chunk, start, end, key, 0);
    if (!this.#shareBuffers || length > MAX_SHARED) return chunk.slice(start, end);
    this.#shared ??= new SharedBuffer();
    return this.#shared.copy(chunk, start, end);
  }

  #beginFragment(): void {
    const message = this.#message ??= new MessageAssembly(
      header.opcode,
      header.rsv,
      this.#shareBuffers,
    );
    if (++message.fragments > this.#maxFragments) {
      throw new ProtocolError(
        CloseCode.POLICY_VIOLATION,
        `Cannot take a message in over ${this.#maxFragments} fragments`,
        "maxFragments",
      );
    }
  }

  /** Copies the next piece of a payload to where the payload is assembled, and unmasks it there. */
  #continuePayload(chunk: Uint8Array, position: number): number {
    const maskingKey = this.#maskingKey;
    const count = Math.min(this.#remaining, chunk.length - position);
    const end = position + count;
    const piece = position === 0 && end === chunk.length ? chunk : chunk.subarray(position, end);
    const control = this.#control;
    if (control !== null) {
      const at = control.length - this.#remaining;
      control.set(piece, at);
      applyMask(control, at, at + count, maskingKey, this.#phase);
    } else if (this.#ignoring) {
      this.#message!.length += count;
    } else {
      const message = this.#message!;
      const { length } = message;
      message.reserve(length + count, length + this.#remaining, this.#fin, this.#maxReserve);
      message.append(piece, maskingKey, this.#phase);
    }
    this.#phase = (this.#phase + count) & 3;
    this.#remaining -= count;
    if (this.#remaining === 0) this.#endFrame();
    return end;
  }

  #endFrame(): void {
    const control = this.#control;
    if (control !== null) {
      this.#control = null;
      this.#endControlFrame(this.#opcode, control);
    } else if (this.#fin) {
      this.#endMessage();
    }
  }

  #endMessage(): void {
    const message = this.#message!;
    this.#message = null;
    if (this.#ignoring) return;
    const { opcode, rsv } = message;
    const payload = message.finish();
    if (message.ascii) {
      const text = decodeAscii(payload, 0, payload.length);
      message.release();
      this.#events.onText(text);
    } else {
      const decoded = this.#decode(rsv, payload);
      if (opcode === Opcode.TEXT) {
        const text = decodeUtf8(decoded, 0, decoded.length);
        message.release();
        if (text === undefined) throw notUtf8();
        this.#events.onText(text);
      } else {
        // An extension may return the bytes it was given, which are used again.
        const data = rsv !== 0 && decoded.buffer === payload.buffer
          ? new Uint8Array(decoded)
          : decoded;
        message.release();
        this.#events.onBinary(data);
      }
    }
  }

  /** Undoes the extensions, in the reverse of the order in which the sender applied them. */
  #decode(rsv: number, payload: Uint8Array): Uint8Array {
    for (let i = this.#extensions.length - 1; i >= 0; i--) {
      const extension = this.#extensions[i];
      if ((rsv & extension.session.rsv) !== 0) {
        payload = decodeBy(extension, payload, this.maxMessageSize);
      }
    }
    return payload;
  }

  #deliver(opcode: number, payload: Uint8Array): void {
    if (opcode === Opcode.BINARY) {
      this.#events.onBinary(payload);
      return;
    }
    const text = decodeUtf8(payload, 0, payload.length);
    if (text === undefined) throw notUtf8();
    this.#events.onText(text);
  }

  #endControlFrame(opcode: number, payload: Uint8Array): void {
    if (opcode === Opcode.PING) this.#events.onPing(payload);
    else if (opcode === Opcode.PONG) this.#events.onPong(payload);
    else {
      const { code, reason } = readCloseStatus(payload);
      this.end();
      this.#events.onClose(code, reason);
    }
  }
}

/** Decodes a text of which masking has shown whether it is ASCII; undefined where it is not UTF-8. */
function textOf(seen: number, bytes: Uint8Array, start: number, end: number): string | undefined {
  return (seen & ASCII_MASK) === 0 ? decodeAscii(bytes, start, end) : decodeUtf8(bytes, start, end);
}
