import { Buffer } from "node:buffer";
import process from "node:process";
import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../../src/protocol/mod.ts";
import { clientFrame, closeBytes, concat } from "../../support/client_frame.ts";
import { bytes } from "../../support/notation.ts";
import { receive, record } from "../../support/recorder.ts";
import { cut, singleBytes } from "../../support/splits.ts";
import { TABLE } from "./receiver_table.ts";

/** Where to cut in two: everywhere, but in a long row not at every byte of the payload's middle. */
function places(length: number): number[] {
  const all = Array.from({ length: length - 1 }, (_, i) => i + 1);
  return length <= 600 ? all : all.filter((it) => it < 30 || it > length - 10 || it % 4099 === 0);
}

for (const [topic, rows] of Object.entries(TABLE)) {
  describe(`receiver: ${topic}`, () => {
    for (const { rule, sent, told, options } of rows) {
      it(`${rule}: ${told.at(-1)}`, () => {
        const [before, after = ""] = sent.split("!");
        const known = bytes(before).length;
        const whole = bytes(before + after);
        assertEquals(receive([whole], options).lines, told, "in one piece");
        for (const at of places(whole.length)) {
          assertEquals(receive(cut(whole, [at]), options).lines, told, `in two, cut at ${at}`);
        }

        const { receiver, recorder } = record(options);
        singleBytes(whole).forEach((byte, i) => {
          receiver.push(byte.slice());
          const all = recorder.events.length === told.length;
          assertEquals(all, i + 1 >= known, `byte by byte, at byte ${i + 1} of ${whole.length}`);
        });
        assertEquals(recorder.lines, told, "byte by byte");
      });
    }
  });
}

describe("receiver: pausing", () => {
  const whole = concat(...["a", "b", "c"].map((it) => clientFrame(1, it)));

  it("tells of nothing while paused, and of everything in order afterwards", () => {
    const { receiver, recorder } = record();
    receiver.pause();
    for (const piece of cut(whole, [5, 9])) receiver.push(piece.slice());
    assertEquals(recorder.lines, []);
    assertEquals(receiver.idle, false);
    receiver.resume();
    assertEquals(recorder.lines, ["text a", "text b", "text c"]);
    assertEquals(receiver.idle, true);
  });

  it("stops between two messages of one chunk", () => {
    const { receiver, recorder } = record();
    recorder.after = () => receiver.pause();
    receiver.push(whole.slice());
    assertEquals(recorder.lines, ["text a"]);
    receiver.resume();
    assertEquals(recorder.lines, ["text a", "text b"]);
    receiver.push(clientFrame(1, "d"));
    recorder.after = () => {};
    receiver.resume();
    assertEquals(recorder.lines, ["text a", "text b", "text c", "text d"]);
  });

  it("needs the chunk no more once its last message has been told of", () => {
    const { receiver, recorder } = record();
    recorder.after = () => receiver.pause();
    receiver.push(clientFrame(1, "a"));
    assertEquals(receiver.idle, true);
    receiver.push(clientFrame(1, "b"));
    assertEquals(recorder.lines, ["text a"]);
    assertEquals(receiver.idle, false);
  });

  it("goes on at once when it is resumed within the event that paused it", () => {
    const { receiver, recorder } = record();
    recorder.after = () => {
      receiver.pause();
      receiver.resume();
    };
    receiver.push(whole.slice());
    assertEquals(recorder.lines, ["text a", "text b", "text c"]);
    assertEquals(receiver.idle, true);
  });

  it("keeps the order of what is handed over within an event", () => {
    const { receiver, recorder } = record();
    recorder.after = () => {
      recorder.after = () => {};
      receiver.push(clientFrame(1, "d"));
    };
    receiver.push(whole.slice());
    receiver.push(clientFrame(1, "e"));
    assertEquals(recorder.lines, ["text a", "text b", "text c", "text d", "text e"]);
  });
});

describe("receiver: turns", () => {
  const whole = concat(...Array.from({ length: 5 }, (_, i) => clientFrame(1, String(i))));

  it("deals with framesPerTurn frames of a chunk at once; with one more it pauses", () => {
    const exact = record({ framesPerTurn: 5 });
    exact.receiver.push(whole.slice());
    assertEquals([exact.recorder.turns, exact.receiver.idle], [0, true]);
    const over = record({ framesPerTurn: 4 });
    over.receiver.push(whole.slice());
    assertEquals([over.recorder.turns, over.receiver.idle], [1, false]);
    assertEquals(over.recorder.lines, ["text 0", "text 1", "text 2", "text 3"]);
    over.receiver.resume();
    assertEquals([over.recorder.turns, over.receiver.idle], [1, true]);
    assertEquals(over.recorder.lines.at(-1), "text 4");
  });

  it("counts fragments too, empty ones among them, of which nothing is told", () => {
    const { receiver, recorder } = record({ framesPerTurn: 10 });
    const fragment = clientFrame(0, "", { fin: false });
    const fragments = new Array<Uint8Array>(30).fill(fragment);
    receiver.push(concat(clientFrame(2, "", { fin: false }), ...fragments, clientFrame(0, "a")));
    for (let turn = 1; turn <= 3; turn++) {
      assertEquals([recorder.turns, receiver.idle], [turn, false]);
      receiver.resume();
    }
    assertEquals(recorder.lines, ["binary 61"]);
  });
});

describe("receiver: messages that are ignored", () => {
  const notUtf8 = clientFrame(1, Uint8Array.of(0xff));
  const fragments = [clientFrame(2, "a", { fin: false }), clientFrame(9), clientFrame(0, "b")];
  const close = clientFrame(8, closeBytes(1000));
  const whole = concat(clientFrame(1, "abc"), notUtf8, ...fragments, clientFrame(2, "d"), close);

  it("are passed over, wherever they are cut, and control frames are told of", () => {
    for (const pieces of [...places(whole.length).map((at) => cut(whole, [at])), [whole]]) {
      const { receiver, recorder } = record();
      receiver.ignoreMessages();
      for (const piece of pieces) receiver.push(piece.slice());
      assertEquals(recorder.lines, ["ping", "close 1000"]);
    }
  });

  it("may be half-read already, or behind the one that is being told of", () => {
    for (const at of places(whole.length).filter((at) => at < clientFrame(1, "abc").length)) {
      const [first, rest] = cut(whole, [at]);
      const { receiver, recorder } = record();
      receiver.push(first.slice());
      receiver.ignoreMessages();
      receiver.push(rest.slice());
      assertEquals(recorder.lines, ["ping", "close 1000"]);
    }
    const { receiver, recorder } = record();
    recorder.after = () => receiver.ignoreMessages();
    receiver.push(whole.slice());
    assertEquals(recorder.lines, ["text abc", "ping", "close 1000"]);
  });

  it("must be in frames that are right, and within the bounds", () => {
    const long = concat(clientFrame(2, "abc", { fin: false }), clientFrame(0, "de"));
    for (
      const [sent, told] of [
        [clientFrame(0, "a"), "fail 1002 RFC 6455 §5.4"],
        [concat(fragments[0], clientFrame(1, "a")), "fail 1002 RFC 6455 §5.4"],
        [clientFrame(1, "abcde"), "fail 1009 maxRecvSize"],
        [long, "fail 1009 maxRecvSize"],
      ] as const
    ) {
      for (const pieces of [[sent], singleBytes(sent)]) {
        const { receiver, recorder } = record({ maxMessageSize: 4 });
        receiver.ignoreMessages();
        for (const piece of pieces) receiver.push(piece.slice());
        assertEquals(recorder.lines, [told]);
      }
    }
  });

  it("need not be what an extension can decode", () => {
    const session = {
      rsv: 0x40,
      parameters: [],
      decode: (): never => assert(false, "decoded") as never,
      encode: (payload: Uint8Array) => payload,
    };
    const frame = clientFrame(1, "abc", { rsv: 0x40 });
    for (const pieces of [[frame], singleBytes(frame)]) {
      const { receiver, recorder } = record({ extensions: [{ name: "x", session }] });
      receiver.ignoreMessages();
      for (const piece of pieces) receiver.push(piece.slice());
      assertEquals(recorder.lines, []);
    }
  });
});

describe("receiver: the end", () => {
  it("takes nothing after end(), also when it is called within an event", () => {
    const { receiver, recorder } = record();
    recorder.after = () => receiver.end();
    receiver.push(concat(clientFrame(1, "a"), clientFrame(1, "b")));
    receiver.push(clientFrame(1, "c"));
    assertEquals(recorder.lines, ["text a"]);
    assertEquals([receiver.ended, receiver.idle], [true, true]);
  });

  it("drops what waits, and what is half-read", () => {
    const { receiver, recorder } = record();
    receiver.push(clientFrame(1, "abc").subarray(0, 7));
    receiver.pause();
    receiver.push(clientFrame(1, "d"));
    receiver.end();
    receiver.resume();
    receiver.push(clientFrame(1, "e"));
    assertEquals(recorder.lines, []);
  });

  it("has ended when it tells of a Close frame or of a failure", () => {
    for (const frame of [clientFrame(8), clientFrame(3)]) {
      const { receiver, recorder } = record();
      let ended = false;
      recorder.after = () => void (ended = receiver.ended);
      receiver.push(frame);
      assertEquals(ended, true);
    }
  });

  it("tells of the messages before a failure in the same chunk", () => {
    const chunk = concat(clientFrame(1, "a"), clientFrame(9), clientFrame(3), clientFrame(1, "b"));
    assertEquals(receive([chunk]).lines, ["text a", "ping", "fail 1002 RFC 6455 §5.2"]);
  });

  it("lets an error of a listener's through, and has ended then", () => {
    const { receiver, recorder } = record();
    recorder.after = () => {
      throw new TypeError("the listener's");
    };
    const chunk = concat(clientFrame(1, "a"), clientFrame(1, "b"));
    assertThrows(() => receiver.push(chunk), TypeError, "the listener's");
    receiver.push(clientFrame(1, "c"));
    assertEquals([recorder.lines, receiver.ended, receiver.idle], [["text a"], true, true]);
  });
});

describe("receiver: memory", () => {
  const sizes = [1, 100, 5000, 70_000];

  /** The same message whole, in reads of 1000 bytes, and in fragments of 700. */
  function* ways(opcode: number, payload: Uint8Array): Generator<Uint8Array[]> {
    const whole = clientFrame(opcode, payload);
    yield [whole.slice()];
    yield Array.from(
      { length: Math.ceil(whole.length / 1000) },
      (_, i) => whole.slice(i * 1000, (i + 1) * 1000),
    );
    const fragments = [];
    for (let at = 0; at < payload.length; at += 700) {
      const fin = at + 700 >= payload.length;
      fragments.push(clientFrame(at === 0 ? opcode : 0, payload.slice(at, at + 700), { fin }));
    }
    yield fragments;
  }

  it("gives bytes that are the listener's own and hold no memory besides", () => {
    for (const size of sizes) {
      for (const opcode of size <= 125 ? [2, 9, 10] : [2]) {
        for (const pieces of ways(opcode, new Uint8Array(size).fill(7))) {
          if (opcode !== 2 && pieces.length > 1) continue;
          const { receiver, recorder } = record();
          for (const piece of pieces) {
            receiver.push(piece);
            piece.fill(0xff);
          }
          const [[, data]] = recorder.events;
          assertEquals(data, new Uint8Array(size).fill(7));
          assertEquals((data as Uint8Array).buffer.byteLength, size);
        }
      }
    }
  });

  it("does so too when it is given a Buffer, whose slice() shares memory", () => {
    for (const pieces of ways(2, new Uint8Array(1000).fill(7))) {
      const { receiver, recorder } = record();
      for (const piece of pieces) {
        const pooled = Buffer.alloc(5000).subarray(3, 3 + piece.length);
        pooled.set(piece);
        receiver.push(pooled);
        pooled.fill(0xff);
      }
      assertEquals(recorder.events, [["binary", new Uint8Array(1000).fill(7)]]);
    }
  });

  it("needs no global Buffer", () => {
    const global = globalThis as { Buffer?: unknown };
    const kept = Object.getOwnPropertyDescriptor(global, "Buffer")!;
    delete global.Buffer;
    try {
      assertEquals(receive([clientFrame(1, "a"), clientFrame(2, "b")]).lines, [
        "text a",
        "binary 62",
      ]);
    } finally {
      Object.defineProperty(global, "Buffer", kept);
    }
  });

  it("with shareBuffers, small messages of one read are parts of one buffer, no byte in common", () => {
    const { receiver, recorder } = record({ shareBuffers: true });
    const sizes = [0, 1, 64, 1024, 1025, 3000, 64, 1024, 1024, 1024, 1024, 1];
    const payloads = sizes.map((size, i) => new Uint8Array(size).fill(i));
    const chunk = concat(...payloads.map((it) => clientFrame(2, it)));
    receiver.push(chunk);
    receiver.push(clientFrame(2, "next"));
    chunk.fill(0xff);
    const told = recorder.events.map(([, data]) => data as Uint8Array);
    assertEquals(told.slice(0, -1), payloads);
    for (const it of told) it.fill(0xaa);
    assert(told.every((it) => it.every((byte) => byte === 0xaa)));
    for (const it of told) {
      assertEquals(it.buffer.byteLength <= (it.length > 1024 ? it.length : 4096), true);
    }
    const last = told.at(-1)!;
    assert(told.slice(0, -1).every((it) => it.buffer !== last.buffer), "another read");
    const own = last.slice();
    structuredClone(own, { transfer: [own.buffer] });
    assertEquals([own.length, last.length], [0, 4]);
  });

  it("with shareBuffers, large messages in pieces have a buffer of their own each", () => {
    for (const size of [500_000, 700_000, 1 << 20]) {
      const { receiver, recorder } = record({ shareBuffers: true });
      for (const value of [1, 2]) {
        const whole = clientFrame(2, new Uint8Array(size).fill(value));
        for (const chunk of cut(whole, [200_000, 400_000])) receiver.push(chunk.slice());
      }
      for (const [i, [, data]] of recorder.events.entries()) {
        assert(data instanceof Uint8Array && data.buffer.byteLength === size);
        assert(data.length === size && data.every((byte) => byte === i + 1));
      }
      assertEquals(recorder.events.length, 2);
    }
  });

  it("with ownsChunks, a large message at the end of its chunk is a view of it, and others are copies", () => {
    const large = (size: number) => clientFrame(2, new Uint8Array(size).fill(7));
    const rows: [what: string, chunk: Uint8Array, views: boolean[], detached: boolean][] = [
      ["one message", large(20_000), [true], false],
      ["too small to matter", large(4095), [false], false],
      ["more than half of the chunk", concat(large(9000), large(10_000)), [false, true], false],
      ["less than half of it", concat(large(10_000), large(9000)), [false, false], true],
      ["something behind it", concat(large(20_000), clientFrame(9)), [false], true],
      ["the next one has begun", concat(large(20_000), Uint8Array.of(0x82)), [false], true],
      ["a text", clientFrame(1, "a".repeat(20_000)), [], true],
    ];
    for (const [what, chunk, views, detached] of rows) {
      const { receiver, recorder } = record({ ownsChunks: true });
      const { buffer } = chunk;
      receiver.push(chunk);
      const told = recorder.events.flatMap(([kind, it]) => kind === "binary" ? [it] : []);
      assertEquals(told.map((it) => it.buffer === buffer), views, what);
      assertEquals(chunk.length === 0, detached, what);
      assert(told.every((it) => it.every((byte) => byte === 7)), what);
    }
  });

  it("with ownsChunks, a part of a buffer is left to whoever has the rest", () => {
    const { receiver } = record({ ownsChunks: true });
    const whole = concat(new Uint8Array(10), clientFrame(1, "a".repeat(20_000)));
    receiver.push(whole.subarray(10));
    assertEquals(whole.length > 20_000, true);
  });

  it("gives bytes of their own also when an extension gives a Buffer of what it was given", () => {
    const extensions = [{
      name: "x-view",
      session: {
        rsv: 0x10,
        parameters: [],
        decode: (it: Uint8Array) => Buffer.from(it.buffer, it.byteOffset, it.length),
        encode: () => undefined,
      },
    }];
    for (const at of [0, 10]) {
      const { receiver, recorder } = record({ extensions });
      for (const chunk of cut(clientFrame(2, "a".repeat(20), { rsv: 0x10 }), [at])) {
        receiver.push(chunk);
        chunk.fill(0xff);
      }
      for (const chunk of cut(clientFrame(1, "b".repeat(20)), [10])) receiver.push(chunk);
      assertEquals(recorder.events[0][1], new Uint8Array(20).fill(0x61));
    }
  });

  it("gives bytes of their own also when an extension hands back what it was given", () => {
    for (const size of [3, 50_000]) {
      const { receiver, recorder } = record({
        extensions: [{
          name: "x-mark",
          session: { rsv: 0x10, parameters: [], decode: (it) => it, encode: () => undefined },
        }],
      });
      const payload = new Uint8Array(size).fill(7);
      for (let reads = 1; reads <= 2; reads++) {
        const frame = clientFrame(2, payload, { rsv: 0x10 });
        const chunks = cut(frame, reads === 1 ? [] : [frame.length >> 1]);
        for (const chunk of chunks) {
          receiver.push(chunk);
          chunk.fill(0xff);
        }
      }
      const text = "a".repeat(size);
      for (const chunk of cut(clientFrame(1, text), [size])) receiver.push(chunk);
      assertEquals(recorder.events, [["binary", payload], ["binary", payload], ["text", text]]);
    }
  });

  it("undoes extensions in the reverse of the order agreed on", () => {
    const session = (rsv: number, letter: string) => ({
      rsv,
      parameters: [],
      decode: (payload: Uint8Array) => concat(payload, letter),
      encode: () => undefined,
    });
    const extensions = [
      { name: "x-a", session: session(0x40, "a") },
      { name: "x-b", session: session(0x20, "b") },
    ];
    const told = receive([clientFrame(1, "-", { rsv: 0x60 })], { extensions }).lines;
    assertEquals(told, ["text -ba"]);
  });

  it("tells an extension the limit, and fails as it says", () => {
    let limit = 0;
    const session = {
      rsv: 0x40,
      parameters: [],
      decode(_payload: Uint8Array, maxSize: number): Uint8Array {
        limit = maxSize;
        throw new ProtocolError(1007, "Cannot decode it", "x-fail");
      },
      encode: () => undefined,
    };
    const extensions = [{ name: "x-fail", session }];
    const told = receive([clientFrame(1, "-", { rsv: 0x40 })], { extensions, maxMessageSize: 99 });
    assertEquals(told.lines, ["fail 1007 x-fail"]);
    assertEquals(limit, 99);
  });

  it("sets no more aside for a frame's claim than maxReserve before the bytes have come", () => {
    const before = process.memoryUsage().external;
    const held = Array.from({ length: 256 }, () => {
      const { receiver } = record({ maxMessageSize: 2 ** 40, maxReserve: 4096 });
      receiver.push(clientFrame(2, new Uint8Array(10), { claim: 2n ** 33n }));
      return receiver;
    });
    // It would be 2 TiB if the claim were believed.
    const grown = process.memoryUsage().external - before;
    assert(grown < 32 * 2 ** 20, `${held.length} receivers hold ${grown} bytes`);
  });

  it("takes a message over many times maxReserve, whatever the size of the reads", () => {
    const payload = Uint8Array.from({ length: 300_000 }, (_, i) => i * 31);
    for (const step of [977, 65_536]) {
      const { receiver, recorder } = record({ maxReserve: 1024 });
      const frame = clientFrame(2, payload);
      for (let at = 0; at < frame.length; at += step) receiver.push(frame.slice(at, at + step));
      assertEquals(recorder.events, [["binary", payload]]);
    }
  });

  it("keeps messages apart that are put together at the same time", () => {
    for (const size of [20_000, 70_000, 300_000]) {
      const texts = Array.from(
        { length: 5 },
        (_, i) => String.fromCodePoint(0x61 + i).repeat(size),
      );
      const others = texts.map((it) => it.replaceAll("a", "é").slice(0, size / 2));
      const all = [...texts, ...others];
      const peers = all.map((text) => ({ ...record(), frame: clientFrame(1, text) }));
      for (let round = 0; round < 3; round++) {
        for (let at = 0; at < 2 * size + 20; at += 7001) {
          for (const { receiver, frame } of peers) receiver.push(frame.slice(at, at + 7001));
        }
      }
      peers.forEach(({ recorder }, i) => {
        assertEquals(recorder.events.length, 3);
        assert(recorder.events.every(([, data]) => data === all[i]), `text ${i} of ${size}`);
      });
    }
  });

  it("takes floods of empty and of one-byte fragments up to maxFragments, in flat memory", () => {
    for (const size of [0, 1]) {
      const { receiver, recorder } = record({ maxFragments: 20_000 });
      receiver.push(clientFrame(2, new Uint8Array(size), { fin: false }));
      const before = process.memoryUsage().external;
      const burst = concat(
        ...Array.from({ length: 1000 }, () => clientFrame(0, new Uint8Array(size), { fin: false })),
      );
      for (let i = 0; i < 19; i++) receiver.push(burst.slice());
      assertEquals(recorder.lines, []);
      const grown = process.memoryUsage().external - before;
      assert(grown < 32 * 2 ** 20, `grown by ${grown} bytes`);
      receiver.push(burst.slice());
      assertEquals(recorder.lines, ["fail 1008 maxFragments"]);
    }
  });

  it("takes a large message that comes byte by byte in flat memory (tiny chunks)", () => {
    for (const opcode of [1, 2]) {
      const { receiver, recorder } = record();
      const size = 500_000;
      const header = clientFrame(opcode, "", { key: [0, 0, 0, 0], claim: BigInt(size) });
      for (const byte of singleBytes(header)) receiver.push(byte);
      const letter = Uint8Array.of(0x61);
      const { heapUsed, external } = process.memoryUsage();
      for (let i = 1; i < size; i++) receiver.push(letter);
      assertEquals(recorder.lines, []);
      const now = process.memoryUsage();
      // Were each piece kept, with the object that it is, it would be 50 MB or more.
      const grown = now.heapUsed - heapUsed + now.external - external;
      assert(grown < 16 * 2 ** 20, `grown by ${grown} bytes`);
      receiver.push(letter);
      assertEquals((recorder.events[0][1] as string | Uint8Array).length, size);
    }
  });

  it("obeys maxMessageSize as it is when a message begins", () => {
    const { receiver, recorder } = record();
    receiver.push(clientFrame(1, "abc"));
    receiver.maxMessageSize = 2;
    receiver.push(clientFrame(1, "abc"));
    assertEquals(recorder.lines, ["text abc", "fail 1009 maxRecvSize"]);
  });
});
