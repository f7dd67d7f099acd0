import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { aside, fitsAside, maskAside } from "../../../src/protocol/frames/mask.ts";
import { applyMask } from "../../../src/protocol/mod.ts";
import { bytes } from "../../support/notation.ts";

/** RFC 6455 §5.3 as it is written: octet i of the result is octet i XOR octet (i mod 4) of the key. */
function maskOneByOne(
  data: Uint8Array,
  start: number,
  end: number,
  key: Uint8Array,
  phase: number,
): void {
  for (let i = start; i < end; i++) data[i] ^= key[(i - start + phase) % 4];
}

function keyNumber(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset).getInt32(0, true);
}

/** Whether what `applyMask` returned says that the result is all ASCII. */
function saysAscii(seen: number): boolean {
  return (seen & 0x80808080) === 0;
}

function check(
  data: Uint8Array,
  offset: number,
  [start, end]: readonly [number, number],
  key: Uint8Array,
  phase: number,
): void {
  const actual = new Uint8Array(new ArrayBuffer(offset + data.length), offset);
  actual.set(data);
  const expected = data.slice();
  maskOneByOne(expected, start, end, key, phase);
  const seen = applyMask(actual, start, end, keyNumber(key), phase);
  assertEquals(actual, expected);
  assertEquals(saysAscii(seen), expected.subarray(start, end).every((it) => it < 0x80));
}

describe("mask (RFC 6455 §5.3)", () => {
  it("unmasks the Hello of §5.7 and masks it again", () => {
    const data = bytes("7f 9f 4d 51 58");
    applyMask(data, 0, 5, keyNumber(bytes("37 fa 21 3d")), 0);
    assertEquals(data, bytes('"Hello"'));
    applyMask(data, 0, 5, keyNumber(bytes("37 fa 21 3d")), 0);
    assertEquals(data, bytes("7f 9f 4d 51 58"));
  });

  it("does what a loop over the bytes does, at every alignment, start, phase and short length", () => {
    const key = bytes("37 fa 21 bd");
    const data = Uint8Array.from({ length: 80 }, (_, i) => i * 37);
    for (let offset = 0; offset < 4; offset++) {
      for (let start = 0; start < 4; start++) {
        for (let phase = 0; phase < 4; phase++) {
          for (let length = 0; length <= 72; length++) {
            check(data, offset, [start, start + length], key, phase);
          }
        }
      }
    }
  });

  it("does what a loop over the bytes does, for any bytes, range, key, phase and alignment", () => {
    const data = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.tuple(fc.integer({ min: 2000, max: 9000 }), fc.nat(255)).map(([length, step]) =>
        Uint8Array.from({ length }, (_, i) => (i * step) >> 3)
      ),
    );
    fc.assert(
      fc.property(
        data,
        fc.tuple(fc.nat(), fc.nat()),
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.nat(3),
        fc.nat(9),
        (data, ends, key, phase, offset) => {
          const [start, end] = ends.map((it) => it % (data.length + 1)).sort((a, b) => a - b);
          check(data, offset, [start, end], key, phase);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("does what a loop over the bytes does, for lengths round those at which methods change", () => {
    const key = bytes("01 82 f3 7f");
    const data = Uint8Array.from({ length: 200_100 }, (_, i) => (i * i) >> 5);
    for (const length of [2048, 4096, 65_536, 131_072, 200_000]) {
      for (const more of [-65, -64, -63, -1, 0, 1, 63, 64, 65]) {
        const start = (more + 65) % 5;
        check(data, more & 3, [start, start + length + more], key, more & 3);
      }
    }
  });

  it("goes on with the key where the piece before ended", () => {
    fc.assert(fc.property(
      fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.integer({ min: 2000, max: 9000 }).map((length) => new Uint8Array(length).fill(length)),
      ),
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.nat(),
      (data, key, at) => {
        const middle = at % data.length;
        const whole = data.slice();
        applyMask(whole, 0, whole.length, keyNumber(key), 0);
        const pieces = data.slice();
        applyMask(pieces, 0, middle, keyNumber(key), 0);
        applyMask(pieces, middle, pieces.length, keyNumber(key), middle & 3);
        assertEquals(pieces, whole);
      },
    ));
  });

  it("tells of ASCII, whatever the key, the alignment and the length", () => {
    for (const length of [3, 23, 24, 25, 40, 70, 2047, 2048, 5000]) {
      for (let offset = 0; offset < 4; offset++) {
        const data = new Uint8Array(new ArrayBuffer(length + 3), offset, length).fill(0x7f);
        maskOneByOne(data, 0, length, bytes("ff 80 c3 a9"), 0);
        const seen = applyMask(data, 0, length, keyNumber(bytes("ff 80 c3 a9")), 0);
        assertEquals(saysAscii(seen), true, `${length} bytes at ${offset}`);
      }
    }
  });

  it("tells of a single byte beyond ASCII wherever it is", () => {
    const tells = (length: number, places: number[]) => {
      for (let offset = 0; offset < 4; offset++) {
        const data = new Uint8Array(new ArrayBuffer(length + 3), offset, length);
        for (const at of places) {
          data[at] = 0x80;
          assertEquals(saysAscii(applyMask(data, 0, length, 0, 0)), false, `byte ${at}`);
          assertEquals(saysAscii(applyMask(data, 0, at, 0, 0)), true, `before byte ${at}`);
          assertEquals(saysAscii(applyMask(data, at + 1, length, 0, 0)), true, `after ${at}`);
          data[at] = 0;
        }
      }
    };
    tells(70, Array.from({ length: 70 }, (_, i) => i));
    tells(4200, [0, 1, 63, 64, 4095, 4096, 4097, 4150, 4199]);
    tells(70_000, [0, 5000, 65_535, 65_536, 69_950, 69_951, 69_952, 69_999]);
  });
});

describe("masking aside", () => {
  it("takes from 2 KiB to 64 KiB", () => {
    const limits = [2047, 2048, 65_536, 65_537];
    assertEquals(limits.map((length) => fitsAside(length)), [false, true, true, false]);
  });

  it("gives what a loop over the bytes gives, and leaves them as they are", () => {
    const lengths = fc.oneof(
      fc.integer({ min: 2048, max: 2200 }),
      fc.integer({ min: 65_400, max: 65_536 }),
      fc.integer({ min: 2048, max: 65_536 }),
    );
    const keys = fc.uint8Array({ minLength: 4, maxLength: 4 });
    fc.assert(fc.property(lengths, fc.nat(20), keys, fc.boolean(), fc.nat(), (
      length,
      start,
      key,
      ascii,
      odd,
    ) => {
      const text = Uint8Array.from({ length }, (_, i) => (i * 37) & 0x7f);
      if (!ascii) text[odd % length] |= 0x80;
      const data = new Uint8Array(start + length + 5);
      data.set(text, start);
      maskOneByOne(data, start, start + length, key, 0);
      const before = data.slice();
      const seen = maskAside(data, start, start + length, keyNumber(key));
      assertEquals(Buffer.compare(aside.subarray(0, length), text), 0);
      assertEquals(saysAscii(seen), ascii);
      assertEquals(Buffer.compare(data, before), 0);
    }));
  });
});
