// Compressing and decompressing a message (RFC 7692 §7.2): ours and zlib's synchronous calls.

import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { bench, do_not_optimize, run, summary } from "mitata";
import { RawDeflater } from "../../src/protocol/deflate/deflate_raw.ts";
import { inflateRaw, MAX_INPUT } from "../../src/protocol/deflate/inflate_raw.ts";

/** As many different messages: a processor learns the turns that one alone takes. */
const COUNT = 32;
const FLUSH = { finishFlush: constants.Z_SYNC_FLUSH };
const NONE = new Uint8Array();
const NAMES = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel"];

/** Records as an API would send them, cut to the size. */
function json(size: number, next: (below: number) => number): Uint8Array {
  const records: object[] = [];
  for (let length = 0; length < size; length += 80) {
    records.push({
      id: next(1_000_000),
      user: NAMES[next(8)]! + next(1000),
      score: next(10_000) / 100,
      active: next(2) === 1,
      at: new Date(1_700_000_000_000 + next(1_000_000_000)).toISOString(),
      tags: [NAMES[next(8)], NAMES[next(8)]],
    });
  }
  return new TextEncoder().encode(JSON.stringify(records)).slice(0, size);
}

function noise(size: number, next: (below: number) => number): Uint8Array {
  return Uint8Array.from({ length: size }, () => next(256));
}

function repetitive(size: number, next: (below: number) => number): Uint8Array {
  const piece = noise(20, next);
  return Uint8Array.from({ length: size }, (_, i) => piece[i % piece.length]!);
}

const messages = [
  ["JSON", 150, json],
  ["JSON", 1024, json],
  ["JSON", 4096, json],
  ["JSON", 65_536, json],
  ["random", 1024, noise],
  ["repetitive", 1024, repetitive],
  ["repetitive", 65_536, repetitive],
] as const;

for (const [kind, size, make] of messages) {
  let state = 12_345;
  const next = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >> 8) % below;
  };
  const plain = Array.from({ length: COUNT }, () => make(size, next));
  const flushed = plain.map((it) => new Uint8Array(deflateRawSync(it, { ...FLUSH, level: 3 })));
  const payloads = flushed.map((it) => it.subarray(0, -4));
  const ours = new RawDeflater(15, false);
  const sizes = [plain.map((it) => ours.deflate(it)), payloads].map((list) =>
    Math.round(list.reduce((sum, it) => sum + it.length, 0) / COUNT)
  );

  let turn = 0;
  summary(() => {
    bench(`deflate ${size} B ${kind}, ours: ${sizes[0]} B`, () => {
      do_not_optimize(ours.deflate(plain[turn++ % COUNT]!));
    });
    bench(`deflate ${size} B ${kind}, zlib: ${sizes[1]} B`, () => {
      do_not_optimize(deflateRawSync(plain[turn++ % COUNT]!, { ...FLUSH, level: 3 }));
    });
  });
  if (Math.max(...payloads.map((it) => it.length)) > MAX_INPUT) continue;
  summary(() => {
    bench(`inflate ${size} B ${kind}, ours`, () => {
      do_not_optimize(inflateRaw(payloads[turn++ % COUNT]!, NONE, size));
    });
    bench(`inflate ${size} B ${kind}, zlib`, () => {
      do_not_optimize(inflateRawSync(flushed[turn++ % COUNT]!, FLUSH));
    });
  });
}

if (import.meta.main) await run();
