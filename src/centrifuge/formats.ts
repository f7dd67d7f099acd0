import type { Member, Publication } from "../topics/engine.ts";
import type { Format } from "../topics/envelope.ts";
import { type Codec, shared } from "./codec.ts";
import type { ClientInfo, WirePublication } from "./messages.ts";
import type { Data } from "./data.ts";

/** How publications go to the clients of one codec: to those that are told of joins, and to the others. */
export interface Formats {
  readonly quiet: Format;
  readonly withJoins: Format;
}

/**
 * Writes what the application says of a member, so that any engine can carry it: what it says of the
 * connection, and behind a line break what it says of it on this topic.
 *
 * @param connection JSON, if there is any.
 * @param topic JSON, if there is any.
 * @returns The member's `info`.
 */
export function memberInfo(
  connection: string | undefined,
  topic: string | undefined,
): string | undefined {
  return topic === undefined ? connection : `${connection ?? ""}\n${topic}`;
}

/**
 * Tells who a member is.
 *
 * @param member The member, which need not be a client of this protocol.
 * @param codec Who is to read it.
 * @returns The same, in the words of the protocol.
 */
export function clientInfo({ id, user, info }: Member, codec: Codec): ClientInfo {
  if (info === undefined) return { user, client: id };
  const [connection, topic] = info.split("\n", 2);
  return {
    user,
    client: id,
    conn_info: infoData(connection, codec),
    chan_info: topic === undefined ? undefined : infoData(topic, codec),
  };
}

/** What a plain connection says of itself is any text. */
function infoData(text: string, codec: Codec): Data | undefined {
  if (text === "") return undefined;
  return codec.data(text) ?? codec.data(JSON.stringify(text))!;
}

/**
 * Puts a publication into the words of the protocol.
 *
 * @param publication The publication.
 * @param codec Who is to read it.
 * @returns The same; null where the codec cannot carry its data.
 */
export function wirePublication(
  { data, offset, tags, time, publisher }: Publication,
  codec: Codec,
): WirePublication | null {
  const written = codec.data(data);
  if (written === null) return null;
  const info = publisher === undefined ? undefined : clientInfo(publisher, codec);
  return { data: written, info, offset, tags, time };
}

function makeFormats(codec: Codec): Formats {
  const quiet: Format = {
    publication(channel, publication) {
      const pub = wirePublication(publication, codec);
      return pub === null ? null : shared(codec.encode({ push: { channel, pub } }));
    },
  };
  const withJoins: Format = {
    publication: quiet.publication,
    presence(channel, kind, member) {
      const change = { info: clientInfo(member, codec) };
      return shared(codec.encode({ push: { channel, [kind]: change } }));
    },
  };
  return { quiet, withJoins };
}

const made = new Map<Codec, Formats>();

/**
 * Gives the formats of a codec, one pair for all servers, so that a publication is encoded once.
 *
 * @param codec The codec.
 * @returns Its formats.
 */
export function formatsOf(codec: Codec): Formats {
  let formats = made.get(codec);
  if (formats === undefined) made.set(codec, formats = makeFormats(codec));
  return formats;
}
