import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  encodeFrame,
  encodeTextFrame,
  FIN,
  type NegotiatedExtension,
  Opcode,
  OutputQueue,
  RSV1,
  RSV2,
  Sender,
} from "../../../src/protocol/mod.ts";
import { concat } from "../../support/client_frame.ts";
import { bytes } from "../../support/notation.ts";
import { parseServerFrames } from "../../support/server_frames.ts";

/** All that waits, piece by piece, each copied as writing it would. */
function drain(output: OutputQueue): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let piece = output.next(); piece !== undefined; piece = output.next()) {
    pieces.push(new Uint8Array(piece));
    output.done();
  }
  return pieces;
}

/** What a sender writes. */
function sent(
  act: (sender: Sender) => void,
  extensions: NegotiatedExtension[] = [],
  threshold?: number,
): Uint8Array {
  const output = new OutputQueue();
  act(new Sender(output, extensions, threshold));
  const { length } = output;
  const whole = concat(...drain(output));
  assertEquals(whole.length, length, "OutputQueue.length");
  return whole;
}

const utf8 = new TextEncoder();

describe("sender (RFC 6455 §5, §6.1)", () => {
  it("writes the unmasked text of §5.7", () => {
    assertEquals(sent((it) => it.text("Hello")), bytes('81 05 "Hello"'));
  });

  it("writes the unmasked ping of §5.7, and the pong that answers it", () => {
    assertEquals(
      sent((it) => it.control(Opcode.PING, utf8.encode("Hello"))),
      bytes('89 05 "Hello"'),
    );
    assertEquals(
      sent((it) => it.control(Opcode.PONG, utf8.encode("Hello"))),
      bytes('8a 05 "Hello"'),
    );
  });

  it("writes the unmasked 256 bytes and 64 KiB of §5.7", () => {
    assertEquals(sent((it) => it.binary(new Uint8Array(256))), bytes("82 7e 0100 00*256"));
    assertEquals(
      sent((it) => it.binary(new Uint8Array(65_536))),
      bytes("82 7f 0000000000010000 00*65536"),
    );
  });

  it("writes empty messages and frames", () => {
    assertEquals(sent((it) => it.text("")), bytes("81 00"));
    assertEquals(sent((it) => it.binary(new Uint8Array())), bytes("82 00"));
    assertEquals(sent((it) => it.control(Opcode.CLOSE, new Uint8Array())), bytes("88 00"));
  });

  it("writes lengths in the fewest bytes (§5.2)", () => {
    for (const length of [0, 1, 124, 125, 126, 127, 16_383, 16_384, 65_535, 65_536, 100_000]) {
      const header = length < 126
        ? bytes(`82 ${length.toString(16).padStart(2, "0")}`)
        : length < 65_536
        ? bytes(`82 7e ${length.toString(16).padStart(4, "0")}`)
        : bytes(`82 7f ${length.toString(16).padStart(16, "0")}`);
      const whole = sent((it) => it.binary(new Uint8Array(length).fill(5)));
      assertEquals(whole.subarray(0, header.length), header, String(length));
      assertEquals(parseServerFrames(whole)[0].payload, new Uint8Array(length).fill(5));
    }
  });

  it("writes texts of every size and width of characters as UTF-8 (§5.6)", () => {
    // The lengths round which headers grow and one way of writing gives place to another.
    const lengths = [1, 41, 42, 62, 63, 64, 65, 125, 126, 1365, 1366, 5461, 5462, 21_845, 65_535];
    for (const length of lengths) {
      for (const text of ["a", "é", "☃", "a☃", "🎉"]) {
        const data = text.repeat(length);
        assertEquals(
          parseServerFrames(sent((it) => it.text(data))),
          [{ firstByte: FIN | Opcode.TEXT, payload: utf8.encode(data) }],
          `${length} times ${text}`,
        );
      }
    }
  });

  it("writes long texts whole, whatever characters stand where one buffer gives place to another", () => {
    for (const character of ["é", "☃", "🎉"]) {
      for (let shift = 0; shift < 4; shift++) {
        const data = "a".repeat(shift) + character.repeat(150_000);
        const before = "b".repeat(shift * 1000);
        const whole = sent((it) => {
          it.text(before);
          it.text(data);
        });
        const [first, second] = parseServerFrames(whole);
        assertEquals(Buffer.compare(first.payload, utf8.encode(before)), 0);
        assertEquals(second.firstByte, FIN | Opcode.TEXT);
        assertEquals(Buffer.compare(second.payload, utf8.encode(data)), 0, character + shift);
      }
    }
  });

  it("refuses a lone surrogate, which has no UTF-8 form, and sends nothing of it (§5.6)", () => {
    for (const length of [0, 1, 63, 64, 200, 6000, 70_000]) {
      for (const lone of ["\ud800", "\udfff", "\udc00\ud800"]) {
        const whole = sent((it) => {
          it.text("before");
          assertThrows(() => it.text("a".repeat(length) + lone), TypeError, "lone surrogate");
          it.text("after");
        });
        assertEquals(whole, bytes('81 06 "before" 81 05 "after"'));
      }
      assertThrows(() => encodeTextFrame("a".repeat(length) + "\ud800"), TypeError);
    }
  });

  it("copies small payloads, so that the caller may change them at once", () => {
    const data = bytes('"small"');
    const whole = sent((it) => {
      it.binary(data);
      data.fill(0);
    });
    assertEquals(whole, bytes('82 05 "small"'));
  });

  it("does not copy the most of a large payload", () => {
    const data = new Uint8Array(2 ** 21);
    const output = new OutputQueue();
    new Sender(output).binary(data);
    let shared = 0;
    for (let piece = output.next(); piece !== undefined; piece = output.next()) {
      if (piece.buffer === data.buffer) shared += piece.length;
    }
    assert(shared > data.length / 2, `${shared} bytes are not copied`);
  });

  it("writes what an independent parser reads as the same messages", () => {
    const message = fc.oneof(
      fc.string({ unit: "binary", maxLength: 300 }),
      fc.tuple(fc.string({ unit: "grapheme", maxLength: 4 }), fc.nat(9000))
        .map(([it, count]) => it.repeat(count)),
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(70_000).map((length) => new Uint8Array(length).fill(length)),
      fc.integer({ min: 262_000, max: 263_000 }).map((length) => new Uint8Array(length).fill(1)),
      fc.uint8Array({ maxLength: 125 }).map((payload) => ({ payload })),
    );
    fc.assert(
      fc.property(fc.array(message, { maxLength: 20 }), (messages) => {
        const whole = sent((sender) => {
          for (const it of messages) {
            if (typeof it === "string") sender.text(it);
            else if (it instanceof Uint8Array) sender.binary(it);
            else sender.control(Opcode.PING, it.payload);
          }
        });
        const expected = messages.map((it) =>
          typeof it === "string"
            ? { firstByte: 0x81, payload: utf8.encode(it) }
            : it instanceof Uint8Array
            ? { firstByte: 0x82, payload: it }
            : { firstByte: 0x89, payload: it.payload }
        );
        assertEquals(parseServerFrames(whole), expected);
      }),
      { numRuns: 200 },
    );
  });
});

describe("sender: one frame in one piece", () => {
  it("encodes a text as the sender writes it", () => {
    for (const text of ["", "Hi", "é☃🎉", "a".repeat(126), "é".repeat(40_000)]) {
      assertEquals(new Uint8Array(encodeTextFrame(text)), sent((it) => it.text(text)));
    }
  });

  it("encodes any other frame as the sender writes it", () => {
    for (const length of [0, 125, 126, 65_535, 65_536]) {
      const payload = new Uint8Array(length).fill(9);
      const frame = encodeFrame(FIN | Opcode.BINARY, payload);
      assertEquals(new Uint8Array(frame), sent((it) => it.binary(payload)));
    }
  });
});

describe("sender: extensions (RFC 6455 §9)", () => {
  /** Appends a letter, unless the payload begins with "-", and marks the message with a bit. */
  const append = (rsv: number, letter: string): NegotiatedExtension => ({
    name: `x-${letter}`,
    session: {
      rsv,
      parameters: [],
      decode: (payload) => payload,
      encode: (payload) => payload[0] === 0x2d ? undefined : concat(payload, letter),
    },
  });
  const both = [append(RSV1, "a"), append(RSV2, "b")];

  it("applies them in the order agreed on, and sets the bits of those that did something", () => {
    assertEquals(sent((it) => it.text("t"), both, 0), bytes('e1 03 "tab"'));
    assertEquals(sent((it) => it.binary(bytes('"t"')), both, 0), bytes('e2 03 "tab"'));
    assertEquals(sent((it) => it.text("-"), both, 0), bytes('81 01 "-"'));
    assertEquals(sent((it) => it.text("t"), both.slice(1), 0), bytes('a1 02 "tb"'));
  });

  it("gives them no control frame", () => {
    assertEquals(sent((it) => it.control(Opcode.PING, bytes('"p"')), both, 0), bytes('89 01 "p"'));
  });

  it("gives them no message below the threshold, counted in bytes", () => {
    assertEquals(sent((it) => it.text("abc"), both, 4), bytes('81 03 "abc"'));
    assertEquals(sent((it) => it.text("abcd"), both, 4), bytes('e1 06 "abcdab"'));
    assertEquals(sent((it) => it.text("éé"), both, 4), bytes('e1 06 "ééab"'));
    assertEquals(sent((it) => it.text("é"), both, 4), bytes('81 02 "é"'));
    assertEquals(sent((it) => it.binary(bytes('"abc"')), both, 4), bytes('82 03 "abc"'));
    const small = sent((it) => it.binary(new Uint8Array(1023)), both);
    assertEquals(small[0], 0x82, "the default is 1024");
    assertEquals(sent((it) => it.binary(new Uint8Array(1024)), both)[0], 0xe2);
  });

  it("refuses a lone surrogate before they see it", () => {
    const whole = sent(
      (it) => {
        assertThrows(() => it.text("\ud800"), TypeError, "lone surrogate");
      },
      both,
      0,
    );
    assertEquals(whole.length, 0);
  });

  it("obeys a threshold that changes", () => {
    const whole = sent((it) => {
      it.threshold = 3;
      it.text("ab");
      it.threshold = 2;
      it.text("ab");
    }, both);
    assertEquals(whole, bytes('81 02 "ab" e1 04 "abab"'));
  });

  it("leaves the caller's payload as it is", () => {
    const data = Buffer.from("abc");
    assert(sent((it) => it.binary(data), both, 0).length > 0);
    assertEquals(data.toString(), "abc");
  });
});
