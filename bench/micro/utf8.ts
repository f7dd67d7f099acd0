// Checking and decoding UTF-8: ours, and the runtime's TextDecoder.

import { bench, do_not_optimize, run, summary } from "mitata";
import { decodeAscii, decodeUtf8, Utf8Validator } from "../../src/protocol/frames/utf8.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** Whole characters only, about as many bytes as asked for. */
function textOf(pattern: string, size: number): Uint8Array {
  return encoder.encode(pattern.repeat(Math.ceil(size / encoder.encode(pattern).length)));
}

for (const [name, pattern] of [["ASCII", "echo this "], ["mixed", "Grüße, 世界 🦕 "]] as const) {
  for (const size of [64, 1024, 65_536]) {
    const bytes = textOf(pattern, size);
    const validator = new Utf8Validator();
    summary(() => {
      bench(`${name} ${size} B, decodeUtf8`, () => {
        do_not_optimize(decodeUtf8(bytes, 0, bytes.length));
      });
      if (name === "ASCII") {
        bench(`${name} ${size} B, decodeAscii`, () => {
          do_not_optimize(decodeAscii(bytes, 0, bytes.length));
        });
      }
      bench(`${name} ${size} B, TextDecoder`, () => do_not_optimize(decoder.decode(bytes)));
    });
    bench(`${name} ${size} B, validate only`, () => {
      do_not_optimize(validator.push(bytes, 0, bytes.length));
    });
  }
}

if (import.meta.main) await run();
