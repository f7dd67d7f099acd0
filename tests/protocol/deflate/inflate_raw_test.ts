import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { RUN_SYMBOL_ORDER } from "../../../src/protocol/deflate/deflate_alphabet.ts";
import { inflateRaw, MAX_INPUT, MAX_OUTPUT } from "../../../src/protocol/deflate/inflate_raw.ts";
import { ProtocolError } from "../../../src/protocol/mod.ts";
import { concat } from "../../support/client_frame.ts";
import { noise, squeeze } from "../../support/deflate.ts";
import { DeflatePeer } from "../../support/deflate_peer.ts";
import { bytes, hex } from "../../support/notation.ts";

const TAIL = bytes("00 00 ff ff");
const NONE: Uint8Array = new Uint8Array();
const utf8 = new TextEncoder();

/** What comes of a message, as bytes or as the close code of what refuses it. */
type Outcome = Uint8Array | 1007 | 1009 | "zlib's";

function ours(payload: Uint8Array, history = NONE, maxSize = MAX_OUTPUT): Outcome {
  try {
    return inflateRaw(payload, history, maxSize) ?? "zlib's";
  } catch (error) {
    assert(error instanceof ProtocolError, String(error));
    assert(error.closeCode === 1007 || error.closeCode === 1009);
    return error.closeCode;
  }
}

/** What zlib makes of it, which has no such limits; what follows a final block is a stream again. */
function zlibs(payload: Uint8Array, history = NONE): Outcome {
  const { length } = history;
  const prefix = Uint8Array.of(0, length, length >> 8, ~length, ~length >> 8);
  let result: { buffer: Uint8Array; engine: { bytesWritten: number } };
  try {
    const input = concat(prefix, history, payload, TAIL);
    const options = { finishFlush: constants.Z_SYNC_FLUSH, info: true };
    result = inflateRawSync(input, options) as unknown as typeof result;
  } catch {
    return 1007;
  }
  const output = result.buffer.subarray(length);
  const rest = payload.subarray(result.engine.bytesWritten - prefix.length - length);
  if (rest.length === 0) return output;
  const next = zlibs(rest, concat(history, output).slice(-0x8000));
  return next instanceof Uint8Array ? concat(output, next) : next;
}

function checkSame(payload: Uint8Array, history = NONE): void {
  const got = ours(payload, history, Infinity);
  if (got === "zlib's") return;
  const expected = zlibs(payload, history);
  const same = got instanceof Uint8Array && expected instanceof Uint8Array
    ? Buffer.compare(got, expected) === 0
    : got === expected;
  assert(same, `${show(got)} instead of ${show(expected)} from ${hex(payload)}`);
}

function show(outcome: Outcome): string {
  return outcome instanceof Uint8Array ? hex(outcome) : String(outcome);
}

const message = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.json().map((text) => utf8.encode(text)),
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.nat(500)).map(([piece, times]) =>
    concat(...Array.from({ length: times }, () => piece))
  ),
  fc.tuple(fc.nat(5000), fc.nat(255)).map(([length, mask]) =>
    noise(length, mask + 1).map((it) => it & mask)
  ),
);

/** Every way that zlib has of compressing. */
const way = fc.record({
  level: fc.integer({ min: 0, max: 9 }),
  memLevel: fc.integer({ min: 1, max: 9 }),
  windowBits: fc.integer({ min: 9, max: 15 }),
  strategy: fc.constantFrom(
    constants.Z_DEFAULT_STRATEGY,
    constants.Z_FILTERED,
    constants.Z_HUFFMAN_ONLY,
    constants.Z_RLE,
    constants.Z_FIXED,
  ),
  finishFlush: fc.constantFrom(constants.Z_SYNC_FLUSH, constants.Z_FINISH),
});

const payload = fc.tuple(message, way).map(([data, options]) =>
  new Uint8Array(deflateRawSync(data, options))
);

/** Other bytes at some places. */
const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 });

function spoil(payload: Uint8Array, damage: readonly [at: number, byte: number][]): void {
  for (const [at, byte] of damage) payload[at % payload.length] = byte;
}

describe("inflateRaw: as zlib does", () => {
  it("takes all that zlib writes", () => {
    fc.assert(
      fc.property(message, way, (data, options) => {
        const flushed = deflateRawSync(data, options);
        const payload = options.finishFlush === constants.Z_FINISH ? flushed : flushed.slice(0, -4);
        const got = ours(new Uint8Array(payload));
        assert(got instanceof Uint8Array && Buffer.compare(got, data) === 0, show(got));
      }),
      { numRuns: 1000 },
    );
  });

  it("takes what refers to a history of any length", async () => {
    const size = fc.oneof(fc.nat(600), fc.integer({ min: 30_000, max: 0x8000 }));
    const pieces = fc.array(fc.tuple(fc.nat(), fc.nat(400)));
    await fc.assert(fc.asyncProperty(size, pieces, damage, async (size, pieces, damage) => {
      const history = noise(size, size + 1);
      const data = concat(...pieces.map(([at, length]) => {
        const start = at % (size + 1);
        return concat(history.subarray(start, start + length), noise(at % 7, at + 1));
      }));
      using peer = new DeflatePeer({ clientTakeover: true });
      await peer.compress(history);
      const payload = new Uint8Array(await peer.compress(data));
      const got = ours(payload, history);
      assert(got instanceof Uint8Array && Buffer.compare(got, data) === 0, show(got));
      spoil(payload, damage);
      checkSame(payload, history);
      checkSame(payload, history.subarray(size >> 1));
    }));
  });

  it("takes, cuts off and refuses the same bytes of no meaning", () => {
    const some = fc.uint8Array({ maxLength: 60 });
    fc.assert(fc.property(some, (data) => checkSame(data)), { numRuns: 5000 });
    const type = fc.constantFrom(0b010, 0b100, 0b011, 0b101);
    fc.assert(
      fc.property(type, some, message, (type, data, history) => {
        if (data.length > 0) data[0] = data[0] & ~0b111 | type;
        checkSame(data, history);
      }),
      { numRuns: 5000 },
    );
  });

  it("takes, cuts off and refuses the same of what was damaged", () => {
    fc.assert(
      fc.property(payload, damage, fc.nat(), fc.boolean(), (payload, damage, end, cut) => {
        spoil(payload, damage);
        checkSame(cut ? payload.subarray(0, end % (payload.length + 1)) : payload);
      }),
      { numRuns: 5000 },
    );
  });

  it("takes the same of a message wherever it is cut off", () => {
    const texts = [squeeze(JSON.stringify({ a: "again and again", b: [1, 2, 3] }).repeat(3))];
    texts.push(squeeze(noise(400).map((it) => it & 0x2f)), squeeze(noise(100)));
    texts.push(new Uint8Array(deflateRawSync("fixed, fixed", { strategy: constants.Z_FIXED })));
    for (const text of texts) {
      for (let end = 0; end <= text.length; end++) checkSame(text.subarray(0, end));
    }
  });

  it("takes the same of several final blocks", () => {
    const whole = message.map((data) => new Uint8Array(deflateRawSync(data)));
    fc.assert(fc.property(fc.array(whole, { maxLength: 3 }), message, (streams, history) => {
      checkSame(concat(...streams), history);
      checkSame(concat(...streams, Uint8Array.of(0)), history);
    }));
  });
});

/** Writes numbers of so many bits each, the lowest bit of each first. */
function packed(fields: readonly (readonly [value: number, count: number])[]): Uint8Array {
  const bits = fields.flatMap(([value, count]) =>
    Array.from({ length: count }, (_, i) => value >> i & 1)
  );
  const result = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, i) => result[i >> 3] |= bit << (i & 7));
  return result;
}

/** A dynamic block whose codes have these lengths, each given in four bits; then what is in them. */
function dynamicBlock(literals: number[], distances: number[], rest = ""): Uint8Array {
  const reversed = (it: number) => (it & 1) << 3 | (it & 2) << 1 | (it & 4) >> 1 | it >> 3;
  const fields: [number, number][] = [[0b100, 3]];
  fields.push([literals.length - 257, 5], [distances.length - 1, 5], [19 - 4, 4]);
  RUN_SYMBOL_ORDER.forEach((symbol) => fields.push([symbol < 16 ? 4 : 0, 3]));
  for (const length of [...literals, ...distances]) fields.push([reversed(length), 4]);
  return packed([
    ...fields,
    ...Array.from(rest.replaceAll(" ", ""), (bit): [number, number] => [Number(bit), 1]),
  ]);
}

/** The lengths of an alphabet, of which these symbols have codes. */
function lengths(size: number, some: Record<number, number>): number[] {
  return Array.from({ length: size }, (_, symbol) => some[symbol] ?? 0);
}

describe("inflateRaw: the codes of a dynamic block (RFC 1951 §3.2.7)", () => {
  const A = 97;
  const ONES = "1".repeat(14);
  /** Codes of 1 to 15 bits for a to o, and the other one of 15 for the end: all ones. */
  const longest = lengths(257, { 256: 15 });
  for (let length = 1; length <= 15; length++) longest[A + length - 1] = length;
  const literals = lengths(257, { [A]: 1, 256: 1 });
  const lengthSymbols = lengths(258, { [A]: 1, 256: 2, 257: 2 });
  const cases: [what: string, payload: Uint8Array, expected: Outcome][] = [
    ["one distance without a code", dynamicBlock(literals, [0], "01"), utf8.encode("a")],
    ["one distance with a code of one bit", dynamicBlock(literals, [1], "01"), utf8.encode("a")],
    // a, a length of 3 and a distance of 1, the end.
    ["a repetition", dynamicBlock(lengthSymbols, [1], "0 11 0 10"), utf8.encode("aaaa")],
    ["a distance that has no code", dynamicBlock(lengthSymbols, [1], "0 11 1 10"), 1007],
    ["a distance where none has a code", dynamicBlock(lengthSymbols, [0], "0 11 0 10"), 1007],
    ["one distance with a code of two bits", dynamicBlock(literals, [2]), 1007],
    ["distances that leave bits without a meaning", dynamicBlock(literals, [2, 2, 2]), 1007],
    ["too many distances", dynamicBlock(literals, [1, 1, 1]), 1007],
    ["only the end, with a code of one bit", dynamicBlock(lengths(257, { 256: 1 }), [0]), NONE],
    ["only the end, with one of two", dynamicBlock(lengths(257, { 256: 2 }), [0]), 1007],
    ["no end", dynamicBlock(lengths(257, { [A]: 1, 98: 1 }), [0]), 1007],
    ["no code at all", dynamicBlock(lengths(257, {}), [0]), 1007],
    ["too many literals", dynamicBlock(lengths(257, { [A]: 1, 98: 1, 256: 1 }), [0]), 1007],
    ["literals that leave bits", dynamicBlock(lengths(257, { [A]: 1, 256: 2 }), [0]), 1007],
    ["286 literals", dynamicBlock(lengths(286, { [A]: 1, 256: 1 }), [0], "01"), utf8.encode("a")],
    ["287 literals", dynamicBlock(lengths(287, { [A]: 1, 256: 1 }), [0]), 1007],
    ["30 distances", dynamicBlock(literals, lengths(30, { 29: 1 }), "01"), utf8.encode("a")],
    ["31 distances", dynamicBlock(literals, lengths(31, { 29: 1 })), 1007],
    ["the longest codes", dynamicBlock(longest, [0], `${ONES}0 0 10 ${ONES}1`), utf8.encode("oab")],
    ["no lengths at all", packed([[0b100, 3], [0, 14], [0, 12], [0, 24], [0, 24]]), NONE],
    ["a run of what was not", packed([[0b100, 3], [0, 14], [1, 3], [1, 3], [0, 24]]), 1007],
    ["a run of too many", packed([[0b100, 3], [0, 14], [0, 6], [1, 3], [1, 3], [~0, 24]]), 1007],
    ["lengths in one code of one bit", packed([[0b100, 3], [0, 14], [1, 3], [0, 24]]), 1007],
    ["lengths in one code of two bits", packed([[0b100, 3], [0, 14], [2, 3], [0, 24]]), 1007],
    ["lengths in too many codes", packed([[0b100, 3], [0, 14], [0o1111, 12]]), 1007],
  ];

  for (const [what, payload, expected] of cases) {
    it(what, () => {
      assertEquals(show(zlibs(payload)), show(expected), "what zlib makes of it");
      assertEquals(show(ours(payload)), show(expected));
    });
  }

  it("are what zlib takes them for, any lengths at all", () => {
    // Codes that come out even: of one of their number two are made that are longer.
    const even = fc.array(fc.nat(), { maxLength: 60 }).map((places) => {
      const codes = [1, 1];
      for (const place of places) {
        const at = place % codes.length;
        if (codes[at] < 15) codes.push(++codes[at]);
      }
      return codes;
    });
    const odd = fc.array(fc.nat(15), { minLength: 1, maxLength: 30 });
    const symbols = [...new Array(285).keys()].map((it) => it < 256 ? it : it + 1);
    const order = fc.shuffledSubarray(symbols, { minLength: 61 });
    const change = fc.option(fc.tuple(fc.nat(285), fc.nat(15)));
    const rest = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(
        even,
        fc.oneof(even, odd),
        order,
        change,
        rest,
        (codes, distances, order, change, rest) => {
          const literals = lengths(286, { 256: codes[0] });
          codes.slice(1).forEach((length, i) => literals[order[i]] = length);
          if (change !== null) literals[change[0]] = change[1];
          const block = dynamicBlock(literals, distances.slice(0, 30));
          checkSame(concat(block, rest), noise(500));
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe("inflateRaw: its limits", () => {
  it("takes a message of just the limit and refuses a byte more with 1009", () => {
    const messages = [noise(300), utf8.encode("literals only"), new Uint8Array(5000)];
    messages.push(concat(noise(40), noise(40), noise(40)));
    for (const data of messages) {
      for (const payload of [squeeze(data), new Uint8Array(deflateRawSync(data))]) {
        assertEquals(ours(payload, NONE, data.length), data);
        for (const limit of [data.length - 1, data.length >> 1, 1, 0]) {
          assertEquals(ours(payload, NONE, limit), 1009);
        }
      }
    }
    assertEquals(ours(bytes("00"), NONE, 0), NONE);
  });

  it("leaves what takes more than its own memory to zlib", () => {
    assertEquals(ours(squeeze(new Uint8Array(MAX_OUTPUT))), new Uint8Array(MAX_OUTPUT));
    const more = squeeze(new Uint8Array(MAX_OUTPUT + 1));
    assertEquals(ours(more, NONE, MAX_OUTPUT + 1), "zlib's");
    assertEquals(ours(more, NONE, MAX_OUTPUT), 1009);
    assertEquals(ours(squeeze(new Uint8Array(10_000_000)), NONE, 1 << 30), "zlib's");
  });

  it("takes as many bytes as it says", () => {
    for (const size of [MAX_INPUT - 6, MAX_INPUT - 5]) {
      const payload = concat(
        packed([[0, 8], [size, 16], [~size, 16]]),
        noise(size),
      );
      assertEquals(ours(payload), noise(size));
    }
  });

  it("gives bytes of their own", () => {
    const first = ours(squeeze("the first of two")) as Uint8Array;
    ours(squeeze(noise(500)));
    assertEquals(new TextDecoder().decode(first), "the first of two");
    assertEquals(first.buffer.byteLength, first.length);
  });

  it("refuses what refers to bytes of another message", () => {
    // The second Hello of RFC 7692 §7.2.3.2.
    const second = bytes("f2 00 11 00 00");
    ours(squeeze("Hello"));
    assertThrows(() => inflateRaw(second, NONE, 100), ProtocolError, "before the beginning");
    assertThrows(() => inflateRaw(second, utf8.encode("ell"), 100), ProtocolError, "before");
    assertEquals(ours(second, utf8.encode("Hello")), utf8.encode("Hello"));
  });
});
