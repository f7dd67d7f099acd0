import { isIP } from "node:net";
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseForwarded, parseForwardedFor, unmapped } from "../../../src/protocol/mod.ts";
import { HANG_MS } from "../../support/hang.ts";

/** An address as "ip port", "-" for none, "malformed" instead of a list for none at all. */
type Told = string[] | "malformed";

const FORWARDED: [field: string, told: Told][] = [
  // RFC 7239 §4 and §6.
  ['for="_gazonk"', ["-"]],
  ['For="[2001:db8:cafe::17]:4711"', ["2001:db8:cafe::17 4711"]],
  ["for=192.0.2.60;proto=http;by=203.0.113.43", ["192.0.2.60 0"]],
  ["for=192.0.2.43, for=198.51.100.17", ["192.0.2.43 0", "198.51.100.17 0"]],
  ["for=unknown", ["-"]],
  ['for="192.0.2.43:47011"', ["192.0.2.43 47011"]],
  // Around the grammar.
  ["proto=https", ["-"]],
  ["proto=https;FOR=192.0.2.1 , by=_a;for=192.0.2.2", ["192.0.2.1 0", "192.0.2.2 0"]],
  ['for="192.0.2\\.1"', ["192.0.2.1 0"]],
  ['for="a, for=192.0.2.1"', ["-"]],
  ['for="2001:db8::1"', ["2001:db8::1 0"]],
  ['for="[::ffff:192.0.2.1]"', ["192.0.2.1 0"]],
  ['for="[192.0.2.1]"', ["-"]],
  ['for="192.0.2.1:65536"', ["-"]],
  ['for="[fe80::1%eth0]"', ["-"]],
  ["for=192.0.2.256", ["-"]],
  ["", "malformed"],
  ["for", "malformed"],
  ["for=", "malformed"],
  ["for=192.0.2.1,", "malformed"],
  ["for=192.0.2.1 for=192.0.2.2", "malformed"],
  ["for=192.0.2.1;for=192.0.2.2", "malformed"],
  ["for=192.0.2.1:80", "malformed"],
  ['for="192.0.2.1', "malformed"],
  ['for="192.0.2.1"x', "malformed"],
  ["for =192.0.2.1", "malformed"],
];

const FORWARDED_FOR: [field: string, told: string[]][] = [
  ["203.0.113.7", ["203.0.113.7 0"]],
  ["203.0.113.7, 10.0.0.1 ,10.0.0.2", ["203.0.113.7 0", "10.0.0.1 0", "10.0.0.2 0"]],
  ["2001:db8::7", ["2001:db8::7 0"]],
  ["[2001:db8::7]:4711, 203.0.113.7:80", ["2001:db8::7 4711", "203.0.113.7 80"]],
  ["::ffff:203.0.113.7", ["203.0.113.7 0"]],
  ["", ["-"]],
  ["unknown, , 203.0.113.7", ["-", "-", "203.0.113.7 0"]],
  ["203.0.113.7:", ["-"]],
  ["localhost", ["-"]],
  ["1.2.3", ["-"]],
  ["::1]", ["-"]],
  ["[::1", ["-"]],
];

function shown(nodes: ReturnType<typeof parseForwarded>): Told {
  return nodes?.map((it) => it === undefined ? "-" : `${it.ip} ${it.port}`) ?? "malformed";
}

describe("Forwarded (RFC 7239)", () => {
  for (const [field, told] of FORWARDED) {
    it(`${JSON.stringify(field)}: ${told}`, () => assertEquals(shown(parseForwarded(field)), told));
  }
});

describe("X-Forwarded-For", () => {
  for (const [field, told] of FORWARDED_FOR) {
    it(`${JSON.stringify(field)}: ${told}`, () => {
      assertEquals(shown(parseForwardedFor(field)), told);
    });
  }
});

describe("fields of any kind", () => {
  const piece = fc.constantFrom(
    ...['for="[::1]:80"', "for=1.2.3.4", "by=_x", "proto=http"],
    ...',;="\\[]: a',
  );
  const nearly = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));

  it("are told of or malformed, and nothing else; addresses told are addresses", () => {
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string({ unit: "binary" })), (field) => {
        for (const nodes of [parseForwarded(field), parseForwardedFor(field)]) {
          for (const node of nodes ?? []) {
            if (node === undefined) continue;
            assert(isIP(node.ip) > 0, node.ip);
            assert(Number.isInteger(node.port) && node.port >= 0 && node.port <= 65_535);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("tell every address that is in them, in order, with whatever else a proxy says", () => {
    const port = fc.option(fc.integer({ min: 1, max: 65_535 }));
    const hop = fc.tuple(fc.oneof(fc.ipV4(), fc.constantFrom("2001:db8::7", "::1")), port);
    const other = fc.constantFrom("", ";proto=https", ';by="_a, b"', ';host="a;for=b"');
    const hops = fc.array(fc.tuple(hop, other), { minLength: 1, maxLength: 6 });
    fc.assert(fc.property(hops, (hops) => {
      const nodes = hops.map(([[ip, port]]) => {
        const host = ip.includes(":") ? `[${ip}]` : ip;
        return port === null ? host : `${host}:${port}`;
      });
      const told = hops.map(([[ip, port]]) => `${ip} ${port ?? 0}`);
      const elements = nodes.map((node, i) => `for="${node}"${hops[i][1]}`);
      assertEquals(shown(parseForwarded(elements.join(", "))), told);
      assertEquals(shown(parseForwardedFor(nodes.join(", "))), told);
    }));
  });
});

it("hostile fields of 16 KiB are read in a bounded time", () => {
  const hostile = [
    'for="',
    "for=a;",
    "for=a ",
    '"',
    "\\",
    "for",
    "=",
    " ",
    ",",
    "1.",
    "[",
    ":",
    '"\\',
  ];
  for (const piece of hostile) {
    const field = piece.repeat(16_384 / piece.length);
    for (const whole of [field, `for=${field}`, `for="${field}`, `for="${field}"`, field + "\0"]) {
      const began = performance.now();
      parseForwarded(whole);
      parseForwardedFor(whole);
      const took = performance.now() - began;
      assert(took < HANG_MS, `${took} ms for ${JSON.stringify(whole.slice(0, 20))}`);
    }
  }
});

it("an IPv4 address that is written as an IPv6 one is known as what it is (RFC 4291 §2.5.5.2)", () => {
  for (
    const [ip, plain] of [
      ["::ffff:203.0.113.7", "203.0.113.7"],
      ["::FFFF:203.0.113.7", "203.0.113.7"],
      ["0:0:0:0:0:ffff:203.0.113.7", "203.0.113.7"],
      ["::203.0.113.7", "::203.0.113.7"],
      ["2001:db8::ffff:203.0.113.7", "2001:db8::ffff:203.0.113.7"],
      ["203.0.113.7", "203.0.113.7"],
      ["", ""],
    ]
  ) assertEquals(unmapped(ip), plain);
});
