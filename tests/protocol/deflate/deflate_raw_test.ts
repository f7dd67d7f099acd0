import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { RawDeflater } from "../../../src/protocol/deflate/deflate_raw.ts";
import { concat } from "../../support/client_frame.ts";
import { noise } from "../../support/deflate.ts";
import { bytes } from "../../support/notation.ts";
import { HANG_MS } from "../../support/hang.ts";

const TAIL = bytes("00 00 ff ff");
const WINDOW_BITS = [8, 9, 10, 11, 12, 13, 14, 15];
const utf8 = new TextEncoder();

/** What zlib makes of messages that were sent one after the other. */
function restored(payloads: readonly Uint8Array[], windowBits: number): Uint8Array {
  return inflateRawSync(concat(...payloads.flatMap((it) => [it, TAIL])), {
    windowBits,
    // zlib checks a distance against its window only beyond what it still has in its output buffer.
    chunkSize: 64,
    finishFlush: constants.Z_SYNC_FLUSH,
  });
}

/** Compresses each message on its own, and all as a sequence, and has zlib restore them. */
function checkAll(messages: readonly Uint8Array[], windowBits: number): void {
  const alone = new RawDeflater(windowBits, false);
  const inSequence = new RawDeflater(windowBits, true);
  for (const message of messages) {
    const what = `${message.length} bytes, window 2^${windowBits}`;
    const payload = alone.deflate(message);
    assertEquals(Buffer.compare(restored([payload], windowBits), message), 0, what);
    assertBounded(payload, message);
  }
  const sequence = messages.map((message) => {
    const payload = inSequence.deflate(message);
    assertBounded(payload, message);
    return payload;
  });
  assertEquals(Buffer.compare(restored(sequence, windowBits), concat(...messages)), 0);
}

/** A block holds 16 KiB, and as a stored one takes five bytes more; one byte ends the message. */
function assertBounded(payload: Uint8Array, message: Uint8Array): void {
  assert(payload.length <= message.length + 5 * Math.ceil(message.length / 16_384) + 1);
}

function record(i: number): object {
  const user = ["ann", "ben", "cleo", "dora"][i * 7 % 4];
  return { id: i * 7919 % 10_007, user, at: 1_700_000_000 + i * 977, price: i * 131 % 1000 / 10 };
}

function json(size: number): Uint8Array {
  const records = Array.from({ length: Math.ceil(size / 40) }, (_, i) => record(i));
  return utf8.encode(JSON.stringify(records)).subarray(0, size);
}

const message = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc.string({ unit: "grapheme", maxLength: 400 }).map((text) => utf8.encode(text)),
  fc.json().map((text) => utf8.encode(text)),
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.nat(2000)).map(([piece, times]) =>
    concat(...Array.from({ length: times }, () => piece))
  ),
  fc.tuple(fc.nat(3000), fc.nat(3000)).map(([a, b]) => concat(noise(a), json(b), noise(a))),
  fc.nat(40_000).map((length) => noise(length, length + 1)),
);

describe("RawDeflater", () => {
  it("makes what zlib restores, of any messages and within any window", () => {
    const messages = fc.array(message, { maxLength: 8 });
    fc.assert(fc.property(messages, fc.constantFrom(...WINDOW_BITS), checkAll), { numRuns: 150 });
  });

  it("makes it of messages of all small sizes", () => {
    for (const windowBits of [8, 15]) {
      checkAll(Array.from({ length: 70 }, (_, size) => json(size)), windowBits);
      checkAll(Array.from({ length: 70 }, (_, size) => new Uint8Array(size)), windowBits);
    }
  });

  for (const windowBits of WINDOW_BITS) {
    it(`goes on for as long as one likes within a window of 2^${windowBits}`, () => {
      const size = 2 ** windowBits;
      const block = noise(size, windowBits);
      const edge = noise(size - 1, 3);
      const messages = [json(100_000), concat(block, block), concat(edge, block, edge)];
      for (let i = 0; i < 100; i++) messages.push(noise(700, i % 9 + 1), json(i * 13));
      messages.push(new Uint8Array(70_000), json(16_384), json(16_385), json(49_152));
      checkAll(messages, windowBits);
    });

    it(`refers as far back as a window of 2^${windowBits} reaches, and no further`, () => {
      const size = 2 ** windowBits;
      const deflater = new RawDeflater(windowBits, false);
      const piece = noise(100);
      const length = (gap: number) =>
        deflater.deflate(concat(piece, new Uint8Array(gap), piece)).length;
      assert(length(size - 100) < length(size - 99) - 80);
    });
  }

  it("writes a block in the shortest of its three forms (RFC 1951 §3.2.3)", () => {
    const deflater = new RawDeflater(15, false);
    const form = (data: Uint8Array) => deflater.deflate(data)[0] & 0b111;
    assertEquals(form(noise(1000)), 0b000);
    assertEquals(form(utf8.encode("Hello")), 0b010);
    assertEquals(form(json(1000)), 0b100);
  });

  it("writes the examples of RFC 7692 §7.2.3", () => {
    const hello = utf8.encode("Hello");
    assertEquals(new RawDeflater(15, false).deflate(hello), bytes("f2 48 cd c9 c9 07 00"));
    assertEquals(new RawDeflater(15, false).deflate(new Uint8Array()), bytes("00"));
    const inSequence = new RawDeflater(15, true);
    inSequence.deflate(hello);
    // §7.2.3.2 sends the H again, and has one byte more.
    assertEquals(inSequence.deflate(hello), bytes("02 13 00 00"));
  });

  it("takes at most 5 % more bytes than zlib's level 3 for small JSON", () => {
    for (const size of [150, 400, 1024, 2048, 4096]) {
      const data = json(size);
      const ours = new RawDeflater(15, false).deflate(data).length;
      const theirs = deflateRawSync(data, { level: 3, finishFlush: constants.Z_SYNC_FLUSH });
      assert(ours <= (theirs.length - 4) * 1.05, `${ours} and ${theirs.length} bytes of ${size}`);
    }
  });

  it("makes each later message of a sequence smaller", () => {
    const deflater = new RawDeflater(15, true);
    const data = concat(noise(900), json(900));
    const first = deflater.deflate(data).length;
    assert(first > 1000 && deflater.deflate(data).length < 40);
    for (let i = 0; i < 200; i++) deflater.deflate(noise(100, 77));
    assert(deflater.deflate(data).length < 60, "what came 20 KB earlier");
    deflater.deflate(noise(33_000));
    assert(deflater.deflate(data).length > 1000, "what came 33 KB earlier");
  });

  it("tells nothing of other messages, nor depends on them", () => {
    const expected = alone(json(3000));
    fc.assert(fc.property(fc.array(message, { maxLength: 4 }), (others) => {
      for (const other of others) new RawDeflater(15, false).deflate(other);
      assertEquals(Buffer.compare(alone(json(3000)), expected), 0);
    }));
  });

  function alone(data: Uint8Array): Uint8Array {
    return new RawDeflater(15, false).deflate(data);
  }

  it("leaves what it is given as it is, and gives bytes of their own", () => {
    for (const takeover of [false, true]) {
      const deflater = new RawDeflater(15, takeover);
      const data = Buffer.from(json(2000));
      const first = deflater.deflate(data);
      assertEquals(Buffer.compare(data, json(2000)), 0);
      assertEquals(first.byteLength, first.buffer.byteLength);
      assertEquals(first.constructor, Uint8Array);
      data.fill(0);
      const copy = first.slice();
      deflater.deflate(noise(5000));
      assertEquals(first, copy);
      assertEquals(Buffer.compare(restored([first], 15), json(2000)), 0);
    }
  });

  it("works in time in proportion to the size, whatever the bytes", () => {
    // What is alike in its first bytes only makes a search through all such places slow.
    const alike = concat(
      ...Array.from({ length: 60_000 }, (_, i) => Uint8Array.of(1, 2, 3, 4, i, i >> 8)),
    );
    for (const data of [alike, new Uint8Array(alike.length), noise(alike.length)]) {
      const start = performance.now();
      new RawDeflater(15, true).deflate(data);
      const taken = performance.now() - start;
      assert(taken < HANG_MS, `${taken} ms for ${data.length} bytes`);
    }
  });
});
