import { Buffer } from "node:buffer";
import { type BinaryData, bytesOf, unshared } from "../base/bytes.ts";
import { WebSocketError } from "../base/errors.ts";
import {
  checkWellFormed,
  encodeFrame,
  encodeTextFrame,
  FIN,
  Opcode,
  type SharingSession,
} from "../protocol/mod.ts";
import type { SharedMessage } from "../transport/channel.ts";
import { sessionOf, type WebSocketConnection } from "./connection.ts";

/** A message on its way to several connections. */
export class Broadcast implements SharedMessage {
  readonly data: string | Uint8Array;
  readonly size: number;
  #frame: Uint8Array | null = null;
  // What was made for sessions, by their key, and the bytes that it was made of.
  #changed: Map<number, Uint8Array> | null = null;
  #payload: Uint8Array | null = null;

  /**
   * @param data The message.
   * @param maxSize The most bytes that it may have.
   * @throws {TypeError} When a text has a lone surrogate.
   * @throws {RangeError} When it is larger.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for anything else.
   */
  constructor(data: string | BinaryData, maxSize: number) {
    if (typeof data === "string") {
      checkWellFormed(data);
      this.data = data;
      this.size = Buffer.byteLength(data);
    } else {
      // Not every engine sends memory that is shared with other threads.
      this.data = unshared(bytesOf("broadcast()", data, "a string, "));
      this.size = this.data.length;
    }
    if (this.size > maxSize) {
      throw new RangeError(
        `Cannot send a message of ${this.size} bytes: maxSendSize is ${maxSize}`,
      );
    }
  }

  /**
   * Sends it; what one connection throws keeps it from no other.
   *
   * @param connections Whom to send it to.
   * @param report Told of each connection that threw.
   * @returns How many it was sent to.
   */
  sendTo(
    connections: Iterable<WebSocketConnection>,
    report: (error: unknown, connection: WebSocketConnection) => void,
  ): number {
    let count = 0;
    for (const connection of connections) {
      try {
        if (sessionOf(connection).outbox.sendShared(this)) count++;
      } catch (error) {
        report(error, connection);
      }
    }
    return count;
  }

  frame(session: SharingSession | null): Uint8Array {
    if (session === null) return this.#unchanged();
    const frame = this.#changed?.get(session.shareKey) ?? this.#change(session);
    if ((frame[0] & session.rsv) !== 0) session.sharedSent(this.#payload!);
    return frame;
  }

  #unchanged(): Uint8Array {
    return this.#frame ??= typeof this.data === "string"
      ? encodeTextFrame(this.data)
      : encodeFrame(FIN | Opcode.BINARY, this.data);
  }

  #change(session: SharingSession): Uint8Array {
    const { data } = this;
    const isText = typeof data === "string";
    this.#payload ??= isText ? new TextEncoder().encode(data) : data;
    const payload = session.encodeShared(this.#payload);
    const first = FIN | session.rsv | (isText ? Opcode.TEXT : Opcode.BINARY);
    const frame = payload === undefined ? this.#unchanged() : encodeFrame(first, payload);
    (this.#changed ??= new Map()).set(session.shareKey, frame);
    return frame;
  }
}

/**
 * Checks whom a message is to be sent to, before it is sent to anybody.
 *
 * @param to What the caller has given.
 * @returns The connections, in a list of their own.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for anything but connections that can be gone through.
 */
export function checkRecipients(to: Iterable<unknown>): WebSocketConnection[] {
  if (typeof to !== "object" || to === null || !(Symbol.iterator in to)) throw noRecipients("this");
  const connections = [...to];
  for (const it of connections) if (!isConnection(it)) throw noRecipients("what is in this");
  return connections as WebSocketConnection[];
}

/** `instanceof` would take an object that was never constructed. */
function isConnection(value: unknown): boolean {
  try {
    return sessionOf(value as WebSocketConnection) !== undefined;
  } catch {
    return false;
  }
}

function noRecipients(what: string): WebSocketError {
  return new WebSocketError(
    "ERR_INVALID_ARGUMENT",
    `Cannot broadcast() to ${what}: it takes connections, as an array, a Set or another iterable`,
  );
}
