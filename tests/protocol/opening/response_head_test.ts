import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ProtocolError, ResponseHeadParser } from "../../../src/protocol/mod.ts";
import { concat } from "../../support/client_frame.ts";
import { anyCuts, cutAnywhere, everySplit } from "../../support/splits.ts";

const LIMITS = { maxSize: 16_384, maxFields: 100 };

interface Parsed {
  status: number;
  minorVersion: number;
  fields: [name: string, value: string][];
  rest: Uint8Array;
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (it) => it.charCodeAt(0));
}

/** What a parser makes of pieces: a head, the code of its refusal, or nothing yet. */
function parse(pieces: readonly Uint8Array[], limits = LIMITS): Parsed | number | "more" {
  const parser = new ResponseHeadParser(limits);
  for (const [i, piece] of pieces.entries()) {
    const chunk = piece.slice();
    try {
      const head = parser.push(chunk);
      if (head === undefined) {
        // The caller may use the chunk again.
        chunk.fill(0xff);
        continue;
      }
      return {
        status: head.status,
        minorVersion: head.minorVersion,
        fields: [...head],
        rest: concat(parser.rest, ...pieces.slice(i + 1)),
      };
    } catch (error) {
      if (error instanceof ProtocolError) return error.closeCode;
      throw error;
    }
  }
  return "more";
}

const OK: Parsed = { status: 101, minorVersion: 1, fields: [], rest: new Uint8Array() };

const read: [rule: string, text: string, Parsed][] = [
  ["RFC 9112 §4 a status line", "HTTP/1.1 101 Switching Protocols\r\n\r\n", OK],
  ["RFC 9112 §4 an empty reason", "HTTP/1.1 101 \r\n\r\n", OK],
  ["a reason that is left out with its blank", "HTTP/1.1 101\r\n\r\n", OK],
  ["a reason in Latin-1", "HTTP/1.1 101 Müßig\r\n\r\n", OK],
  ["HTTP/1.0", "HTTP/1.0 400 No\r\n\r\n", { ...OK, status: 400, minorVersion: 0 }],
  ["RFC 9112 §5 fields, in order", "HTTP/1.1 101 Ok\r\nA: 1\r\nb:\t2 \r\n\r\n", {
    ...OK,
    fields: [["a", "1"], ["b", "2"]],
  }],
  [
    "RFC 9110 §15.2 interim responses before",
    "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" +
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Ok\r\nA: 1\r\n\r\n",
    {
      ...OK,
      fields: [["a", "1"]],
    },
  ],
  ["what comes behind it", "HTTP/1.1 101 Ok\r\n\r\n\x81\x02Hi", {
    ...OK,
    rest: latin1("\x81\x02Hi"),
  }],
];

const refused: [rule: string, text: string][] = [
  ["another protocol", "SSH-2.0-OpenSSH\r\n\r\n"],
  ["another version", "HTTP/2.0 101 Ok\r\n\r\n"],
  ["a lower-case protocol", "http/1.1 101 Ok\r\n\r\n"],
  ["a status of two digits", "HTTP/1.1 99 Ok\r\n\r\n"],
  ["a status of four digits", "HTTP/1.1 1010 Ok\r\n\r\n"],
  ["a status over 599", "HTTP/1.1 600 Ok\r\n\r\n"],
  ["two blanks", "HTTP/1.1  101 Ok\r\n\r\n"],
  ["a control character in the reason", "HTTP/1.1 101 O\0k\r\n\r\n"],
  ["RFC 9112 §5.1 a blank before the colon", "HTTP/1.1 101 Ok\r\nA : 1\r\n\r\n"],
  ["RFC 9112 §5.2 a folded line", "HTTP/1.1 101 Ok\r\nA: 1\r\n 2\r\n\r\n"],
  ["a line without a colon", "HTTP/1.1 101 Ok\r\nA\r\n\r\n"],
  ["a control character in a value", "HTTP/1.1 101 Ok\r\nA: \x01\r\n\r\n"],
  ["a bare line feed in a value", "HTTP/1.1 101 Ok\r\nA: 1\nB: 2\r\n\r\n"],
  ["a field without a name", "HTTP/1.1 101 Ok\r\n: 1\r\n\r\n"],
];

describe("ResponseHeadParser", () => {
  for (const [rule, text, wanted] of read) {
    it(`reads ${rule}, however it is split`, () => {
      for (const pieces of everySplit(latin1(text))) assertEquals(parse(pieces), wanted);
    });
  }

  for (const [rule, text] of refused) {
    it(`refuses ${rule}, however it is split`, () => {
      for (const pieces of everySplit(latin1(text))) assertEquals(parse(pieces), 1002);
    });
  }

  it("refuses a head over the limit, however it is split, and holds no more than that", () => {
    const fits = latin1(`HTTP/1.1 101 Ok\r\nA: ${"a".repeat(43)}\r\n\r\n`);
    const limits = { maxSize: fits.length, maxFields: 100 };
    for (const pieces of everySplit(fits)) {
      assert(typeof parse(pieces, limits) === "object");
      assertEquals(parse(pieces, { ...limits, maxSize: fits.length - 1 }), 1002);
    }
    const endless = Array.from({ length: 1000 }, () => latin1("HTTP/1.1 101 Ok"));
    assertEquals(parse(endless, limits), 1002);
  });

  it("counts interim responses against the limit", () => {
    const interim = latin1("HTTP/1.1 100 Continue\r\n\r\n");
    const endless = Array.from({ length: 1000 }, () => interim);
    assertEquals(parse(endless), 1002);
    assertEquals(parse([concat(...endless)]), 1002);
  });

  it("refuses more fields than there may be", () => {
    const text = `HTTP/1.1 101 Ok\r\n${"A: 1\r\n".repeat(3)}\r\n`;
    assert(typeof parse([latin1(text)], { ...LIMITS, maxFields: 3 }) === "object");
    assertEquals(parse([latin1(text)], { ...LIMITS, maxFields: 2 }), 1002);
  });

  it("makes the same of any bytes, however they are split", () => {
    const piece = fc.oneof(
      fc.constantFrom("HTTP/1.1 ", "101", " Ok", "\r\n", "\r\n\r\n", "A: b", ":", "100 ", "\n"),
      fc.string({ unit: "binary", maxLength: 8 }).map((it) => it.replace(/[^\0-\xff]/g, "?")),
    );
    const heads = fc.oneof(
      fc.array(piece, { minLength: 1, maxLength: 20 }).map((it) => it.join("")),
      fc.array(piece, { maxLength: 9 }).map((it) => `HTTP/1.1 101 Ok\r\n${it.join("")}\r\n\r\n`),
    ).map(latin1).filter((it) => it.length > 0);
    fc.assert(
      fc.property(heads, anyCuts, (whole, cuts) => {
        const limits = { maxSize: 64, maxFields: 3 };
        assertEquals(parse(cutAnywhere(whole, cuts), limits), parse([whole], limits));
      }),
      { numRuns: 2000 },
    );
  });
});
