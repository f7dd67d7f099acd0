import { Buffer } from "node:buffer";
import { CloseCode } from "./close.ts";
import { Opcode } from "./frame.ts";
import { halfAPageOn } from "./half_page.ts";
import { copyMasked } from "./mask.ts";
import { ProtocolError } from "./protocol_error.ts";
import { Utf8Validator } from "./utf8.ts";

/** How much larger a message's buffer becomes when it is full: few copies, bounded waste. */
const GROWTH = 4;
const EMPTY = new Uint8Array(0);
const ASCII_MASK = 0x80808080 | 0;

/**
 * Free buffers to assemble messages in, by size. A text leaves its buffer as a string, so the next text can
 * use the buffer; the buffer of a binary message becomes the listener's own, unless copying it costs less
 * than a fresh buffer does.
 */
const SPARE_SIZES = [64 * 1024, 256 * 1024, 1024 * 1024];
const spares: (Uint8Array | undefined)[] = SPARE_SIZES.map(() => undefined);
/** Below this size a new buffer costs less than a large one that is hardly used. */
const LEAST_SPARE_USE = 16 * 1024;
/** From this size on, a copy made in one go costs less than a fresh buffer that is filled piece by piece. */
const LEAST_COPIED = 512 * 1024;

function takeSpare(size: number): Uint8Array {
  const tier = SPARE_SIZES.findIndex((it) => it >= size);
  if (size < LEAST_SPARE_USE || tier === -1) return allocate(size);
  const spare = spares[tier];
  spares[tier] = undefined;
  return spare ?? halfAPageOn(SPARE_SIZES[tier], allocate);
}

function releaseSpare(bytes: Uint8Array): void {
  const tier = SPARE_SIZES.indexOf(bytes.length);
  if (tier !== -1) spares[tier] = bytes;
}

/**
 * Makes an array of memory that need not be zeroed: only bytes that have been written may ever be shown.
 *
 * @param size How many bytes.
 * @returns The array; its buffer is its own.
 */
export function allocate(size: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafeSlow(size);
  return new Uint8Array(buffer, byteOffset, size);
}

/** A message that has come in part. */
export class MessageAssembly {
  /** Text or binary. */
  readonly opcode: number;
  /** The reserved bits of its first frame. */
  readonly rsv: number;
  /** How many frames of it have begun. */
  fragments = 0;
  /** How many bytes of it have come. */
  length = 0;
  #bytes: Uint8Array = EMPTY;
  #seen = 0;
  readonly #validator: Utf8Validator | null;
  // Whether the bytes themselves become the listener's.
  readonly #owned: boolean;
  readonly #buffersAreSlow: boolean;
  #pooled = false;

  /**
   * Makes an empty message.
   *
   * @param opcode Text or binary.
   * @param rsv The reserved bits of the first frame.
   * @param buffersAreSlow Whether this runtime makes buffers so slowly that a large message is better copied.
   */
  constructor(opcode: number, rsv: number, buffersAreSlow = false) {
    this.opcode = opcode;
    this.rsv = rsv;
    this.#validator = opcode === Opcode.TEXT && rsv === 0 ? new Utf8Validator() : null;
    this.#owned = opcode === Opcode.BINARY && rsv === 0;
    this.#buffersAreSlow = buffersAreSlow;
  }

  /** The bytes that have come so far. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  /** Whether it is a text that is ASCII so far. */
  get ascii(): boolean {
    return this.#validator !== null && (this.#seen & ASCII_MASK) === 0;
  }

  /**
   * Makes room for bytes that have come. Up to `maxReserve`, it also makes room for bytes that the peer has
   * announced; beyond that the buffer grows only as bytes come in.
   *
   * @param needed How many bytes the message has so far.
   * @param expected How many bytes it has with the whole current frame.
   * @param final Whether that frame is its last.
   * @param maxReserve How many bytes may be reserved before they have come.
   */
  reserve(needed: number, expected: number, final: boolean, maxReserve: number): void {
    const full = this.#bytes;
    if (needed <= full.length) return;
    let size = Math.min(expected, Math.max(maxReserve, needed * GROWTH));
    if (!final) size = Math.max(size, needed * 2);
    const pooled = !this.#owned || this.#isCopied(size);
    this.#bytes = pooled ? takeSpare(size) : allocate(size);
    if (this.length > 0) this.#bytes.set(full.subarray(0, this.length));
    if (this.#pooled) releaseSpare(full);
    this.#pooled = pooled;
  }

  #isCopied(size: number): boolean {
    return this.#buffersAreSlow && size >= LEAST_COPIED && size <= SPARE_SIZES.at(-1)!;
  }

  /**
   * Adds a piece of a payload; there must be room for it.
   *
   * @param piece The piece, masked.
   * @param key The masking key of its frame.
   * @param phase How many bytes of its frame came before.
   * @throws {ProtocolError} 1007 when a text has a byte that is not UTF-8.
   */
  append(piece: Uint8Array, key: number, phase: number): void {
    const start = this.length;
    const end = start + piece.length;
    const seen = copyMasked(piece, this.#bytes, start, key, phase);
    this.#seen |= seen;
    this.length = end;
    const validator = this.#validator;
    if (validator === null || ((seen & ASCII_MASK) === 0 && validator.complete)) return;
    if (!validator.push(this.#bytes, start, end)) throw notUtf8();
  }

  /**
   * Ends the message.
   *
   * @returns Its bytes. Those of an uncompressed binary message are the listener's own; others are valid
   * until {@linkcode MessageAssembly.release}.
   * @throws {ProtocolError} 1007 when a text ends within a character.
   */
  finish(): Uint8Array {
    if (this.#validator?.complete === false) throw notUtf8();
    if (!this.#owned) return this.bytes;
    // The listener may keep the bytes, which must not keep more memory alive than they show.
    return this.#pooled || this.length < this.#bytes.length ? this.bytes.slice() : this.bytes;
  }

  /** Gives the buffer back, unless it has become the listener's. */
  release(): void {
    if (this.#pooled) releaseSpare(this.#bytes);
    this.#bytes = EMPTY;
  }
}

/**
 * Makes the error for a text that is not UTF-8.
 *
 * @returns The error.
 */
export function notUtf8(): ProtocolError {
  return new ProtocolError(
    CloseCode.INVALID_PAYLOAD,
    "Cannot accept a text message: it is not UTF-8",
    "RFC 6455 §8.1",
  );
}
