import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  FIN,
  FrameHeader,
  frameHeaderLength,
  MAX_HEADER_LENGTH,
  Opcode,
  readFrameHeader,
  RSV,
  RSV1,
  RSV2,
  RSV3,
  writeFrameHeader,
} from "../../../src/protocol/mod.ts";
import { bytes, hex } from "../../support/notation.ts";

/** Reads the header at the beginning of some bytes, all of which it must take. */
function read(notation: string): FrameHeader {
  const data = bytes(notation);
  const header = new FrameHeader();
  assertEquals(readFrameHeader(header, data, 0, data.length), data.length, notation);
  return header;
}

function written(firstByte: number, payloadLength: number): string {
  const target = new Uint8Array(16);
  const count = writeFrameHeader(target, 2, firstByte, payloadLength);
  assertEquals(count, frameHeaderLength(payloadLength));
  assertEquals(target.subarray(2 + count), new Uint8Array(14 - count), "bytes after the header");
  return hex(target.subarray(2, 2 + count));
}

describe("frame header, read (RFC 6455 §5.2)", () => {
  it("gives FIN, the reserved bits and the opcode of the first byte", () => {
    for (let first = 0; first < 256; first++) {
      const header = new FrameHeader();
      assertEquals(readFrameHeader(header, Uint8Array.of(first, 0), 0, 2), 2);
      assertEquals(header.fin, first >= 0x80);
      assertEquals(header.rsv, first & RSV);
      assertEquals(header.opcode, first & 15);
    }
    assertEquals(RSV, RSV1 | RSV2 | RSV3);
  });

  const lengths: [notation: string, length: number, minimal: boolean][] = [
    ["82 00", 0, true],
    ["82 7d", 125, true],
    ["82 7e 0000", 0, false],
    ["82 7e 007d", 125, false],
    ["82 7e 007e", 126, true],
    ["82 7e 0100", 256, true],
    ["82 7e ffff", 65_535, true],
    ["82 7f 0000000000000000", 0, false],
    ["82 7f 000000000000ffff", 65_535, false],
    ["82 7f 0000000000010000", 65_536, true],
    ["82 7f 0000000080000000", 2 ** 31, true],
    ["82 7f 00000000ffffffff", 2 ** 32 - 1, true],
    ["82 7f 0000000100000000", 2 ** 32, true],
    ["82 7f 001fffffffffffff", Number.MAX_SAFE_INTEGER, true],
    ["82 7f 4000000000000000", 2 ** 62, true],
    ["82 7f 7fffffffffffffff", 2 ** 63, true],
    ["82 7f 8000000000000000", 2 ** 63, false],
    ["82 7f ffffffffffffffff", 2 ** 64, false],
  ];
  for (const [notation, length, minimal] of lengths) {
    it(`reads the length of ${notation}: ${length}${minimal ? "" : ", not as it must be"}`, () => {
      const header = read(notation);
      assertEquals(header.payloadLength, length);
      assertEquals(header.minimal, minimal);
      assertEquals(header.masked, false);
    });
  }

  it("gives the masking key with its first byte lowest, behind each kind of length", () => {
    for (const start of ["81 80", "81 fe 0200", "81 ff 0000000000020000"]) {
      const header = read(`${start} 01020384`);
      assertEquals(header.masked, true);
      assertEquals(header.maskingKey >>> 0, 0x84030201);
    }
  });

  it("has no masking key in an unmasked frame, also after a masked one", () => {
    const header = new FrameHeader();
    readFrameHeader(header, bytes("81 80 01020304"), 0, 6);
    readFrameHeader(header, bytes("81 00"), 0, 2);
    assertEquals([header.masked, header.maskingKey], [false, 0]);
  });

  it("tells that a header has not come whole, for every part of it", () => {
    for (const notation of ["81 85 37fa213d", "81 fe 0200 37fa213d", "81 7e 0200"]) {
      const whole = bytes(notation);
      for (let end = 0; end < whole.length; end++) {
        assertEquals(readFrameHeader(new FrameHeader(), whole, 0, end), 0, `${notation}, ${end}`);
      }
    }
    const longest = bytes("82 ff 0000000000010000 37fa213d");
    assertEquals(longest.length, MAX_HEADER_LENGTH);
    for (let end = 0; end < longest.length; end++) {
      assertEquals(readFrameHeader(new FrameHeader(), longest, 0, end), 0);
    }
  });

  it("reads no byte outside of the range", () => {
    const data = bytes("ff ff 81 fe 0100 01020304 ff ff");
    const header = new FrameHeader();
    assertEquals(readFrameHeader(header, data, 2, 9), 0);
    assertEquals(readFrameHeader(header, data, 2, 10), 8);
    assertEquals(header.payloadLength, 256);
  });
});

describe("frame header, written (RFC 6455 §5.2)", () => {
  const lengths: [length: number, expected: string][] = [
    [0, "82 00"],
    [125, "82 7d"],
    [126, "82 7e 00 7e"],
    [65_535, "82 7e ff ff"],
    [65_536, "82 7f 00 00 00 00 00 01 00 00"],
    [2 ** 31, "82 7f 00 00 00 00 80 00 00 00"],
    [2 ** 32, "82 7f 00 00 00 01 00 00 00 00"],
    [Number.MAX_SAFE_INTEGER, "82 7f 00 1f ff ff ff ff ff ff"],
  ];
  for (const [length, expected] of lengths) {
    it(`writes a length of ${length} in the fewest bytes`, () => {
      assertEquals(written(FIN | Opcode.BINARY, length), expected);
    });
  }

  it("writes what can be read again, never masked (§5.1)", () => {
    const length = fc.oneof(
      fc.nat(300),
      fc.integer({ min: 65_000, max: 66_000 }),
      fc.maxSafeNat(),
    );
    fc.assert(fc.property(fc.nat(255), length, (firstByte, payloadLength) => {
      const target = new Uint8Array(MAX_HEADER_LENGTH);
      const count = writeFrameHeader(target, 0, firstByte, payloadLength);
      const header = new FrameHeader();
      assertEquals(readFrameHeader(header, target, 0, count), count);
      assertEquals((header.fin ? FIN : 0) | header.rsv | header.opcode, firstByte);
      assertEquals(header.payloadLength, payloadLength);
      assert(header.minimal && !header.masked);
    }));
  });
});
