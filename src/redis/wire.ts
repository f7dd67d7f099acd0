/**
 * How announcements are written in Redis. They begin with a byte that tells their kind.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { decodePayloads } from "../engines/payload_list.ts";
import type { Member, Place, Publication } from "../topics/engine.ts";
import { decodePayload } from "../topics/payload.ts";

/** Kinds of announcements; the first two are written by scripts. */
const KEPT = 1;
const UNKEPT = 2;
const PRESENCE = 3;
const EPOCH = 16;

/** What is told of an announcement. */
export interface Announced {
  publication(publication: Publication, place: Place | null): void;
  presence(kind: "join" | "leave", member: Member): void;
}

/**
 * Reads an announcement on a topic's channel.
 *
 * @param message The message.
 * @param events Told of what it has, in order.
 * @throws {Error} For what is no announcement.
 */
export function decodeAnnouncement(message: Buffer, events: Announced): void {
  switch (message[0]) {
    case KEPT: {
      const first = message.readUIntBE(1, 6);
      const time = message.readUIntBE(7, 6);
      const epoch = message.toString("latin1", 13, 13 + EPOCH);
      let offset = first;
      for (const payload of decodePayloads(message, 13 + EPOCH)) {
        events.publication(decodePayload(payload, time, offset), { epoch, previous: offset - 1 });
        offset++;
      }
      return;
    }
    case UNKEPT: {
      const time = message.readUIntBE(1, 6);
      for (const payload of decodePayloads(message, 7)) {
        events.publication(decodePayload(payload, time), null);
      }
      return;
    }
    case PRESENCE: {
      const { kind, member } = JSON.parse(message.toString("utf8", 1));
      events.presence(kind, member);
      return;
    }
    default:
      throw new RangeError(`There is no announcement of kind ${message[0]}`);
  }
}

/**
 * Writes a coming or going.
 *
 * @param kind What has happened.
 * @param member Who it is.
 * @returns The message for the topic's channel.
 */
export function encodePresence(kind: "join" | "leave", member: Member): Buffer {
  const { id, user, info } = member;
  const text = JSON.stringify({ kind, member: { id, user, info } });
  return Buffer.concat([Buffer.from([PRESENCE]), Buffer.from(text)]);
}
