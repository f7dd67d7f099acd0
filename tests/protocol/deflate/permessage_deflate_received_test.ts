import { Buffer } from "node:buffer";
import process from "node:process";
import { describe, it } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type ExtensionSession, ProtocolError } from "../../../src/protocol/mod.ts";
import { clientFrame, concat } from "../../support/client_frame.ts";
import { agree, extensions, noise, squeeze } from "../../support/deflate.ts";
import { bytes } from "../../support/notation.ts";
import { receive, record } from "../../support/recorder.ts";
import { everySplit } from "../../support/splits.ts";

const RSV1 = 0x40;
const MIB = 2 ** 20;

describe("permessage-deflate, received (RFC 7692 §7.2.2)", () => {
  const text = "again and again and again";

  it("takes the second Hello of §7.2.3.2, which refers to the first", () => {
    const session = agree("", { contextTakeover: true });
    const sent = bytes("c1 87 00000000 f248cdc9c90700 c1 85 00000000 f200110000");
    const told = receive([sent], { extensions: extensions(session) }).lines;
    assertEquals(told, ["text Hello", "text Hello"]);
  });

  it("refuses the second Hello of §7.2.3.2 with 1007 where there is no takeover", () => {
    const sent = bytes("c1 87 00000000 f248cdc9c90700 c1 85 00000000 f200110000");
    const told = receive([sent], { extensions: extensions() }).lines;
    assertEquals(told, ["text Hello", "fail 1007 RFC 7692 §7.2.2"]);
  });

  it("keeps what goes uncompressed out of the window (§7.2.3.2)", () => {
    const session = agree("", { contextTakeover: true });
    const told = receive([
      bytes("c1 87 00000000 f248cdc9c90700"),
      clientFrame(1, "in between"),
      clientFrame(9, "p"),
      bytes("c1 85 00000000 f200110000"),
    ], { extensions: extensions(session) }).lines;
    assertEquals(told, ["text Hello", "text in between", "ping 70", "text Hello"]);
  });

  it("takes fragments, cut anywhere, with control frames between (§6.1)", () => {
    const payload = squeeze(text);
    for (let at = 0; at <= payload.length; at++) {
      const told = receive([
        clientFrame(1, payload.subarray(0, at), { rsv: RSV1, fin: false }),
        clientFrame(9, "p"),
        clientFrame(0, payload.subarray(at)),
      ], { extensions: extensions() }).lines;
      assertEquals(told, ["ping 70", `text ${text}`], `cut at ${at}`);
    }
  });

  it("refuses RSV1 in a later fragment and in a control frame with 1002 (§6.1)", () => {
    const first = clientFrame(1, squeeze(text), { rsv: RSV1, fin: false });
    for (const frame of [clientFrame(0, "", { rsv: RSV1 }), clientFrame(9, "", { rsv: RSV1 })]) {
      const told = receive([first, frame], { extensions: extensions() }).lines;
      assertEquals(told, ["fail 1002 RFC 6455 §5.2"]);
    }
  });

  it("refuses RSV1 where the extension was not agreed on with 1002", () => {
    assertEquals(receive([clientFrame(1, squeeze(text), { rsv: RSV1 })]).lines, [
      "fail 1002 RFC 6455 §5.2",
    ]);
  });

  it("checks the UTF-8 of what comes out (RFC 6455 §8.1)", () => {
    for (const bad of ["ff", '"a" c080', "e298"]) {
      const frame = clientFrame(1, squeeze(bytes(bad)), { rsv: RSV1 });
      assertEquals(receive([frame], { extensions: extensions() }).lines, [
        "fail 1007 RFC 6455 §8.1",
      ]);
    }
    const frame = clientFrame(1, squeeze("é☃🎉"), { rsv: RSV1 });
    for (const pieces of everySplit(frame)) {
      assertEquals(receive(pieces, { extensions: extensions() }).lines, ["text é☃🎉"]);
    }
  });

  it("takes blocks with BFINAL within a message, each a stream of its own (§7.2.3.4)", () => {
    for (const contextTakeover of [false, true]) {
      const session = agree("", { contextTakeover });
      const final = deflateRawSync(text);
      const messages: [payload: Uint8Array, expected: string][] = [
        [concat(final, Uint8Array.of(0)), text],
        [final, text],
        [concat(final, squeeze("!")), text + "!"],
        [concat(final, final, Uint8Array.of(0)), text + text],
        [concat(squeeze("!"), bytes("00 00 ff ff"), final, Uint8Array.of(0)), "!" + text],
        [concat(deflateRawSync(""), Uint8Array.of(0)), ""],
      ];
      for (const [payload, expected] of messages) {
        const message = session.decode(payload.slice(), 1000);
        assertEquals(new TextDecoder().decode(message), expected);
      }
    }
  });

  it("keeps what came out as the window after a block with BFINAL", () => {
    const session = agree("", { contextTakeover: true });
    session.decode(concat(deflateRawSync("Hello"), Uint8Array.of(0)), 100);
    assertEquals(session.decode(bytes("f200110000"), 100), bytes('"Hello"'));
  });

  it("takes 8 blocks with BFINAL in a message and refuses a flood of them with 1007", () => {
    const final = deflateRawSync("a");
    const of = (count: number) => concat(...new Array<Uint8Array>(count).fill(final), bytes("00"));
    assertEquals(agree().decode(of(8), 100), bytes('"aaaaaaaa"'));
    for (const count of [9, 100, 100_000]) {
      const error = assertThrows(() => agree().decode(of(count), 10 * MIB), ProtocolError, "final");
      assertEquals(error.closeCode, 1007);
    }
  });

  it("refuses corrupt data with 1007", () => {
    const corrupt = [
      ["the reserved block type", "07"],
      ["the reserved block type, not final", "06"],
      ["a stored block whose lengths differ", '00 0500 faf0 "Hello" 00'],
      ["a reference to before the beginning", "f200110000"],
      ["bad code lengths", "05 e0 81 08 00 00 00 00 20 7f eb 0b 00 00"],
      ["noise", "ff ff ff ff ff ff"],
    ];
    for (const [why, data] of corrupt) {
      const frame = clientFrame(2, bytes(data), { rsv: RSV1 });
      const told = receive([frame], { extensions: extensions() }).lines;
      assertEquals(told, ["fail 1007 RFC 7692 §7.2.2"], why);
    }
  });

  it("comes to a message or to a ProtocolError for any bytes", () => {
    const nearly = fc.tuple(fc.string(), fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
      const data = squeeze(text.repeat(5));
      data[at % data.length] = byte;
      return data;
    });
    const any = fc.array(fc.oneof(nearly, fc.uint8Array({ maxLength: 100 })), { maxLength: 4 });
    fc.assert(
      fc.property(any, fc.boolean(), fc.nat(200), (payloads, contextTakeover, maxSize) => {
        const session = agree("", { contextTakeover });
        for (const payload of payloads) {
          try {
            assert(session.decode(payload.slice(), maxSize).length <= maxSize);
          } catch (error) {
            assert(error instanceof ProtocolError, String(error));
            assert(error.closeCode === 1007 || error.closeCode === 1009, String(error));
            return;
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("gives bytes of their own, that hold on to no memory besides", () => {
    for (const contextTakeover of [false, true]) {
      const session = agree("", { contextTakeover });
      for (const size of [0, 1, 20, 5000, 70_000]) {
        const payload = squeeze(noise(size));
        const message = session.decode(payload, MIB);
        payload.fill(0xff);
        assertEquals(Buffer.compare(message, noise(size)), 0);
        assertEquals(message.constructor, Uint8Array);
        const { byteLength } = message.buffer;
        assert(byteLength <= 1024 + 2 * size, `${size} bytes hold on to ${byteLength}`);
        message.fill(0);
      }
      assertEquals(session.decode(squeeze(text), 100), new TextEncoder().encode(text));
    }
  });
});

describe("permessage-deflate: the limit on the size (RFC 7692 §8)", () => {
  function refused(session: ExtensionSession, payload: Uint8Array, maxSize: number): void {
    const error = assertThrows(() => session.decode(payload, maxSize), ProtocolError);
    assertEquals([error.closeCode, error.rule], [1009, "maxRecvSize"]);
  }

  it("takes a message of just the limit and refuses a byte more with 1009", () => {
    for (const size of [0, 1, 100, 16_383, 16_384, 16_385, 32_768, 65_536, 200_000]) {
      const data = new Uint8Array(size).fill(7);
      assertEquals(agree().decode(squeeze(data), size).length, size);
      if (size > 0) refused(agree(), squeeze(data), size - 1);
    }
  });

  it("does so with a window of earlier messages, which does not count", () => {
    for (const before of [10, 40_000]) {
      for (const size of [1, 16_384, 100_000]) {
        const session = agree("", { contextTakeover: true });
        session.decode(squeeze(noise(before)), MIB);
        const data = new Uint8Array(size).fill(7);
        assertEquals(session.decode(squeeze(data), size), data);
        refused(session, squeeze(data), size - 1);
      }
    }
  });

  it("counts all blocks with BFINAL of a message together", () => {
    const final = deflateRawSync(new Uint8Array(1000));
    const payload = concat(final, final, final, Uint8Array.of(0));
    assertEquals(agree().decode(payload.slice(), 3000).length, 3000);
    for (const maxSize of [2999, 2000, 1999, 1000, 999]) refused(agree(), payload.slice(), maxSize);
  });

  it("fails a bomb of 10 GB in 10 MB with 1009, in flat memory", () => {
    // A megabyte of zeros that refers to nothing before it, ten thousand times.
    const part = deflateRawSync(new Uint8Array(MIB), { finishFlush: constants.Z_FULL_FLUSH });
    const bomb = concat(...new Array<Uint8Array>(10_000).fill(part));
    assert(bomb.length < 16 * MIB);
    const frame = clientFrame(2, bomb, { rsv: RSV1 });
    for (const contextTakeover of [false, true]) {
      const { receiver, recorder } = record({
        extensions: extensions(agree("", { contextTakeover })),
        maxMessageSize: 16 * MIB,
      });
      const before = process.memoryUsage().rss;
      receiver.push(frame.slice());
      assertEquals(recorder.lines, ["fail 1009 maxRecvSize"]);
      const grown = process.memoryUsage().rss - before;
      assert(grown < 150 * MIB, `grown by ${grown} bytes`);
    }
  });

  it("refuses what is over the limit already as it comes", () => {
    const frame = clientFrame(2, squeeze(noise(2000)), { rsv: RSV1 });
    const told = receive([frame.subarray(0, 10)], {
      extensions: extensions(),
      maxMessageSize: 1000,
    });
    assertEquals(told.lines, ["fail 1009 maxRecvSize"]);
  });
});
