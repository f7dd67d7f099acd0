import { invalid } from "../base/option_values.ts";
import { Broadcast } from "../connection/broadcast.ts";
import type { SharedMessage } from "../transport/channel.ts";
import type { Command, Reply } from "./messages.ts";
import type { Data } from "./data.ts";

/** A message that breaks the protocol; the connection is closed with 3501. */
export class Malformed extends Error {}

/** One of the two encodings of the protocol. */
export interface Codec {
  /** A reply with nothing in it: the server's ping. */
  readonly ping: SharedMessage;
  /**
   * Reads a WebSocket message, one command after the other as they are asked for.
   *
   * @param message The message.
   * @returns The commands. Going on throws {@linkcode Malformed} where the next is none.
   */
  commands(message: string | Uint8Array): Iterator<Command, void>;
  /**
   * Writes one reply.
   *
   * @param reply The reply, whose data `data()` has given.
   * @returns What goes into a WebSocket message, alone or with others.
   */
  encode(reply: Reply): Data;
  /**
   * Puts replies into one WebSocket message.
   *
   * @param replies What `encode` has given.
   * @returns The message.
   */
  join(replies: readonly Data[]): Data;
  /**
   * Makes data ready to be written.
   *
   * @param data Text or bytes of an application or another client.
   * @returns The same in the form of this codec; null for what it cannot carry.
   */
  data(data: Data): Data | null;
}

/**
 * Checks what an application gives as data.
 *
 * @param data What was given.
 * @param codec What it goes over.
 * @returns The data; undefined where none was given.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for something else, and for a text that is no JSON where the
 * client speaks JSON.
 */
export function checkData(data: unknown, codec: Codec): Data | undefined {
  if (data === undefined) return undefined;
  const fits = typeof data === "string" || data instanceof Uint8Array;
  const written = fits ? codec.data(data) : null;
  if (written !== null) return written;
  throw invalid("data", data, "JSON as a text, or bytes for a client that speaks protobuf");
}

/**
 * Makes a message for many.
 *
 * @param data What it holds.
 * @returns The message, of any size.
 */
export function shared(data: Data): SharedMessage {
  return new Broadcast(data, Infinity);
}
