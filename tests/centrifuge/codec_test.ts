import fc from "fast-check";
import { Buffer } from "node:buffer";
import process from "node:process";
import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import protobuf from "protobufjs";
import { Malformed } from "../../src/centrifuge/codec.ts";
import { jsonCodec } from "../../src/centrifuge/json_codec.ts";
import type { Command, Reply } from "../../src/centrifuge/messages.ts";
import { protobufCodec } from "../../src/centrifuge/protobuf_codec.ts";
import {
  COMMAND,
  type Field,
  type Kind,
  MAX_ENTRIES,
  REPLY,
  Schema,
} from "../../src/centrifuge/schema.ts";

const RUNS = Number(process.env.CODEC_RUNS ?? 200);

/** The same messages as protobufjs has them; what we carry as it is has no other meaning there either. */
const types = new Map<Schema, protobuf.Type>();

function typeOf(schema: Schema): protobuf.Type {
  let type = types.get(schema);
  if (type !== undefined) return type;
  type = new protobuf.Type(`M${types.size}`);
  types.set(schema, type);
  for (const field of schema.fields) type.add(fieldOf(field) as protobuf.Field);
  return type;
}

function fieldOf({ name, number, kind, shape }: Field): protobuf.FieldBase {
  let type: string = kind as string;
  if (kind instanceof Schema) {
    const nested = typeOf(kind);
    if (nested.parent === null) root.add(nested);
    type = nested.name;
  }
  return shape === "map"
    ? new protobuf.MapField(name, number, "string", type)
    : new protobuf.Field(name, number, type, shape === "many" ? "repeated" : undefined);
}

const root = new protobuf.Root();
const [command, reply] = [COMMAND, REPLY].map((it) => root.add(typeOf(it)) && typeOf(it));

const text = fc.string({ unit: "grapheme", maxLength: 12 });
const json = fc.json({ maxDepth: 3 });

/** Any value of a kind, whose data is made by `data`. */
function arbitrary(kind: Kind, data: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  if (kind instanceof Schema) return message(kind, data);
  switch (kind) {
    case "string":
      return text;
    case "bytes":
      return data;
    case "bool":
      return fc.boolean();
    case "int32":
      return fc.integer();
    case "uint32":
      return fc.nat(0xffff_ffff);
    case "uint64":
      return fc.maxSafeNat();
  }
}

function message(schema: Schema, data: fc.Arbitrary<unknown>): fc.Arbitrary<object> {
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const { name, kind, shape } of schema.fields) {
    const one = arbitrary(kind, data);
    model[name] = shape === "one"
      ? one
      : shape === "many"
      ? fc.array(one, { maxLength: 3 })
      : fc.dictionary(text, one, { maxKeys: 3, noNullPrototype: true });
  }
  return fc.record(model, { requiredKeys: [] });
}

/** A command or a reply: an id, and one of what it may hold. */
function envelope(schema: Schema, data: fc.Arbitrary<unknown>): fc.Arbitrary<object> {
  const [id, ...others] = schema.fields;
  return fc.oneof(...others.map((it) => message({ fields: [id, it] } as unknown as Schema, data)));
}

/** Takes out what is empty, which protobuf does not tell apart from what is not there. */
function bare(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return value.length === 0 ? undefined : Buffer.from(value).toString("hex");
  }
  if (Array.isArray(value)) {
    return value.length === 0 ? undefined : value.map((it) => bare(it) ?? null);
  }
  if (typeof value !== "object" || value === null) return value || undefined;
  if ("toNumber" in value) return Number(value) || undefined;
  const entries = Object.entries(value).map(([key, it]) => [key, bare(it)])
    .filter(([, it]) => it !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function framed(bytes: Uint8Array): Uint8Array {
  return protobuf.Writer.create().bytes(bytes).finish();
}

function commandsOf(message: string | Uint8Array, codec = protobufCodec): Command[] {
  const commands: Command[] = [];
  const iterator = codec.commands(message);
  for (let it = iterator.next(); !it.done; it = iterator.next()) commands.push(it.value);
  return commands;
}

/** Reads anything: what is no message is Malformed, and nothing else is thrown. */
function survives(message: string | Uint8Array, codec = protobufCodec): void {
  try {
    commandsOf(message, codec);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
  }
}

describe("the protobuf codec", () => {
  const anyBytes = fc.uint8Array({ maxLength: 20 });

  it("reads what protobufjs writes", () => {
    fc.assert(
      fc.property(fc.array(envelope(COMMAND, anyBytes), { minLength: 1, maxLength: 3 }), (sent) => {
        const written = sent.map((it) => framed(command.encode(command.fromObject(it)).finish()));
        assertEquals(commandsOf(Buffer.concat(written)).map(bare), sent.map(bare));
      }),
      { numRuns: RUNS },
    );
  });

  it("writes what protobufjs reads", () => {
    fc.assert(
      fc.property(envelope(REPLY, anyBytes), (sent) => {
        const written = protobufCodec.encode(sent as Reply) as Uint8Array;
        assertEquals(bare(reply.toObject(reply.decodeDelimited(written))), bare(sent));
      }),
      { numRuns: RUNS },
    );
  });

  it("writes messages of every length, and any text", () => {
    const sizes = [
      ...Array(300).keys().map((it) => it + 1),
      16_300,
      16_384,
      16_385,
      2 ** 21 - 30,
      2 ** 21,
      3_000_000,
    ];
    for (const size of sizes) {
      const data = new Uint8Array(size).fill(7);
      const info = { user: "ä".repeat(1 + size % 100), client: "a lone \ud800 too" };
      const sent: Reply = { id: 1, push: { channel: "t", pub: { data, info, offset: size } } };
      const written = protobufCodec.encode(sent) as Uint8Array;
      const { push } = reply.toObject(reply.decodeDelimited(written)) as {
        push: { pub: { data: Uint8Array; info: { user: string; client: string } } };
      };
      assert(Buffer.compare(push.pub.data, data) === 0, `${size}`);
      assertEquals(push.pub.info, { ...info, client: "a lone \ufffd too" });
    }
  });

  it("skips fields that it does not know, and takes the last of two", () => {
    const known = [8, 7]; // id: 7
    const unknown = [
      [0xf8, 0x07, 0xff, 0x01], // field 127, a number
      [0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8], // eight bytes
      [0xfa, 0x07, 2, 1, 2], // two bytes behind their length
      [0xfd, 0x07, 1, 2, 3, 4], // four bytes
    ].flat();
    assertEquals(commandsOf(framed(Uint8Array.from([...known, ...unknown, 8, 9]))), [{ id: 9 }]);
  });

  it("takes -1 in ten bytes, and offsets beyond what numbers tell apart as the largest", () => {
    const minusOne = [...new Array(9).fill(0xff), 1];
    const history = Uint8Array.from([82, 13, 0x38, ...minusOne, 0x48, 1]);
    assertEquals(commandsOf(framed(history)), [{ history: { limit: -1, reverse: true } }]);
    const subscribe = Uint8Array.from([42, 11, 0x38, ...minusOne]);
    assertEquals(commandsOf(framed(subscribe))[0].subscribe?.offset, Number.MAX_SAFE_INTEGER);
  });

  for (
    const [what, bytes] of Object.entries({
      "nothing at all": [],
      "a length beyond the end": [5, 8, 1],
      "a huge length": [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
      "a number of eleven bytes": [12, 8, ...new Array(11).fill(0x80)],
      "a number that is cut off": [2, 8, 0x80],
      "field 0": [2, 0, 1],
      "a group": [1, 0x0b],
      "a type that there is not": [2, 0x0f, 1],
      "a text that is no UTF-8": [5, 42, 3, 10, 1, 0xff],
      "a nested message longer than what it is in": [3, 42, 9, 0],
      "a known field of another type": [3, 10, 1, 0],
    })
  ) {
    it(`refuses ${what}`, () => {
      assertThrows(() => commandsOf(Uint8Array.from(bytes)), Malformed);
    });
  }

  it("refuses a map of more entries than anybody has", () => {
    const headers = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`${at}`, ""]));
    const read = (count: number) => {
      const sent = { connect: { headers: headers(count) } };
      commandsOf(framed(command.encode(command.fromObject(sent)).finish()));
      commandsOf(JSON.stringify(sent), jsonCodec);
    };
    read(MAX_ENTRIES);
    assertThrows(() => read(MAX_ENTRIES + 1), Malformed);
    const tooMany = JSON.stringify({ connect: { headers: headers(MAX_ENTRIES + 1) } });
    assertThrows(() => commandsOf(tooMany, jsonCodec), Malformed);
  });

  it("survives any bytes, and any change to a message", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => survives(bytes)),
      { numRuns: RUNS },
    );
    fc.assert(
      fc.property(envelope(COMMAND, anyBytes), fc.nat(), fc.nat(255), (sent, at, byte) => {
        const written = framed(command.encode(command.fromObject(sent)).finish());
        written[at % written.length] = byte;
        survives(written);
      }),
      { numRuns: RUNS },
    );
  });
});

describe("the JSON codec", () => {
  it("reads what JSON.stringify writes, its data as the text that it was", () => {
    fc.assert(
      fc.property(envelope(COMMAND, json.map((it) => new Raw(it))), fc.nat(3), (sent, space) => {
        const pads = ["", " ", "\t", "\r"];
        const line = write(sent, pads[space]);
        assertEquals(commandsOf(line, jsonCodec).map(plain), [plain(sent)]);
      }),
      { numRuns: RUNS },
    );
  });

  it("writes what JSON.parse reads, one line for each reply", () => {
    fc.assert(
      fc.property(envelope(REPLY, json), (sent) => {
        const line = jsonCodec.encode(sent as Reply) as string;
        assertEquals(line.includes("\n"), false);
        assertEquals(bare(JSON.parse(line)), bare(parsed(sent, REPLY)));
      }),
      { numRuns: RUNS },
    );
  });

  it("has what is always there, and leaves out what is empty", () => {
    const written = (it: Reply) => jsonCodec.encode(it);
    const info = { user: "", client: "" };
    assertEquals(
      written({ id: 1, presence: { presence: { a: info } } }),
      '{"id":1,"presence":{"presence":{"a":{"user":"","client":""}}}}',
    );
    assertEquals(
      written({ id: 1, history: { publications: [], epoch: "", offset: 0 } }),
      '{"id":1,"history":{"publications":[],"epoch":"","offset":0}}',
    );
    assertEquals(
      written({ id: 1, presence_stats: { num_clients: 0, num_users: 0 } }),
      '{"id":1,"presence_stats":{"num_clients":0,"num_users":0}}',
    );
    assertEquals(
      written({ id: 1, subscribe: { recovered: false, offset: 0 } }),
      '{"id":1,"subscribe":{}}',
    );
    assertEquals(written({ id: 1, publish: {} }), '{"id":1,"publish":{}}');
  });

  it("of two members with one name takes the last; names may be escaped", () => {
    const line =
      '{"id":1,"rpc":{"data":1},"rp\\u0063":{"d\\u0061ta":{"x":"}\\\\\\""},"method":"m"}}';
    assertEquals(commandsOf(line, jsonCodec), [
      { id: 1, rpc: { data: '{"x":"}\\\\\\""}', method: "m" } },
    ]);
  });

  it("survives any text, and any change to a command", () => {
    const pieces = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      '"',
      ":",
      ",",
      "\\",
      "id",
      "rpc",
      "data",
      "1",
      "\n",
      " ",
    );
    fc.assert(
      fc.property(
        fc.array(pieces, { maxLength: 40 }),
        (parts) => survives(parts.join(""), jsonCodec),
      ),
      { numRuns: RUNS },
    );
    fc.assert(
      fc.property(
        envelope(COMMAND, json.map((it) => new Raw(it))),
        fc.nat(),
        pieces,
        (sent, at, piece) => {
          const line = write(sent, "");
          const cut = at % line.length;
          survives(line.slice(0, cut) + piece + line.slice(cut + 1), jsonCodec);
        },
      ),
      { numRuns: RUNS },
    );
  });
});

/** JSON that is to go through as it is. */
class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Writes JSON with padding between all tokens, and data as it is. */
function write(value: unknown, pad: string): string {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return `[${pad}${value.map((it) => write(it, pad)).join(`${pad},`)}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, it]) =>
    `${pad}${JSON.stringify(key)}${pad}:${pad}${write(it, pad)}${pad}`
  );
  return `{${pad}${members.join(",")}}`;
}

/** The same with data as text, and without prototypes that differ. */
function plain(value: unknown): unknown {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value).map(([key, it]) => [key, plain(it)]);
}

/** A reply with its data parsed, as a client has it. */
function parsed(value: unknown, kind: Kind, shape: Field["shape"] = "one"): unknown {
  if (shape === "many") return (value as unknown[]).map((it) => parsed(it, kind));
  if (shape === "map") {
    return Object.fromEntries(
      Object.entries(value as object).map(([key, it]) => [key, parsed(it, kind)]),
    );
  }
  if (kind === "bytes") return JSON.parse(value as string);
  if (!(kind instanceof Schema)) return value;
  return Object.fromEntries(
    kind.fields.filter(({ name }) => (value as Record<string, unknown>)[name] !== undefined)
      .map(({ name, kind, shape }) => [
        name,
        parsed((value as Record<string, unknown>)[name], kind, shape),
      ]),
  );
}
