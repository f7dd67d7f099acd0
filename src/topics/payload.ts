/**
 * How engines write publications and members as bytes.
 *
 * A payload is a byte of flags (1: text, 2: labels follow the name), the length of its name in two bytes, the
 * name, the labels as JSON after their length in four bytes, and the data.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Member, Message, Publication } from "./engine.ts";

const TEXT = 1;
const LABELS = 2;

interface Labels {
  key?: string;
  tags?: Readonly<Record<string, string>>;
  publisher?: Member;
}

/**
 * Writes a publication.
 *
 * @param message What is published.
 * @returns Its payload.
 */
export function encodePayload(message: Message): Buffer {
  const { data, id, key, tags, publisher } = message;
  const labelled = key !== undefined || tags !== undefined || publisher !== undefined;
  const labels = labelled ? JSON.stringify({ key, tags, publisher } satisfies Labels) : "";
  const text = typeof data === "string";
  const idSize = Buffer.byteLength(id);
  const labelSize = labelled ? 4 + Buffer.byteLength(labels) : 0;
  const dataSize = text ? Buffer.byteLength(data) : data.length;
  const payload = Buffer.allocUnsafe(3 + idSize + labelSize + dataSize);
  payload[0] = (text ? TEXT : 0) | (labelled ? LABELS : 0);
  payload.writeUInt16BE(idSize, 1);
  let at = 3 + payload.write(id, 3);
  if (labelled) {
    payload.writeUInt32BE(labelSize - 4, at);
    at += 4;
    at += payload.write(labels, at);
  }
  if (text) payload.write(data, at);
  else payload.set(data, at);
  return payload;
}

/**
 * Reads a publication.
 *
 * @param payload Its payload.
 * @param time When it was published.
 * @param offset Its offset, where it has one.
 * @returns The publication.
 * @throws {RangeError} For what is no payload.
 */
export function decodePayload(payload: Buffer, time: number, offset?: number): Publication {
  const flags = payload.readUInt8(0);
  const idSize = payload.readUInt16BE(1);
  let at = 3 + idSize;
  if (at > payload.length) throw new RangeError("The payload is too short for its name");
  const id = payload.toString("utf8", 3, at);
  let labels: Labels = {};
  if ((flags & LABELS) !== 0) {
    const size = payload.readUInt32BE(at);
    labels = JSON.parse(payload.toString("utf8", at + 4, at + 4 + size));
    at += 4 + size;
  }
  const data = (flags & TEXT) !== 0
    ? payload.toString("utf8", at)
    // A copy: what was received with it must not stay in memory for as long as it does.
    : new Uint8Array(payload.subarray(at));
  const { key, tags, publisher } = labels;
  return { data, id, time, offset, key, tags, publisher };
}

/**
 * Writes what is known of a member: its user after the length of that, and its info behind a byte that says
 * whether there is one.
 *
 * @param member The member.
 * @returns The text.
 */
export function encodeInfo({ user, info }: Member): Buffer {
  const name = Buffer.from(user);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(name.length);
  return Buffer.concat([
    size,
    name,
    Buffer.from(info === undefined ? [0] : [1]),
    Buffer.from(info ?? ""),
  ]);
}

/**
 * Reads what is known of a member.
 *
 * @param id Its name.
 * @param text What {@linkcode encodeInfo} wrote.
 * @returns The member.
 */
export function decodeInfo(id: string, text: Buffer): Member {
  const end = 4 + text.readUInt32BE(0);
  const user = text.toString("utf8", 4, end);
  return text[end] === 1 ? { id, user, info: text.toString("utf8", end + 1) } : { id, user };
}
