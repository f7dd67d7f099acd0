import { Buffer } from "node:buffer";
import { type Codec, Malformed, shared } from "./codec.ts";
import type { Command, Reply } from "./messages.ts";
import type { Data } from "./data.ts";
import { ProtobufReader } from "./protobuf_reader.ts";
import { ProtobufWriter, WireType } from "./protobuf_writer.ts";
import { COMMAND, type Field, type Kind, MAX_ENTRIES, REPLY, Schema } from "./schema.ts";

type Values = Record<string, unknown>;

function* commands(message: string | Uint8Array): Generator<Command, void> {
  if (typeof message === "string") throw new Malformed("protobuf goes in binary messages");
  const reader = new ProtobufReader(message);
  do yield readMessage(reader.nested(), COMMAND) as Command; while (!reader.done);
}

function readMessage(reader: ProtobufReader, schema: Schema): Values {
  const values: Values = {};
  let entries = 0;
  while (!reader.done) {
    const tag = reader.uint32();
    const field = schema.byNumber.get(tag >>> 3);
    const type = tag & 7;
    if (tag >>> 3 === 0) throw new Malformed("a field has no number");
    // A client of a later version may send fields that are not known here.
    if (field === undefined) reader.skip(type);
    else if (type !== wireType(field)) throw new Malformed(`${field.name} has another type`);
    else if (field.shape === "map" && ++entries > MAX_ENTRIES) {
      throw new Malformed("a map has too many entries");
    } else readField(reader, field, values);
  }
  return values;
}

function readField(reader: ProtobufReader, { name, kind, shape }: Field, values: Values): void {
  if (shape === "one") {
    values[name] = readValue(reader, kind);
    return;
  }
  // An entry of a map is a message with a key and a value.
  const entry = readMessage(reader.nested(), entryOf(kind));
  const map = (values[name] ??= Object.create(null)) as Values;
  map[(entry.key ?? "") as string] = entry.value ?? (kind === "string" ? "" : {});
}

function readValue(reader: ProtobufReader, kind: Kind): unknown {
  if (kind instanceof Schema) return readMessage(reader.nested(), kind);
  switch (kind) {
    case "string":
      return reader.string();
    case "bytes":
      return reader.bytes();
    case "bool":
      return reader.varint() !== 0n;
    case "uint64":
      return reader.uint64();
    case "int32":
      return reader.uint32() | 0;
    case "uint32":
      return reader.uint32();
  }
}

function writeMessage(writer: ProtobufWriter, values: Values, schema: Schema): void {
  for (const field of schema.fields) {
    const value = values[field.name];
    if (value === undefined) continue;
    const { kind, shape } = field;
    if (shape === "many") {
      for (const it of value as unknown[]) writeValue(writer, field, kind, it);
    } else if (shape === "map") {
      const entry = entryOf(kind);
      for (const [key, it] of Object.entries(value as Values)) {
        writeValue(writer, field, entry, { key, value: it });
      }
    } else if (!isEmpty(value)) writeValue(writer, field, kind, value);
  }
}

function isEmpty(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return value === "" || value === 0 || value === false;
}

function writeValue(writer: ProtobufWriter, field: Field, kind: Kind, value: unknown): void {
  writer.varint(field.number << 3 | wireType(field));
  if (kind instanceof Schema) {
    writer.nested(() => writeMessage(writer, value as Values, kind));
  } else if (typeof value === "string") writer.string(value);
  else if (value instanceof Uint8Array) writer.bytes(value);
  else writer.varint(Number(value));
}

function wireType({ kind, shape }: Field): number {
  const isNumber = kind === "bool" || kind === "int32" || kind === "uint32" || kind === "uint64";
  return isNumber && shape === "one" ? WireType.VARINT : WireType.LENGTH;
}

const entries = new Map<Kind, Schema>();

/** The message that an entry of a map is. */
function entryOf(kind: Kind): Schema {
  let entry = entries.get(kind);
  if (entry === undefined) {
    const part = { shape: "one", always: false } as const;
    entry = new Schema({
      key: { ...part, number: 1, kind: "string" },
      value: { ...part, number: 2, kind },
    });
    entries.set(kind, entry);
  }
  return entry;
}

/** Writes a reply behind its length. */
function encode(reply: Reply): Uint8Array {
  const writer = new ProtobufWriter();
  writer.nested(() => writeMessage(writer, reply as Values, REPLY));
  return writer.finish();
}

/** The protocol in protobuf: each reply or command behind its length. */
export const protobufCodec: Codec = {
  ping: shared(new Uint8Array([0])),
  commands,
  encode,
  join: (replies: readonly Data[]) => new Uint8Array(Buffer.concat(replies as Uint8Array[])),
  data: (data: Data) => data,
};
