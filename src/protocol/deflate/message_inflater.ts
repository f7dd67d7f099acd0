import { constants, inflateRawSync } from "node:zlib";
import {
  corrupt,
  inflateRaw,
  MAX_FINAL_BLOCKS,
  TAIL,
  tooBig,
  tooManyFinalBlocks,
} from "./inflate_raw.ts";

/** Measured: above this many bytes zlib is faster, including the time to set it up. */
const SMALL = 1024;
/** The same where there is a history, which zlib must be given with every message. */
const SMALL_WITH_HISTORY = 2048;
/** A stored block takes 65,535 bytes, so a history of 32 KiB fits in one. */
const STORED_BLOCK_HEADER = 5;
const MAX_WINDOW = 0x8000;
/** The size of the output buffer that zlib starts with: the input times this, within these bounds. */
const USUAL_RATIO = 4;
const MIN_CHUNK = 16_384;
const MAX_CHUNK = 1 << 20;

/** Decompresses the messages that one connection receives (RFC 7692 §7.2.2). */
export class MessageInflater {
  readonly #history: History | null;

  /**
   * Makes an inflater.
   *
   * @param windowBits The window agreed on, as a power of two.
   * @param takeover Whether a message may refer to those before it.
   */
  constructor(windowBits: number, takeover: boolean) {
    this.#history = takeover ? new History(1 << windowBits) : null;
  }

  /**
   * Decompresses a message.
   *
   * @param payload The message as it came.
   * @param maxSize The most bytes that may come of it.
   * @returns The message as it was.
   * @throws {ProtocolError} When it is no DEFLATE stream (1007) or too big (1009).
   */
  inflate(payload: Uint8Array, maxSize: number): Uint8Array {
    const history = this.#history?.bytes ?? NONE;
    const small = history.length > 0 ? SMALL_WITH_HISTORY : SMALL;
    const message = (payload.length <= small ? inflateRaw(payload, history, maxSize) : undefined) ??
      inflateByZlib(payload, history, maxSize);
    this.#history?.add(message);
    return message;
  }
}

const NONE = new Uint8Array(0);

/** The last bytes that were decompressed, which the next message may refer to. */
class History {
  /** The bytes; valid until more are added. */
  bytes: Uint8Array = NONE;
  readonly #size: number;
  #buffer: Uint8Array = NONE;

  constructor(size: number) {
    this.#size = size;
  }

  add(message: Uint8Array): void {
    const { bytes } = this;
    const added = message.subarray(Math.max(0, message.length - this.#size));
    const kept = Math.min(bytes.length, this.#size - added.length);
    let end = bytes.byteOffset + bytes.length;
    if (end + added.length > this.#buffer.length) {
      this.#makeRoom(bytes.subarray(bytes.length - kept), kept + added.length);
      end = kept;
    }
    this.#buffer.set(added, end);
    this.bytes = this.#buffer.subarray(end - kept, end + added.length);
  }

  /** Moves the kept bytes to the front, or to a larger buffer. Most messages move nothing. */
  #makeRoom(kept: Uint8Array, needed: number): void {
    const capacity = Math.min(2 * needed, this.#size + (this.#size >> 2));
    if (capacity > this.#buffer.length) {
      const larger = new Uint8Array(capacity);
      larger.set(kept);
      this.#buffer = larger;
    } else {
      this.#buffer.set(kept);
    }
  }
}

/** Decompresses a message of any size. */
function inflateByZlib(payload: Uint8Array, history: Uint8Array, maxSize: number): Uint8Array {
  let { output, rest } = inflateStream(payload, history, maxSize);
  // RFC 7692 §7.2.3.5: a block with BFINAL set ends the stream, but not the message.
  for (let finalBlocks = 1; rest.length > TAIL.length; finalBlocks++) {
    if (finalBlocks > MAX_FINAL_BLOCKS) throw tooManyFinalBlocks();
    const stream = inflateStream(
      rest.subarray(0, -TAIL.length),
      join(history, output),
      maxSize - output.length,
    );
    output = join(output, stream.output);
    rest = stream.rest;
  }
  return output;
}

/** Inflates up to the end of the payload or of a final block; `rest` is the remaining input with the tail. */
function inflateStream(
  payload: Uint8Array,
  history: Uint8Array,
  maxSize: number,
): { output: Uint8Array; rest: Uint8Array } {
  const known = history.subarray(-MAX_WINDOW);
  const prefix = known.length > 0 ? STORED_BLOCK_HEADER + known.length : 0;
  const input = new Uint8Array(prefix + payload.length + TAIL.length);
  if (prefix > 0) {
    // Not every runtime's zlib takes a dictionary; a stored block in front does the same.
    const { length } = known;
    input.set([0, length, length >>> 8, ~length, ~length >>> 8]);
    input.set(known, STORED_BLOCK_HEADER);
  }
  input.set(payload, prefix);
  input.set(TAIL, prefix + payload.length);
  let result: { buffer: Uint8Array; engine: { bytesWritten: number } };
  try {
    result = inflateRawSync(input, {
      finishFlush: constants.Z_SYNC_FLUSH,
      chunkSize: Math.min(
        Math.max(MIN_CHUNK, known.length + USUAL_RATIO * payload.length),
        MAX_CHUNK,
      ),
      // zlib must not stop short of the last byte that is allowed, and takes no limit below 1.
      maxOutputLength: Math.max(1, known.length + maxSize),
      info: true,
    }) as unknown as typeof result;
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") throw tooBig(maxSize);
    throw corrupt((error as Error).message);
  }
  const { buffer } = result;
  if (buffer.length - known.length > maxSize) throw tooBig(maxSize);
  return {
    // A copy where the buffer holds more, which the message must not keep in memory: the history in front,
    // or space that zlib has not filled.
    output: buffer.length - known.length < buffer.buffer.byteLength
      ? new Uint8Array(buffer.subarray(known.length))
      : new Uint8Array(buffer.buffer),
    rest: input.subarray(result.engine.bytesWritten),
  };
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}
