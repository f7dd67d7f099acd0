// The messages that a connection sends in turn, framed and masked beforehand, and the replies that must come back.

import { constants, deflateRawSync } from "node:zlib";
import { messages } from "../engine_message.ts";
import type { Job } from "../job.ts";

const TEXT = 1;
const BINARY = 2;
const FIN = 0x80;
const RSV1 = 0x40;
const MASKED = 0x80;

/** Below this one ring of messages is laid out twice, so that a write that wraps stays one write. */
const LAID_OUT_TWICE = 1 << 20;

export interface Traffic {
  /** How many different messages go round. */
  count: number;
  payloads: Uint8Array[];
  /** The frames, one after the other; masked, unless they go to a client. */
  sent: Uint8Array;
  /** Bytes from the first frame to the end of the last; `sent` may hold the ring twice. */
  sentRing: number;
  /** Bytes of each frame. */
  sentSizes: number[];
  /** The expected replies, one after the other; undefined where they are compressed or masked. */
  replies: Uint8Array | undefined;
  replyRing: number;
  /** Bytes of each reply; 0 where they are compressed or masked. */
  replySize: number;
  /** Whether replies are compressed. */
  deflate: boolean;
}

/** What a message in a room begins with: the topic, in four digits. */
function topicName(index: number): string {
  return String(index).padStart(4, "0");
}

export function makeTraffic(job: Job): Traffic {
  if (job.kind === "engine") return heard(messages, job.protocol);
  const bytes = job.kind === "idle" || job.kind === "connect" ? 64 : job.bytes;
  // Of several speakers nobody knows who comes first. The number in front names the topic.
  const different = job.kind === "rooms" ? job.topics : 32;
  // The reply to a wrong message must differ from the right one, and the ring must stay in the cache.
  const count = Math.max(1, Math.min(different, Math.floor(262_144 / bytes)));
  const payloads = Array.from(
    { length: count },
    (_, i) => {
      if (job.deflate) return jsonPayload(bytes, i);
      const payload = plainPayload(bytes, i, job.type);
      if (job.kind === "rooms") new TextEncoder().encodeInto(topicName(i), payload);
      return payload;
    },
  );
  const opcode = job.type === "text" ? TEXT : BINARY;
  const ofClient = job.protocol === "client";
  const keyOf = (i: number) => ofClient ? undefined : maskKey(i);
  const frames = payloads.map((payload, i) =>
    job.deflate
      ? frame(FIN | RSV1 | opcode, deflated(payload), keyOf(i))
      : frame(FIN | opcode, payload, keyOf(i))
  );
  const echoes = job.protocol === "tcp"
    ? frames
    : payloads.map((payload) => frame(FIN | opcode, payload, undefined));
  const sent = join(frames);
  const replies = join(echoes);
  return {
    count,
    payloads,
    sent: twiceIfSmall(sent),
    sentRing: sent.length,
    sentSizes: frames.map((one) => one.length),
    replies: job.deflate || ofClient ? undefined : twiceIfSmall(replies),
    replyRing: replies.length,
    replySize: job.deflate || ofClient ? 0 : echoes[0]!.length,
    deflate: job.deflate,
  };
}

/** What subscribers hear, of whom none sends anything. */
function heard(messages: readonly string[], protocol: Job["protocol"]): Traffic {
  const payloads = messages.map((message) =>
    new TextEncoder().encode(protocol === "socket.io" ? `42["m","${message}"]` : message)
  );
  const frames = payloads.map((payload) => frame(FIN | TEXT, payload, undefined));
  const replies = join(frames);
  return {
    count: payloads.length,
    payloads,
    sent: new Uint8Array(0),
    sentRing: 0,
    sentSizes: [],
    replies: twiceIfSmall(replies),
    replyRing: replies.length,
    replySize: frames[0]!.length,
    deflate: false,
  };
}

function frame(first: number, payload: Uint8Array, key: Uint8Array | undefined): Uint8Array {
  const length = payload.length;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const start = 2 + lengthBytes + (key ? 4 : 0);
  const out = new Uint8Array(start + length);
  const view = new DataView(out.buffer);
  const masked = key ? MASKED : 0;
  out[0] = first;
  out[1] = masked | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) view.setUint16(2, length);
  if (lengthBytes === 8) view.setBigUint64(2, BigInt(length));
  out.set(payload, start);
  if (key) {
    out.set(key, start - 4);
    for (let i = 0; i < length; i++) out[start + i]! ^= key[i & 3]!;
  }
  return out;
}

function maskKey(index: number): Uint8Array {
  return Uint8Array.of(0x9d + index, 0x37, 0xc1 ^ index, 0x5a);
}

/** ASCII text with the message's number in front, or bytes of every value. */
function plainPayload(bytes: number, index: number, type: "text" | "binary"): Uint8Array {
  const out = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) {
    const mixed = (i * 31 + index * 17 + (i >> 8) * 7) & 0xff;
    out[i] = type === "binary" ? mixed : 32 + mixed % 95;
  }
  return out;
}

/** Records as an API would send them, cut to the size: they deflate to about a quarter. */
function jsonPayload(bytes: number, index: number): Uint8Array {
  const rows: string[] = [];
  let length = 2;
  let state = 12_345 + index;
  const next = (below: number) => {
    state = Math.imul(state, 1_103_515_245) + 12_345 & 0x7fffffff;
    return (state >> 8) % below;
  };
  while (length < bytes) {
    const row = JSON.stringify({
      id: next(1_000_000),
      name: ["alpha", "bravo", "charlie", "delta"][next(4)],
      price: next(100_000) / 100,
      tags: ["new", "sale", "last"].slice(next(3)),
      at: 1_700_000_000 + next(10_000_000),
    });
    rows.push(row);
    length += row.length + 1;
  }
  return new TextEncoder().encode(`[${rows.join(",")}]`.slice(0, bytes));
}

/** RFC 7692: a deflate block flushed to a byte boundary, less the four bytes that end it. */
function deflated(payload: Uint8Array): Uint8Array {
  const whole = deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH });
  return whole.subarray(0, whole.length - 4);
}

function join(parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function twiceIfSmall(ring: Uint8Array): Uint8Array {
  return ring.length <= LAID_OUT_TWICE ? join([ring, ring]) : ring;
}
