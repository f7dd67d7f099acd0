// Counts the messages in what a server sends back, and compares a sample of it with what must come.

import { Buffer } from "node:buffer";
import { constants, inflateRawSync } from "node:zlib";
import type { Traffic } from "./traffic.ts";

/** One chunk in this many is compared in full; the first of each connection always is. */
const COMPARE_CHUNK = 16;
/** One message in this many is compared where frames are counted. */
const SAMPLE_MESSAGE = 64;
const MASKED = 0x80;

export interface ReplyCounter {
  /** How many messages end in this chunk. Throws where it is not what the server must send. */
  take(chunk: Uint8Array): number;
  /** Bytes of payload or frames compared so far. */
  compared: number;
}

export function replyCounter(traffic: Traffic): ReplyCounter {
  return traffic.replies === undefined
    ? new FrameCounter(traffic)
    : new PlainCounter(traffic.replies, traffic.replyRing, traffic.replySize);
}

/** Uncompressed replies are all of one size, so that counting bytes counts messages exactly. */
class PlainCounter implements ReplyCounter {
  compared = 0;
  readonly #expected: Buffer;
  readonly #ring: number;
  readonly #size: number;
  /** Position in the ring of expected replies. */
  #at = 0;
  #partial = 0;
  #chunks = 0;

  constructor(expected: Uint8Array, ring: number, size: number) {
    this.#expected = Buffer.from(expected.buffer, expected.byteOffset, expected.byteLength);
    this.#ring = ring;
    this.#size = size;
  }

  take(chunk: Uint8Array): number {
    if (this.#chunks++ % COMPARE_CHUNK === 0) this.#compare(chunk);
    this.#at = (this.#at + chunk.length) % this.#ring;
    const bytes = this.#partial + chunk.length;
    if (bytes < this.#size) {
      this.#partial = bytes;
      return 0;
    }
    this.#partial = bytes % this.#size;
    return (bytes - this.#partial) / this.#size;
  }

  #compare(chunk: Uint8Array): void {
    let at = this.#at;
    for (let from = 0; from < chunk.length;) {
      const length = Math.min(chunk.length - from, this.#expected.length - at);
      if (this.#expected.compare(chunk, from, from + length, at, at + length) !== 0) {
        throw new Error("the server sent other bytes than the expected replies");
      }
      from += length;
      at = (at + length) % this.#ring;
    }
    this.compared += chunk.length;
  }
}

/** Replies that are compressed have sizes that only their headers tell; those of clients are masked. */
class FrameCounter implements ReplyCounter {
  compared = 0;
  readonly #traffic: Traffic;
  readonly #header = new Uint8Array(14);
  #headerBytes = 0;
  #payloadLeft = 0;
  #messages = 0;
  #sample: Uint8Array[] | undefined;

  constructor(traffic: Traffic) {
    this.#traffic = traffic;
  }

  take(chunk: Uint8Array): number {
    const before = this.#messages;
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadLeft === 0) {
        this.#header[this.#headerBytes++] = chunk[at++]!;
        if (this.#headerBytes < this.#headerLength()) continue;
        this.#begin();
      } else {
        const end = Math.min(chunk.length, at + this.#payloadLeft);
        this.#sample?.push(chunk.slice(at, end));
        this.#payloadLeft -= end - at;
        at = end;
      }
      if (this.#payloadLeft === 0) this.#end();
    }
    return this.#messages - before;
  }

  #headerLength(): number {
    if (this.#headerBytes < 2) return 2;
    const second = this.#header[1]!;
    const short = second & 0x7f;
    return (short === 126 ? 4 : short === 127 ? 10 : 2) + (second & MASKED ? 4 : 0);
  }

  #begin(): void {
    const first = this.#header[0]!;
    const short = this.#header[1]! & 0x7f;
    if (this.#traffic.deflate && (first & 0x0f) !== 0 && (first & 0x40) === 0) {
      throw new Error("a message came back that is not compressed");
    }
    this.#payloadLeft = short < 126 ? short : this.#longLength(short);
    if (this.#messages % SAMPLE_MESSAGE === 0) this.#sample ??= [];
  }

  #longLength(short: number): number {
    const view = new DataView(this.#header.buffer);
    return short === 126 ? view.getUint16(2) : Number(view.getBigUint64(2));
  }

  #end(): void {
    const [first, second] = this.#header as unknown as [number, number];
    const key = second & MASKED
      ? this.#header.slice(this.#headerBytes - 4, this.#headerBytes)
      : undefined;
    this.#headerBytes = 0;
    if (this.#sample && key) this.#sample = [unmasked(Buffer.concat(this.#sample), key)];
    if ((first & 0x80) === 0) return;
    if (this.#sample) {
      const payload = this.#traffic.deflate ? inflated(this.#sample) : Buffer.concat(this.#sample);
      const expected = this.#traffic.payloads[this.#messages % this.#traffic.count]!;
      if (payload.compare(expected) !== 0) {
        throw new Error("a message came back with other content than expected");
      }
      this.compared += payload.length;
      this.#sample = undefined;
    }
    this.#messages++;
  }
}

/** Unmasks the payload of a frame; of several fragments only the last would be, and nobody here sends any. */
function unmasked(payload: Buffer, key: Uint8Array): Buffer {
  for (let i = 0; i < payload.length; i++) payload[i]! ^= key[i & 3]!;
  return payload;
}

function inflated(parts: Uint8Array[]): Buffer {
  const tail = Uint8Array.of(0, 0, 0xff, 0xff);
  return inflateRawSync(Buffer.concat([...parts, tail]), { finishFlush: constants.Z_SYNC_FLUSH });
}
