import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodePayloads, encodePayloads } from "../../src/engines/payload_list.ts";
import { decodeMessage, encodeMessage } from "../../src/nats/wire.ts";
import { encodePayload } from "../../src/topics/payload.ts";

const payloads = fc.array(fc.uint8Array({ maxLength: 300 }).map((it) => Buffer.from(it)));

describe("several payloads in one", () => {
  it("are read as they were written, behind whatever comes first", () => {
    fc.assert(fc.property(payloads, fc.nat(40), (some, at) => {
      const list = Buffer.concat([Buffer.alloc(at), encodePayloads(some)]);
      assertEquals([...decodePayloads(list, at)], some);
    }));
  });

  it("a list that was cut is refused, never read beyond its end", () => {
    fc.assert(fc.property(payloads, fc.nat(), (some, at) => {
      const list = encodePayloads(some);
      const cut = list.subarray(0, list.length === 0 ? 0 : at % list.length);
      const read: Buffer[] = [];
      const reading = () => {
        for (const payload of decodePayloads(cut, 0)) read.push(payload);
      };
      const lengths = some.map(({ length }) => length + 4);
      const ends = lengths.map((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b));
      if (cut.length === 0 || ends.includes(cut.length)) reading();
      else assertThrows(reading, RangeError);
      assertEquals(read, some.slice(0, read.length));
    }));
  });

  it("in a message of NATS, one goes as it is, and several are told from it", () => {
    const datas = fc.array(
      fc.oneof(fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 100 })),
      { minLength: 1 },
    );
    fc.assert(fc.property(datas, (datas) => {
      const some = datas.map((data, i) => encodePayload({ data, id: `a.${i}` }));
      const message = encodeMessage(some);
      assertEquals([...decodeMessage(new Uint8Array(message))], some);
      if (some.length === 1) assertEquals(message, some[0]);
    }));
  });
});
