import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { FIXED_LITERAL_BITS } from "../../../src/protocol/deflate/deflate_alphabet.ts";
import { HuffmanCode } from "../../../src/protocol/deflate/huffman_code.ts";

/** The code fitted to these frequencies, with what every code must be: complete and within its limit. */
function fitted(frequencies: number[], maxBits: number): HuffmanCode {
  const code = new HuffmanCode(frequencies.length, maxBits);
  code.fit(Uint16Array.from(frequencies));
  const symbols = [...code.symbols.subarray(0, code.used)];
  assertEquals(symbols, [...code.lengths.keys()].filter((it) => code.lengths[it] > 0));
  assert(code.lengths.every((length) => length <= maxBits));
  const taken = symbols.reduce((sum, symbol) => sum + 2 ** -code.lengths[symbol], 0);
  assertEquals(taken, 1, "of the space of codes");
  return code;
}

/** How many bits a text of these frequencies takes at the least, in codes of any length. */
function leastSize(frequencies: number[]): number {
  const nodes = frequencies.filter((it) => it > 0);
  let size = 0;
  while (nodes.length > 1) {
    nodes.sort((a, b) => b - a);
    const weight = nodes.pop()! + nodes.pop()!;
    nodes.push(weight);
    size += weight;
  }
  return size;
}

function size(code: HuffmanCode, frequencies: number[]): number {
  return frequencies.reduce((sum, frequency, i) => sum + frequency * code.lengths[i], 0);
}

describe("HuffmanCode", () => {
  const frequency = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5 }), fc.nat(16_000));

  it("is the shortest for any frequencies, where its limit is out of reach", () => {
    const any = fc.array(frequency, { minLength: 2, maxLength: 286 })
      .filter((it) => it.filter((one) => one > 0).length > 1);
    fc.assert(fc.property(any, (frequencies) => {
      const code = fitted(frequencies, 15);
      // A depth of 15 takes a sum of at least the 17th Fibonacci number.
      if (Math.max(...code.lengths) === 15) return;
      assertEquals(size(code, frequencies), leastSize(frequencies));
    }));
  });

  it("keeps its limit, the more frequent symbol never longer", () => {
    const fibonacci = [1, 1];
    while (fibonacci.length < 22) fibonacci.push(fibonacci.at(-1)! + fibonacci.at(-2)!);
    const steep = fc.shuffledSubarray(fibonacci, { minLength: 2 });
    fc.assert(fc.property(steep, fc.integer({ min: 5, max: 15 }), (frequencies, maxBits) => {
      const code = fitted(frequencies, maxBits);
      const order = [...frequencies.keys()].sort((a, b) => frequencies[a] - frequencies[b]);
      for (let i = 1; i < order.length; i++) {
        if (frequencies[order[i]] === frequencies[order[i - 1]]) continue;
        assert(code.lengths[order[i]] <= code.lengths[order[i - 1]]);
      }
    }));
    assertEquals(Math.max(...fitted(fibonacci, 15).lengths), 15);
  });

  it("has two symbols where fewer occur", () => {
    assertEquals([...fitted([0, 0, 0, 0], 15).lengths], [1, 1, 0, 0]);
    assertEquals([...fitted([9, 0, 0, 0], 15).lengths], [1, 1, 0, 0]);
    assertEquals([...fitted([0, 0, 9, 0], 15).lengths], [1, 0, 1, 0]);
  });

  it("forgets what it was fitted to before", () => {
    const code = new HuffmanCode(4, 15);
    code.fit(Uint16Array.of(5, 4, 3, 2));
    code.fit(Uint16Array.of(0, 1, 0, 1));
    assertEquals([...code.lengths], [0, 1, 0, 1]);
  });

  it("writes the example of RFC 1951 §3.2.2", () => {
    const { codes } = HuffmanCode.of(Uint8Array.of(3, 3, 3, 3, 3, 2, 4, 4));
    const written = Array.from(codes, (code) => {
      const bits = (code & 0xffff).toString(2).padStart(code >>> 16, "0");
      return [...bits].reverse().join("");
    });
    assertEquals(written, ["010", "011", "100", "101", "110", "00", "1110", "1111"]);
  });

  it("writes the fixed code of RFC 1951 §3.2.6", () => {
    const { codes } = HuffmanCode.of(FIXED_LITERAL_BITS);
    const written = [0, 143, 144, 255, 256, 279, 280, 287].map((symbol) => {
      const bits = (codes[symbol] & 0xffff).toString(2).padStart(codes[symbol] >>> 16, "0");
      return [...bits].reverse().join("");
    });
    assertEquals(written, [
      "00110000",
      "10111111",
      "110010000",
      "111111111",
      "0000000",
      "0010111",
      "11000000",
      "11000111",
    ]);
  });
});
