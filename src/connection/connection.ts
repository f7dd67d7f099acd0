import type { BinaryData } from "../base/bytes.ts";
import { show } from "../base/option_values.ts";
import { WebSocketError } from "../base/errors.ts";
import {
  type ConnectionHandlers,
  defineHandlerProperties,
  type HandlerProperties,
} from "./handlers.ts";
import type { ConnectionInit, PingAnswers } from "./connection_init.ts";
import { type ConnectionContext, defineContext } from "./context.ts";
import type { Handshake, Rejection } from "./handshake.ts";
import { defineLimitMembers, type LimitMembers } from "./limit_members.ts";
import { MessageLoop } from "./message_loop.ts";
import { defineStreamMembers, type StreamMembers } from "./message_streams.ts";
import type { Outbox } from "./outbox.ts";
import { Session } from "./session.ts";
import { defineTopicMembers, type TopicMembers } from "./topic_members.ts";
import type { PingAnswer } from "./tuning.ts";

/**
 * Gives the library access to what is behind a connection's public API.
 *
 * @param connection The connection.
 * @returns Its session.
 */
export let sessionOf: (connection: WebSocketConnection) => Session;

/** One client; see the class. */
export interface WebSocketConnection<Data = unknown>
  extends
    HandlerProperties,
    LimitMembers,
    StreamMembers,
    TopicMembers,
    ConnectionContext<WebSocketConnection> {}

/**
 * One client. The server makes it when a peer comes, gives it to `onConnect`, where handlers are
 * set, and tells it `ready` when the opening handshake is done. Subclasses may add state and
 * methods; the server's `connectionClass` names them.
 *
 * @example A subclass with a method of its own
 * ```ts
 * import { WebSocketConnection, WebSocketServer } from "@duet/websocket";
 *
 * class Player extends WebSocketConnection {
 *   score = 0;
 *   award(points: number) {
 *     this.score += points;
 *     return this.sendUtf8(JSON.stringify({ score: this.score }));
 *   }
 * }
 *
 * const server = new WebSocketServer({
 *   connectionClass: Player,
 *   onConnect: (_server, player) => void player.on({ utf8: (player) => player.award(1) }),
 * });
 * ```
 */
export class WebSocketConnection<Data = unknown> {
  /**
   * The application's own: what `server.upgrade()` was given as `data`, or a handler has put here, and
   * undefined until then.
   */
  data: Data = undefined as Data;
  readonly #session: Session;
  readonly #outbox: Outbox;

  static {
    sessionOf = (connection) => connection.#session;
  }

  /**
   * Made by the server, or by a subclass.
   *
   * @param init What `onAccept` is given.
   */
  constructor(init: ConnectionInit) {
    this.#session = new Session(this, init.server);
    this.#outbox = this.#session.outbox;
  }

  // Handlers.

  /**
   * Sets handlers, all or none; undefined takes one away.
   *
   * @param handlers The handlers by event.
   * @returns The connection.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for an unknown event or a value that is no
   * function, ERR_STATE for a message handler on a connection that is read with `recv()`,
   * ERR_UNSUPPORTED for `ping` and `pong` on `deno_http`.
   *
   * @example
   * ```ts
   * import { WebSocketServer } from "@duet/websocket";
   *
   * const server = new WebSocketServer({
   *   onConnect(_server, connection) {
   *     connection.on({
   *       utf8: (connection, data) => connection.sendUtf8(data),
   *       disconnect: (_connection, code) => console.log("left with", code),
   *     });
   *   },
   * });
   * ```
   */
  on(handlers: ConnectionHandlers<this>): this {
    this.#session.on(handlers as ConnectionHandlers<unknown>);
    return this;
  }

  /** The client's IP address. */
  get ip(): string {
    return this.#session.remote.ip;
  }

  /** The client's port. */
  get port(): number {
    return this.#session.remote.port;
  }

  /** What the runtime calls this connection: a socket, or on its HTTP server the request. */
  get socket(): unknown {
    return this.#session.native;
  }

  /** The opening handshake, from the `handshake` event on. */
  get handshake(): Handshake | undefined {
    return this.#session.handshake;
  }

  /** The subprotocol agreed on, if there is one. */
  get subprotocol(): string | undefined {
    return this.#session.subprotocol;
  }

  /** The names of the extensions agreed on. */
  get extensions(): readonly string[] {
    return this.#session.extensions;
  }

  /** The protocol version, once the handshake has been read. */
  get version(): number | undefined {
    return this.#session.handshake?.request.version?.number;
  }

  /** The last error of this connection, else undefined. */
  get error(): WebSocketError | undefined {
    return this.#session.error;
  }

  /** Whether messages can be sent. */
  get isReady(): boolean {
    return this.#session.state === "ready";
  }

  /** Whether the closing handshake is under way. */
  get disconnecting(): boolean {
    return this.#session.state === "disconnecting";
  }

  /** Whether it has ended. */
  get disconnected(): boolean {
    return this.#session.state === "disconnected";
  }

  /**
   * A signal that aborts when the connection ends: as soon as nothing can be sent to the other side any more,
   * and before `disconnect`, which waits for messages that came before. What a handler rejects with its
   * reason is not reported as an error.
   *
   * @example Work that nobody waits for any longer is given up
   * ```ts
   * import { WebSocketServer } from "@duet/websocket";
   *
   * const server = new WebSocketServer({
   *   onConnect: (_server, connection) =>
   *     void connection.on({
   *       async utf8(connection, url) {
   *         const page = await fetch(url, { signal: connection.signal });
   *         connection.send(await page.text());
   *       },
   *     }),
   * });
   * ```
   */
  get signal(): AbortSignal {
    return this.#session.signal;
  }

  // Sending.

  /**
   * Sends a text message.
   *
   * @param data The text.
   * @returns false when it should wait for `drain` before it sends more, or when nothing was sent
   * since the connection is not open.
   * @throws {TypeError} When the text has a lone surrogate; nothing is sent.
   * @throws {RangeError} When it has over `maxSendSize` bytes; nothing is sent.
   */
  sendUtf8(data: string): boolean {
    return this.#outbox.sendText(data);
  }

  /**
   * Sends a binary message.
   *
   * @param data The bytes, in any form but a `Blob`. Leave them alone until they have gone out: large ones
   * are not copied.
   * @returns As {@linkcode WebSocketConnection.sendUtf8}.
   * @throws {RangeError} When it has over `maxSendSize` bytes; nothing is sent.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT when it is not bytes in memory; nothing is sent.
   */
  sendBinary(data: BinaryData): boolean {
    return this.#outbox.sendBinary(data);
  }

  /**
   * Sends a message of the kind that the data is, a string as text.
   *
   * @param data The message.
   * @returns As {@linkcode WebSocketConnection.sendUtf8}.
   */
  send(data: string | BinaryData): boolean;
  /**
   * Sends a message or a control frame by the name of its kind.
   *
   * @param type What to send.
   * @param data The message or payload.
   * @returns As {@linkcode WebSocketConnection.sendUtf8}.
   */
  send(type: "utf8", data: string): boolean;
  /**
   * Sends a message or a control frame by the name of its kind.
   *
   * @param type What to send.
   * @param data The message or payload.
   * @returns As {@linkcode WebSocketConnection.sendUtf8}.
   */
  send(type: "binary" | "ping" | "pong", data: BinaryData): boolean;
  send(first: string | BinaryData, second?: string | BinaryData): boolean {
    if (second === undefined) {
      return typeof first === "string" ? this.sendUtf8(first) : this.sendBinary(first);
    }
    switch (first) {
      case "utf8":
        return this.sendUtf8(second as string);
      case "binary":
        return this.sendBinary(second as BinaryData);
      case "ping":
        return this.ping(second as BinaryData);
      case "pong":
        return this.pong(second as BinaryData);
      default:
        throw new WebSocketError(
          "ERR_INVALID_ARGUMENT",
          `Cannot send a ${show(first)}: use "utf8", "binary", "ping" or "pong"`,
        );
    }
  }

  /**
   * Sends a Ping frame (RFC 6455 §5.5.2).
   *
   * @param payload At most 125 bytes, or a text of as many.
   * @returns As {@linkcode WebSocketConnection.sendUtf8}.
   * @throws {RangeError} When the payload is longer.
   * @throws {WebSocketError} ERR_UNSUPPORTED on `deno_http`.
   */
  ping(payload: string | BinaryData = ""): boolean {
    return this.#outbox.sendControl("ping", payload);
  }

  /**
   * Sends a Pong frame (RFC 6455 §5.5.3).
   *
   * @param payload At most 125 bytes, or a text of as many.
   * @returns As {@linkcode WebSocketConnection.sendUtf8}.
   * @throws {RangeError} When the payload is longer.
   * @throws {WebSocketError} ERR_UNSUPPORTED on `deno_http`.
   */
  pong(payload: string | BinaryData = ""): boolean {
    return this.#outbox.sendControl("pong", payload);
  }

  /** How many bytes wait to be taken by the operating system. */
  get bufferedAmount(): number {
    return this.#session.bufferedAmount;
  }

  /**
   * Waits until all that was sent has been taken by the operating system.
   *
   * @param options With a `signal` the wait can be given up: it rejects with the signal's reason.
   * @returns Settled at once when nothing waits, and when the connection ends. It rejects with
   * ERR_INVALID_ARGUMENT for other options.
   */
  drained(options?: { signal?: AbortSignal | undefined }): Promise<void> {
    return this.#outbox.whenDrained(options);
  }

  // Receiving.

  /**
   * Waits for the next message, instead of handlers for `utf8`, `binary` and `message`. Messages that
   * nobody waits for are kept, up to `highWaterMark` bytes; then the socket is not read. Call it first in
   * `ready`: messages that come before are lost.
   *
   * @param options With a `signal` the wait can be given up: it rejects with the signal's reason, and the
   * message that comes next is for the next call.
   * @returns The message, or null when the connection has ended and nothing is kept. It rejects with
   * ERR_STATE on a connection that has handlers for messages, with ERR_INVALID_ARGUMENT for other options.
   *
   * @example Wait for a name, but not for ever
   * ```ts
   * import { WebSocketServer } from "@duet/websocket";
   *
   * const server = new WebSocketServer({
   *   onConnect: (_server, connection) =>
   *     void connection.on({
   *       async ready(connection) {
   *         const name = await connection.recv({ signal: AbortSignal.timeout(10_000) });
   *         connection.send(`Hello ${name}`);
   *       },
   *     }),
   * });
   * ```
   */
  recv(options?: { signal?: AbortSignal | undefined }): Promise<string | Uint8Array | null> {
    return this.#session.delivery.pull(options);
  }

  /**
   * Goes through the messages until the connection ends, as {@linkcode WebSocketConnection.recv}. A loop
   * that is left early leaves the connection open; what comes then waits for the next `recv()` or loop. It can be
   * left while it waits, and takes no message with it.
   *
   * @returns The messages.
   */
  [Symbol.asyncIterator](): AsyncGenerator<string | Uint8Array, void, void> {
    return new MessageLoop(this, this.#session.delivery);
  }

  /**
   * Has messages wait until {@linkcode WebSocketConnection.resume}: up to `highWaterMark` bytes, then the
   * socket is not read. Pings and a Close frame are answered meanwhile.
   */
  pause(): void {
    this.#session.delivery.pause();
  }

  /** Goes on after {@linkcode WebSocketConnection.pause}. */
  resume(): void {
    this.#session.delivery.resume();
  }

  /**
   * What answers pings: by default a pong with the same payload; null sends none.
   *
   * @throws {WebSocketError} ERR_UNSUPPORTED when set where the runtime's engine answers by itself.
   */
  get doPong(): PingAnswers<this>["doPong"] | null {
    return this.#session.tuning.doPong;
  }

  set doPong(answer: PingAnswers<this>["doPong"] | null) {
    this.#session.tuning.doPong = answer as PingAnswer | null;
  }

  // Ending.

  /**
   * Starts the closing handshake (RFC 6455 §7.1.2); before the handshake is done, drops the client.
   *
   * @param code 1000 to 1003, 1007 to 1014 or 3000 to 4999; by default none is sent.
   * @param reason At most 123 bytes of UTF-8.
   * @throws {RangeError} When one of them may not be sent; nothing is sent then.
   */
  disconnect(code?: number, reason = ""): void {
    this.#session.disconnect(code, reason);
  }

  /** Drops the connection at once, without a closing handshake. */
  terminate(): void {
    this.#session.terminate();
  }

  /**
   * Refuses the handshake with an HTTP response; before `ready` only.
   *
   * @param status The status: 300 to 599.
   * @param rejection The body and header fields to answer with.
   * @throws {WebSocketError} ERR_STATE without a handshake that could be refused.
   */
  httpError(status: number, rejection: Rejection = {}): void {
    this.#session.httpError(status, rejection);
  }
}

defineHandlerProperties(
  WebSocketConnection.prototype,
  (connection) => sessionOf(connection).delivery.handlers,
);
defineLimitMembers(WebSocketConnection.prototype, (connection) => sessionOf(connection));
defineStreamMembers(WebSocketConnection.prototype, (connection) => sessionOf(connection));
defineTopicMembers(WebSocketConnection.prototype, (connection) => sessionOf(connection));
defineContext(WebSocketConnection.prototype, (connection) => sessionOf(connection));
