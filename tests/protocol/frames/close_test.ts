import { describe, it } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  CloseCode,
  closePayload,
  isCloseCode,
  MAX_CLOSE_REASON,
  ProtocolError,
  readCloseStatus,
} from "../../../src/protocol/mod.ts";
import { bytes } from "../../support/notation.ts";

describe("close codes (RFC 6455 §7.4)", () => {
  const ranges: [from: number, to: number, allowed: boolean, why: string][] = [
    [0, 999, false, "§7.4.2: not used"],
    [1000, 1003, true, "§7.4.1"],
    [1004, 1006, false, "§7.4.1: reserved, or must not be set in a Close frame"],
    [1007, 1011, true, "§7.4.1"],
    [1012, 1014, true, "registered later with IANA"],
    [1015, 1015, false, "§7.4.1: must not be set in a Close frame"],
    [1016, 2999, false, "§7.4.2: for this protocol and its extensions, and not assigned"],
    [3000, 4999, true, "§7.4.2: libraries, frameworks, applications"],
    [5000, 65_535, false, "§7.4.2: beyond what is defined"],
  ];
  for (const [from, to, allowed, why] of ranges) {
    it(`${allowed ? "allows" : "refuses"} ${from} to ${to}, received and sent (${why})`, () => {
      for (let code = from; code <= to; code++) assertEquals(isCloseCode(code), allowed);
      for (const code of new Set([from, from + 1, to - 1, to])) {
        if (code < from || code > to) continue;
        const payload = Uint8Array.of(code >> 8, code);
        if (allowed) {
          assertEquals(readCloseStatus(payload), { code, reason: "" });
          assertEquals(closePayload(code), payload);
        } else {
          const error = assertThrows(() => readCloseStatus(payload), ProtocolError, String(code));
          assertEquals([error.closeCode, error.rule], [1002, "RFC 6455 §7.4"]);
          assertThrows(() => closePayload(code), RangeError, String(code));
        }
      }
    });
  }

  it("refuses what is no whole number of two bytes", () => {
    for (const code of [NaN, Infinity, -1000, 1000.5, 65_536 + 1000]) {
      assertEquals(isCloseCode(code), false);
      assertThrows(() => closePayload(code), RangeError);
    }
  });

  it("has a name for every registered code", () => {
    for (const [name, code] of Object.entries(CloseCode)) {
      const onTheWire = name !== "NO_STATUS_RECEIVED" && name !== "ABNORMAL_CLOSURE";
      assertEquals(isCloseCode(code), onTheWire, name);
    }
  });
});

describe("close payload, read (RFC 6455 §5.5.1)", () => {
  it("gives 1005 for an empty payload (§7.1.5)", () => {
    assertEquals(readCloseStatus(new Uint8Array()), { code: 1005, reason: "" });
  });

  it("refuses a payload of one byte with 1002", () => {
    const error = assertThrows(() => readCloseStatus(bytes("03")), ProtocolError, "one byte");
    assertEquals([error.closeCode, error.rule], [1002, "RFC 6455 §5.5.1"]);
  });

  it("gives code and reason, which is UTF-8", () => {
    assertEquals(readCloseStatus(bytes('03e8 "bye ☃"')), { code: 1000, reason: "bye ☃" });
    const longest = bytes(`0fa0 61*${MAX_CLOSE_REASON}`);
    assertEquals(readCloseStatus(longest), { code: 4000, reason: "a".repeat(123) });
  });

  it("refuses a reason that is not UTF-8 with 1007 (§8.1)", () => {
    for (const reason of ["ff", '"a" c0 80', '"a" e2 98', "ed a0 80"]) {
      const error = assertThrows(() => readCloseStatus(bytes(`03e8 ${reason}`)), ProtocolError);
      assertEquals([error.closeCode, error.rule], [1007, "RFC 6455 §5.5.1"], reason);
    }
  });
});

describe("close payload, written (RFC 6455 §5.5.1)", () => {
  it("is empty without a code, and then takes no reason", () => {
    assertEquals(closePayload(), new Uint8Array());
    assertThrows(() => closePayload(undefined, "bye"), RangeError, "without a status code");
  });

  it("takes a reason of 123 bytes and no more, counted in UTF-8 (§5.5)", () => {
    assertEquals(closePayload(1000, "a".repeat(123)).length, 125);
    assertEquals(closePayload(1000, "☃".repeat(41)).length, 125);
    assertThrows(() => closePayload(1000, "a".repeat(124)), RangeError, "124 bytes");
    assertThrows(() => closePayload(1000, "☃".repeat(42)), RangeError, "126 bytes");
  });

  it("refuses a lone surrogate, which has no UTF-8 form", () => {
    assertThrows(() => closePayload(1000, "a\ud800"), RangeError, "lone surrogate");
  });

  it("is read again as it was written", () => {
    const codes = fc.oneof(
      fc.constantFrom(1000, 1001, 1011, 1014),
      fc.integer({ min: 3000, max: 4999 }),
    );
    fc.assert(
      fc.property(codes, fc.string({ unit: "grapheme", maxLength: 20 }), (code, reason) => {
        fc.pre(new TextEncoder().encode(reason).length <= MAX_CLOSE_REASON);
        assertEquals(readCloseStatus(closePayload(code, reason)), { code, reason });
      }),
    );
  });
});
