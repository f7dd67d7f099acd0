import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { decodeAscii, decodeUtf8, Utf8Validator } from "../../../src/protocol/mod.ts";
import { bytes } from "../../support/notation.ts";
import { anyCuts, cutAnywhere, everySplit, singleBytes } from "../../support/splits.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function reference(data: Uint8Array): string | undefined {
  try {
    return strict.decode(data);
  } catch {
    return undefined;
  }
}

/** How many bytes it takes to know that data is not UTF-8; undefined when more could put it right. */
function firstBadByte(data: Uint8Array): number | undefined {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for (let i = 0; i < data.length; i++) {
    try {
      decoder.decode(data.subarray(i, i + 1), { stream: true });
    } catch {
      return i;
    }
  }
  return undefined;
}

/** The number of the piece in which the validator fails, or whether all of it is whole. */
function validate(pieces: readonly Uint8Array[]): number | "whole" | "cut off" {
  const validator = new Utf8Validator();
  for (const [i, piece] of pieces.entries()) {
    // The range is given within something larger, whose other bytes must not count.
    const around = Uint8Array.of(0xff, ...piece, 0xff);
    if (!validator.push(around, 1, 1 + piece.length)) return i;
  }
  return validator.complete ? "whole" : "cut off";
}

function pieceOf(at: number, pieces: readonly Uint8Array[]): number {
  let end = 0;
  return pieces.findIndex((piece) => at < (end += piece.length));
}

/** Bytes that look like UTF-8 more than random ones do: whole texts with a byte changed here and there. */
const nearlyUtf8 = fc.tuple(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }),
).map(([text, changes]) => {
  const data = new TextEncoder().encode(text);
  for (const [at, byte] of changes) if (data.length > 0) data[at % data.length] = byte;
  return data;
});
const anyBytes = fc.oneof(
  nearlyUtf8,
  fc.uint8Array({ maxLength: 40 }),
  fc.array(fc.constantFrom(0x41, 0x80, 0x9f, 0xa0, 0xbf, 0xc2, 0xe0, 0xe2, 0xed, 0xf0, 0xf4, 0xff))
    .map((it) => Uint8Array.from(it)),
  // Long enough for what is checked by a native call.
  fc.tuple(nearlyUtf8, nearlyUtf8, fc.nat(70))
    .map(([a, b, length]) => Uint8Array.from([...a, ...new Uint8Array(length), ...b])),
);

/** How many bytes make the sequence wrong beyond repair, by RFC 3629 §4. */
const malformed: [why: string, notation: string, bad: number][] = [
  ["a continuation byte at the beginning", "80", 0],
  ["the highest continuation byte at the beginning", "bf", 0],
  ["C0, which can only begin an overlong form", "c0 80", 0],
  ["C1, which can only begin an overlong form", "c1 bf", 0],
  ["an overlong form of three bytes", "e0 9f bf", 1],
  ["an overlong form of four bytes", "f0 8f bf bf", 1],
  ["the first surrogate, U+D800", "ed a0 80", 1],
  ["the last surrogate, U+DFFF", "ed bf bf", 1],
  ["the character after the last, U+110000", "f4 90 80 80", 1],
  ["F5, beyond the last character", "f5 80 80 80", 0],
  ["F8, which began five bytes once", "f8 88 80 80 80", 0],
  ["FE", "fe", 0],
  ["FF", "ff", 0],
  ["a character cut off by ASCII", "e2 98 41", 2],
  ["a character cut off by another", "e2 98 e2 98 83", 2],
  ["a continuation byte too many", "e2 98 83 80", 3],
  ["the Greek text of Autobahn 6.3.1", "cebae1bdb9cf83cebcceb5 eda080 656469746564", 12],
  ["the text of Autobahn 6.4.1", "cebae1bdb9cf83cebcceb5 f4908080 656469746564", 12],
];

/** The first and last character of each length (RFC 3629 §3), and their neighbours. */
const wellFormed = [
  "00",
  "7f",
  "c2 80",
  "df bf",
  "e0 a0 80",
  "ed 9f bf",
  "ee 80 80",
  "ef bf bd",
  "ef bf be",
  "ef bf bf",
  "ef bb bf",
  "f0 90 80 80",
  "f4 8f bf bf",
];

describe("UTF-8 validation (RFC 6455 §8.1, RFC 3629)", () => {
  for (const notation of wellFormed) {
    it(`takes ${notation}, alone and around others, at every split`, () => {
      const data = bytes(`${notation} ${notation} 41 ${notation} "${"a".repeat(40)}" ${notation}`);
      for (const pieces of everySplit(data)) assertEquals(validate(pieces), "whole");
    });
  }

  for (const [why, notation, bad] of malformed) {
    it(`fails with byte ${bad} of ${notation}: ${why}`, () => {
      const data = bytes(notation);
      for (const pieces of everySplit(data)) {
        assertEquals(validate(pieces), pieceOf(bad, pieces), pieces.join(" | "));
      }
      const long = bytes(`"${"a".repeat(70)}" ${notation} "${"b".repeat(70)}"`);
      for (const pieces of everySplit(long)) {
        assertEquals(validate(pieces), pieceOf(70 + bad, pieces), pieces.join(" | "));
      }
    });
  }

  it("tells a character that is cut off from a whole one", () => {
    for (const notation of wellFormed) {
      const data = bytes(notation);
      for (let end = 0; end < data.length; end++) {
        assertEquals(validate([data.subarray(0, end)]), end === 0 ? "whole" : "cut off");
      }
    }
  });

  it("knows every first byte, with each kind of second byte, as TextDecoder does", () => {
    const seconds = bytes("00 41 7f 80 8f 90 9f a0 bf c0 c2 e0 f4 ff");
    for (let first = 0; first < 256; first++) {
      for (const second of seconds) {
        const data = Uint8Array.of(first, second);
        const bad = firstBadByte(data);
        const expected = bad ?? (reference(data) === undefined ? "cut off" : "whole");
        assertEquals(validate(singleBytes(data)), expected, data.join(" "));
      }
    }
  });

  it("agrees with TextDecoder on any bytes, and fails in the piece with the first bad one", () => {
    fc.assert(
      fc.property(anyBytes, anyCuts, (data, cuts) => {
        const pieces = data.length === 0 ? [] : cutAnywhere(data, cuts);
        const bad = firstBadByte(data);
        const expected = bad !== undefined
          ? pieceOf(bad, pieces)
          : reference(data) === undefined
          ? "cut off"
          : "whole";
        assertEquals(validate(pieces), expected);
      }),
      { numRuns: 1000 },
    );
  });

  it("begins anew after reset, also within a character", () => {
    const validator = new Utf8Validator();
    assert(validator.push(bytes("e2 98"), 0, 2));
    validator.reset();
    assert(validator.complete);
    assert(validator.push(bytes("41"), 0, 1));
    assert(validator.complete);
  });
});

describe("UTF-8 decoding (RFC 6455 §5.6)", () => {
  it("gives the text, or undefined, as TextDecoder does for any bytes", () => {
    fc.assert(
      fc.property(anyBytes, (data) => {
        const around = Uint8Array.of(0xc3, ...data, 0xa9);
        assertEquals(decodeUtf8(around, 1, 1 + data.length), reference(data));
      }),
      { numRuns: 1000 },
    );
  });

  it("refuses every malformed sequence, also far into a text", () => {
    for (const [why, notation] of malformed) {
      for (const padding of [0, 10, 100, 1000]) {
        const data = bytes(`61*${padding} ${notation} 62*${padding}`);
        assertEquals(decodeUtf8(data, 0, data.length), undefined, why);
      }
    }
  });

  it("keeps a byte order mark, U+FFFD and NUL, which are characters like others", () => {
    const data = bytes("ef bb bf 00 ef bf bd 41 ef bb bf");
    assertEquals(decodeUtf8(data, 0, data.length), "\ufeff\0\ufffdA\ufeff");
  });

  it("decodes ASCII of every length, out of a Uint8Array and out of a Buffer", () => {
    for (let length = 0; length < 600; length += length < 20 ? 1 : 13) {
      const text = Array.from({ length }, (_, i) => String.fromCharCode(i & 0x7f)).join("");
      const data = new TextEncoder().encode(`é${text}é`);
      assertEquals(decodeAscii(data, 2, 2 + length), text);
      assertEquals(decodeUtf8(Buffer.from(data), 2, 2 + length), text);
    }
  });
});
