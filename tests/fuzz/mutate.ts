import { concat } from "../support/client_frame.ts";
import type { Random } from "./random.ts";

/** Bytes that mean something at some place: lengths, opcodes with their bits, ends of lines. */
const MEANINGFUL = [0x00, 0x01, 0x0a, 0x0d, 0x20, 0x22, 0x2c, 0x3a, 0x3b, 0x3d, 0x7d, 0x7e, 0x7f]
  .concat([0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0xc1, 0xf0, 0xfd, 0xfe, 0xff]);

type Mutation = (random: Random, bytes: Uint8Array, other: Uint8Array) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  function flipBits(random, bytes) {
    const changed = bytes.slice();
    for (let count = 1 + random.below(8); count > 0 && bytes.length > 0; count--) {
      changed[random.below(bytes.length)] ^= 1 << random.below(8);
    }
    return changed;
  },
  function setBytes(random, bytes) {
    const changed = bytes.slice();
    for (let count = 1 + random.below(4); count > 0 && bytes.length > 0; count--) {
      changed[random.below(bytes.length)] = random.pick(MEANINGFUL);
    }
    return changed;
  },
  function truncate(random, bytes) {
    return bytes.subarray(0, random.below(bytes.length + 1));
  },
  function remove(random, bytes) {
    const [start, end] = range(random, bytes);
    return concat(bytes.subarray(0, start), bytes.subarray(end));
  },
  function insert(random, bytes) {
    const at = random.below(bytes.length + 1);
    return concat(bytes.subarray(0, at), random.bytes(random.length()), bytes.subarray(at));
  },
  function repeat(random, bytes) {
    const [start, end] = range(random, bytes);
    const times = 1 + random.below(20);
    const piece = bytes.subarray(start, end);
    const repeated = new Array<Uint8Array>(times).fill(piece);
    return concat(bytes.subarray(0, end), ...repeated, bytes.subarray(end));
  },
  function splice(random, bytes, other) {
    const [start, end] = range(random, other);
    const at = random.below(bytes.length + 1);
    return concat(bytes.subarray(0, at), other.subarray(start, end), bytes.subarray(at));
  },
  function claimLength(random, bytes) {
    // A frame that says it is long, at a place where one may begin.
    const at = random.below(bytes.length + 1);
    const eight = random.chance(0.5);
    const claim = [0x80 | random.below(16), 0x80 | (eight ? 127 : 126)];
    for (let i = 0; i < (eight ? 8 : 2); i++) claim.push(random.pick([0, 0, 1, 0x7f, 0x80, 0xff]));
    return concat(bytes.subarray(0, at), Uint8Array.from(claim), bytes.subarray(at));
  },
];

function range(random: Random, bytes: Uint8Array): [start: number, end: number] {
  const start = random.below(bytes.length + 1);
  return [start, Math.min(bytes.length, start + random.length())];
}

/** Changes bytes, several times over. */
export function mutate(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  for (let count = 1 + random.below(4); count > 0; count--) {
    bytes = random.pick(MUTATIONS)(random, bytes, other);
  }
  return bytes;
}

/** Cuts bytes into a few pieces. */
export function cutAtRandom(random: Random, bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = random.chance(0.5) ? bytes.length : 1 + random.below(200);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
