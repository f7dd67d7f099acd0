// Masking (RFC 6455 §5.3): ours a word at a time, and a byte at a time as the RFC writes it.

import { bench, do_not_optimize, run, summary } from "mitata";
import { applyMask } from "../../src/protocol/frames/mask.ts";

const KEY = 0x5ac137_9d | 0;

function byteByByte(bytes: Uint8Array, key: number): void {
  for (let i = 0; i < bytes.length; i++) bytes[i]! ^= key >>> ((i & 3) << 3);
}

for (const size of [16, 64, 1024, 65_536, 1_048_576]) {
  const bytes = new Uint8Array(size).fill(0x61);
  summary(() => {
    bench(`mask ${size} B, applyMask`, () => do_not_optimize(applyMask(bytes, 0, size, KEY, 0)));
    bench(`mask ${size} B, byte by byte`, () => do_not_optimize(byteByByte(bytes, KEY)));
  });
}

// A payload seldom begins at a multiple of four: a header has 6, 8 or 14 bytes.
const unaligned = new Uint8Array(1024 + 6);
bench("mask 1024 B from byte 6 on", () => do_not_optimize(applyMask(unaligned, 6, 1030, KEY, 0)));

if (import.meta.main) await run();
