import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { parseForwarded, parseForwardedFor, unmapped } from "../../src/protocol/mod.ts";

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
      assert(took < 500, `${took} ms for ${JSON.stringify(whole.slice(0, 20))}`);
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
