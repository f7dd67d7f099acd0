import { Buffer } from "node:buffer";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ProtocolError, type ProxyHeader, ProxyHeaderParser } from "../../../src/protocol/mod.ts";
import { concat } from "../../support/client_frame.ts";
import { bytes } from "../../support/notation.ts";
import { anyCuts, cutAnywhere, everySplit, singleBytes } from "../../support/splits.ts";

const SIGNATURE = "0d0a0d0a000d0a515549540a";
const V4 = "cb007107 c0000201 1267 01bb";
const V6 = "20010db8000000000000000000000007 20010db8000000000000000000000001 1267 01bb";
const MAPPED = "00000000000000000000ffffcb007107 20010db8000000000000000000000001 1267 01bb";
const REST = "GET / HTTP/1.1\r\n";

function line(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\r\n`);
}

/** A header of version 2: command and family, then what the length counts. */
function binary(commandAndFamily: string, payload = ""): Uint8Array {
  const body = bytes(payload);
  const length = body.length.toString(16).padStart(4, "0");
  return concat(bytes(`${SIGNATURE} ${commandAndFamily} ${length}`), body);
}

/** Headers with the address that they tell, "-" for none. */
const GOOD: [what: string, header: Uint8Array, source: string][] = [
  ["TCP over IPv4", line("PROXY TCP4 203.0.113.7 192.0.2.1 4711 443"), "203.0.113.7 4711"],
  ["TCP over IPv6", line("PROXY TCP6 2001:db8::7 2001:db8::1 4711 443"), "2001:db8::7 4711"],
  [
    "the longest line",
    line(`PROXY TCP6 ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535`),
    `${"ffff:".repeat(7)}ffff 65535`,
  ],
  ["an IPv4 address as IPv6", line("PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2"), "203.0.113.7 1"],
  ["unknown", line("PROXY UNKNOWN"), "-"],
  ["unknown, with more", line("PROXY UNKNOWN ffff::1 ffff::2 1 2"), "-"],
  ["a line of 107 bytes", line(`PROXY UNKNOWN ${"x".repeat(91)}`), "-"],
  ["version 2, TCP over IPv4", binary("2111", V4), "203.0.113.7 4711"],
  ["version 2, TCP over IPv6", binary("2121", V6), "2001:db8::7 4711"],
  ["version 2, an IPv4 address as IPv6", binary("2121", MAPPED), "203.0.113.7 4711"],
  [
    "version 2, with more behind the addresses",
    binary("2111", `${V4} 030004 00000000`),
    "203.0.113.7 4711",
  ],
  ["version 2, the proxy's own", binary("2000"), "-"],
  ["version 2, the proxy's own, with addresses", binary("2011", V4), "-"],
  ["version 2, unspecified", binary("2100", "61*20"), "-"],
  ["version 2, a Unix socket", binary("2131", "61*216"), "-"],
];

const BAD: [what: string, header: Uint8Array][] = [
  ["a request", line("GET / HTTP/1.1")],
  ["a TLS handshake", bytes("160301 0200")],
  ["frames", bytes("81 85 00000000")],
  ["lower case", line("proxy TCP4 203.0.113.7 192.0.2.1 4711 443")],
  ["another protocol", line("PROXY UDP4 203.0.113.7 192.0.2.1 4711 443")],
  ["another version of IP", line("PROXY TCP4 2001:db8::7 2001:db8::1 4711 443")],
  ["two versions of IP", line("PROXY TCP6 2001:db8::7 192.0.2.1 4711 443")],
  ["no address", line("PROXY TCP4 203.0.113.256 192.0.2.1 4711 443")],
  ["no port", line("PROXY TCP4 203.0.113.7 192.0.2.1 4711")],
  ["a port too high", line("PROXY TCP4 203.0.113.7 192.0.2.1 65536 443")],
  ["a port with a zero before it", line("PROXY TCP4 203.0.113.7 192.0.2.1 04711 443")],
  ["more at the end", line("PROXY TCP4 203.0.113.7 192.0.2.1 4711 443 x")],
  ["two blanks", line("PROXY TCP4  203.0.113.7 192.0.2.1 4711 443")],
  ["a line without end", new TextEncoder().encode(`PROXY UNKNOWN ${"x".repeat(200)}`)],
  ["a line of 108 bytes", line(`PROXY UNKNOWN ${"x".repeat(92)}`)],
  ["a lone line feed", new TextEncoder().encode(`PROXY UNKNOWN\n${"x".repeat(200)}`)],
  ["version 1 in the form of 2", binary("1111", V4)],
  ["an unknown command", binary("2211", V4)],
  ["an unknown family", binary("2141", V4)],
  ["an unknown protocol", binary("2113", V4)],
  ["datagrams", binary("2112", V4)],
  ["addresses cut off", binary("2111", "cb007107")],
  ["IPv6 addresses cut off", binary("2121", V4)],
  ["a length over the limit", bytes(`${SIGNATURE} 2111 ffff`)],
];

/** The source told, "-" for none, or "unfinished". */
function parse(pieces: Iterable<Uint8Array>, maxSize = 4096): string {
  const parser = new ProxyHeaderParser(maxSize);
  for (const piece of pieces) {
    const header = parser.push(piece);
    if (header !== undefined) return shown(header);
  }
  return "unfinished";
}

function shown({ source }: ProxyHeader): string {
  return source === undefined ? "-" : `${source.ip} ${source.port}`;
}

describe("a PROXY header", () => {
  for (const [what, header, source] of GOOD) {
    it(`tells the source, at every split: ${what}`, () => {
      for (const pieces of everySplit(header)) {
        const parser = new ProxyHeaderParser(4096);
        for (const piece of pieces.slice(0, -1)) assertEquals(parser.push(piece), undefined);
        const header = parser.push(concat(pieces.at(-1)!, REST));
        assertEquals(header && shown(header), source);
        assertEquals(Buffer.from(parser.rest).toString(), REST);
      }
    });
  }

  for (const [what, header] of BAD) {
    it(`is refused, at every split: ${what}`, () => {
      for (const pieces of everySplit(header)) assertThrows(() => parse(pieces), ProtocolError);
    });
  }

  it("may have as many bytes as is said, and no more", () => {
    const header = binary("2111", `${V4} 00*100`);
    assertEquals(parse([header], header.length), "203.0.113.7 4711");
    assertThrows(() => parse([header], header.length - 1), ProtocolError);
    assertThrows(() => parse([line("PROXY UNKNOWN")], 14), ProtocolError);
  });

  it("is refused at its first wrong byte", () => {
    for (const beginning of ["PROXX", "X", "PROXY\r", "\r\n\r\nX", "\n"]) {
      assertThrows(() => parse([new TextEncoder().encode(beginning)]), ProtocolError);
    }
  });

  it("of any bytes comes to the same however they are split", () => {
    const start = fc.constantFrom(
      "",
      "PROXY UNKNOWN\r\n",
      "PROXY TCP4 ",
      `x${SIGNATURE}`,
      `x${V4}`,
    );
    const outcome = (pieces: Uint8Array[]) => {
      const parser = new ProxyHeaderParser(256);
      try {
        for (const [i, piece] of pieces.entries()) {
          const header = parser.push(piece);
          if (header === undefined) continue;
          return [header.source, concat(parser.rest, ...pieces.slice(i + 1))];
        }
        return "unfinished";
      } catch (error) {
        assert(error instanceof ProtocolError);
        return "refused";
      }
    };
    fc.assert(
      fc.property(
        start,
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        anyCuts,
        (start, random, cuts) => {
          const first = start.startsWith("x") ? bytes(start.slice(1)) : start;
          const whole = concat(first, random);
          const expected = outcome([whole]);
          assertEquals(outcome(cutAnywhere(whole, cuts)), expected);
          assertEquals(outcome(singleBytes(whole)), expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("of any bytes is unfinished, told or refused, and nothing else", () => {
    const start = fc.constantFrom("", "PROXY ", "PROXY TCP4 ", `x${SIGNATURE}`, `x${SIGNATURE}21`);
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 300 }), (beginning, random) => {
        const first = beginning.startsWith("x") ? bytes(beginning.slice(1)) : beginning;
        const parser = new ProxyHeaderParser(256);
        try {
          const header = parser.push(concat(first, random));
          assert(header === undefined || parser.rest.length <= random.length);
        } catch (error) {
          assert(error instanceof ProtocolError);
        }
      }),
    );
  });
});
