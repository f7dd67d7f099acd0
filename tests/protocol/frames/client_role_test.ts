import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  FrameHeader,
  Opcode,
  OutputQueue,
  readFrameHeader,
  Receiver,
  Sender,
  takeMaskingKey,
} from "../../../src/protocol/mod.ts";
import { concat } from "../../support/client_frame.ts";
import { bytes } from "../../support/notation.ts";
import { Recorder } from "../../support/recorder.ts";
import { anyCuts, cutAnywhere } from "../../support/splits.ts";

function drain(output: OutputQueue): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let piece = output.next(); piece !== undefined; piece = output.next()) {
    pieces.push(piece.slice());
    output.done();
  }
  return concat(...pieces);
}

function sentBy(act: (sender: Sender) => void): Uint8Array {
  const output = new OutputQueue();
  act(new Sender(output, [], 1024, true));
  return drain(output);
}

function receive(chunks: Uint8Array[], fromServer: boolean): Recorder["events"] {
  const recorder = new Recorder();
  const receiver = new Receiver(recorder, { maxMessageSize: 1 << 22, fromServer });
  for (const chunk of chunks) receiver.push(chunk.slice());
  return recorder.events;
}

describe("the frames of a client", () => {
  it("are masked, each with a key of its own, and the payload stays as it was (RFC 6455 §5.3)", () => {
    const payload = new Uint8Array(300_000).map((_, i) => i);
    const before = payload.slice();
    const keys = new Set<number>();
    const header = new FrameHeader();
    for (let i = 0; i < 2000; i++) {
      const frame = sentBy((sender) => sender.binary(payload.subarray(0, i % 200)));
      readFrameHeader(header, frame, 0, frame.length);
      assert(header.masked);
      keys.add(header.maskingKey);
    }
    sentBy((sender) => sender.binary(payload));
    assertEquals(payload, before);
    // Of random keys two are the same once in two million times.
    assert(keys.size > 1990);
  });

  it("have keys that spread over all 32 bits (§10.3)", () => {
    let ones = 0;
    let zeros = 0;
    for (let i = 0; i < 3000; i++) {
      const key = takeMaskingKey();
      ones |= key;
      zeros |= ~key;
    }
    assertEquals([ones, zeros], [-1, -1]);
  });

  it("are understood by the server's side, whatever they hold and however they are split", () => {
    const text = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 300 }),
      fc.tuple(fc.string({ unit: "grapheme", minLength: 1, maxLength: 3 }), fc.nat(3000))
        .map(([it, count]) => it.repeat(count)),
    );
    const binary = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(125, 126, 65_535, 65_536, 262_130, 262_131, 600_000)
        .map((size) => new Uint8Array(size).map((_, i) => i * 31)),
    );
    const messages = fc.array(fc.oneof(text, binary), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(messages, anyCuts, (sent, cuts) => {
        const whole = sentBy((sender) => {
          for (const it of sent) typeof it === "string" ? sender.text(it) : sender.binary(it);
          sender.control(Opcode.PING, bytes('"ping"'));
        });
        const told = receive(cutAnywhere(whole, cuts), false);
        const wanted = sent.map((it) => [typeof it === "string" ? "text" : "binary", it]);
        assertEquals(told, [...wanted, ["ping", bytes('"ping"')]] as unknown as typeof told);
      }),
      { numRuns: 150 },
    );
  });

  it("cannot have a lone surrogate", () => {
    for (const size of [1, 5000]) {
      let thrown: unknown;
      const sent = sentBy((sender) => {
        try {
          sender.text("a".repeat(size) + "\ud800");
        } catch (error) {
          thrown = error;
        }
      });
      assert(thrown instanceof TypeError);
      assertEquals(sent.length, 0);
    }
  });
});

describe("the frames of a server, as a client reads them", () => {
  it("are taken unmasked, however they are split", () => {
    const whole = bytes('81 05 "Hello" 82 03 010203 89 01 "p" 01 02 "ab" 80 01 "c" 88 02 03e8');
    const wanted = receive([whole], true);
    assertEquals(wanted.map(([kind]) => kind), ["text", "binary", "ping", "text", "close"]);
    for (let at = 1; at < whole.length; at++) {
      assertEquals(receive([whole.subarray(0, at), whole.subarray(at)], true), wanted);
    }
  });

  it("are refused with 1002 when they are masked (RFC 6455 §5.1)", () => {
    for (const frame of ['81 81 00000000 "a"', "89 80 00000000", '82 82 12345678 "ab"']) {
      const [[kind, code]] = receive([bytes(frame)], true);
      assertEquals([kind, code], ["fail", 1002]);
    }
  });

  it("are refused by the server's side, which wants masks", () => {
    const [[kind, code]] = receive([bytes('81 01 "a"')], false);
    assertEquals([kind, code], ["fail", 1002]);
  });

  it("break the other rules of §5 as a client's do", () => {
    const wrong = [
      "83 00",
      "a1 00",
      "09 00",
      "89 7e 007e",
      "80 00",
      '01 01 "a" 81 01 "b"',
      "88 01 03",
    ];
    for (const frame of wrong) {
      const events = receive([bytes(frame)], true);
      const [kind, code] = events.at(-1)!;
      assertEquals([kind, code], ["fail", 1002], frame);
    }
  });
});
