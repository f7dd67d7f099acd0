import { type Codec, Malformed, shared } from "./codec.ts";
import { members } from "./json_members.ts";
import type { Command, Reply } from "./messages.ts";
import { asJson, type Data } from "./data.ts";
import { COMMAND, type Field, type Kind, MAX_ENTRIES, REPLY, Schema } from "./schema.ts";

type Values = Record<string, unknown>;

function* commands(message: string | Uint8Array): Generator<Command, void> {
  if (typeof message !== "string") throw new Malformed("JSON goes in text messages");
  // One line break at the end is allowed.
  const end = message.endsWith("\n") ? message.length - 1 : message.length;
  let start = 0;
  do {
    const at = message.indexOf("\n", start);
    const stop = at === -1 || at > end ? end : at;
    yield readCommand(message.slice(start, stop));
    start = stop + 1;
  } while (start <= end);
}

function readCommand(text: string): Command {
  try {
    // This checks all of it; what follows only looks for where the values are.
    JSON.parse(text);
  } catch {
    throw new Malformed("a line is no JSON");
  }
  return readMessage(text.trim(), COMMAND) as Command;
}

function readMessage(text: string, schema: Schema): Values {
  if (!text.startsWith("{")) throw new Malformed("a value is no object");
  const values: Values = {};
  for (const [name, raw] of members(text)) {
    const field = schema.byName.get(name);
    if (field === undefined) continue;
    // Of two members with one name the last one counts, also where it is null.
    if (raw === "null" && field.kind !== "bytes") delete values[name];
    else values[name] = readField(raw, field);
  }
  return values;
}

function readField(raw: string, { kind, shape }: Field): unknown {
  if (shape === "one") return readValue(raw, kind);
  if (!raw.startsWith("{")) throw new Malformed("a value is no object");
  // A key may be any name, "__proto__" too.
  const map: Values = Object.create(null);
  let entries = 0;
  for (const [key, value] of members(raw)) {
    if (++entries > MAX_ENTRIES) throw new Malformed("a map has too many entries");
    map[key] = readValue(value, kind);
  }
  return map;
}

function readValue(raw: string, kind: Kind): unknown {
  if (kind === "bytes") return raw;
  if (kind instanceof Schema) return raw === "null" ? {} : readMessage(raw, kind);
  const value = JSON.parse(raw);
  if (kind === "string") {
    if (typeof value === "string") return value;
  } else if (kind === "bool") {
    if (typeof value === "boolean") return value;
  } else if (Number.isInteger(value)) {
    const low = kind === "int32" ? -0x8000_0000 : 0;
    const high = kind === "int32" ? 0x7fff_ffff : kind === "uint32" ? 0xffff_ffff : 2 ** 64 - 1;
    // Beyond what a number can tell apart no stream has an offset.
    if (value >= low && value <= high) return Math.min(value, Number.MAX_SAFE_INTEGER);
  }
  throw new Malformed(`a value is no ${kind}`);
}

function writeMessage(values: Values, schema: Schema): string {
  const parts: string[] = [];
  for (const field of schema.fields) {
    const value = values[field.name];
    if (value === undefined || (!field.always && isEmpty(value, field))) continue;
    parts.push(`"${field.name}":${writeField(value, field)}`);
  }
  return `{${parts.join(",")}}`;
}

function isEmpty(value: unknown, { kind, shape }: Field): boolean {
  if (shape === "many") return (value as unknown[]).length === 0;
  if (shape === "map") return Object.keys(value as object).length === 0;
  return !(kind instanceof Schema) && (value === "" || value === 0 || value === false);
}

function writeField(value: unknown, { kind, shape }: Field): string {
  if (shape === "many") return `[${(value as unknown[]).map((it) => writeValue(it, kind))}]`;
  if (shape === "one") return writeValue(value, kind);
  const entries = Object.entries(value as Values);
  return `{${entries.map(([key, it]) => `${JSON.stringify(key)}:${writeValue(it, kind)}`)}}`;
}

function writeValue(value: unknown, kind: Kind): string {
  if (kind instanceof Schema) return writeMessage(value as Values, kind);
  return kind === "bytes" ? value as string : JSON.stringify(value);
}

/** Writes a reply as JSON; its data is JSON already. */
function encode(reply: Reply): string {
  return writeMessage(reply as Values, REPLY);
}

/** The protocol in JSON: one reply or command a line. */
export const jsonCodec: Codec = {
  ping: shared("{}"),
  commands,
  encode,
  join: (replies: readonly Data[]) => replies.join("\n"),
  data: asJson,
};
