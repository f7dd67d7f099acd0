import { WebSocketError } from "../base/errors.ts";
import type { Handshake } from "./handshake.ts";
import type { Position } from "./subscribing.ts";

/**
 * The events of a connection, each as its handler is called: with the connection first. A handler may return
 * a promise: the next message of that connection waits until it has settled, unless `messageOrder` is
 * "concurrent". Pings, pongs and a Close frame do not wait. What a handler throws, or its promise rejects
 * with, goes to the server's `onError`.
 */
export interface ConnectionEvents<C> {
  /**
   * Decides on the page that a browser client belongs to (RFC 6455 §10.2), before the handshake.
   *
   * @param origin The origin; null when the client told none, as clients other than browsers do. The
   * opaque origin of a sandboxed page is the URL `null:`.
   * @returns false to refuse with 403. A promise must settle within 2 s, else the answer is 408; what
   * is thrown makes it 500.
   */
  origin(connection: C, origin: URL | null): boolean | void | Promise<boolean | void>;
  /**
   * Looks at the handshake, adds to its answer, or refuses it: with `handshake.reject`, or with a `Response` of
   * status 300 to 599 that it returns or throws.
   */
  handshake(connection: C, handshake: Handshake): unknown;
  /** The connection is open: the first moment to send. */
  ready(connection: C): unknown;
  /** A text message has come. */
  utf8(connection: C, data: string): unknown;
  /**
   * A binary message has come. The bytes are the handler's own, to keep and to change. Its `buffer` may be
   * larger than the message: on `deno_tcp`, messages of up to 1 KiB may be parts of one `ArrayBuffer`, and on
   * `bun_tcp` that of a message from 4 KiB on may be up to twice as large. To transfer the buffer, as
   * `postMessage` can, transfer that of a copy made with `slice()`.
   */
  binary(connection: C, data: Uint8Array): unknown;
  /** A message of either kind has come; called after `utf8` or `binary`. */
  message(connection: C, data: string | Uint8Array): unknown;
  /** A ping has come; the answer is `doPong`'s. Not on `deno_http`, whose engine does not tell. */
  ping(connection: C, payload: Uint8Array): unknown;
  /** A pong has come. Not on `deno_http`, whose engine does not tell. */
  pong(connection: C, payload: Uint8Array): unknown;
  /** All that was sent has gone out, after a `send…` had returned false. */
  drain(connection: C): unknown;
  /**
   * Publications of a topic with history were lost on the way to this server, and what the client has of it
   * is not whole any more: load it anew. What is published from `position` on comes as before.
   */
  interrupted(connection: C, topic: string, position: Position): unknown;
  /** The connection failed, by the peer's fault or a handler's. */
  error(connection: C, error: Error): unknown;
  /**
   * The connection has ended; called exactly once, after the messages that came before. When these wait
   * for longer than `closeTimeout`, it is called all the same, and they are dropped.
   *
   * @param code The status code of the peer's Close frame; 1005 when it held none, 1006 when none came.
   * @param reason The reason in it.
   */
  disconnect(connection: C, code: number, reason: string): unknown;
}

/** The handlers of a connection by event, as `on()` takes them; undefined stands for none. */
export type ConnectionHandlers<C> = {
  [Event in keyof ConnectionEvents<C>]?: ConnectionEvents<C>[Event] | undefined;
};

/** The events of a connection. */
export const CONNECTION_EVENTS = [
  "origin",
  "handshake",
  "ready",
  "utf8",
  "binary",
  "message",
  "ping",
  "pong",
  "drain",
  "error",
  "disconnect",
  "interrupted",
] as const satisfies (keyof ConnectionHandlers<unknown>)[];

/** The events that carry messages, which `recv()` takes the place of. */
export const MESSAGE_EVENTS = ["utf8", "binary", "message"] as const;

/**
 * Reads what `on()` takes, each handler once: a getter may give something else the next time.
 *
 * @param handlers The handlers by event; undefined takes one away.
 * @param names The events that there are.
 * @param owner What the handlers belong to, for the message of the error.
 * @returns The handlers, in an object of their own.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for an unknown event or a value that is no function.
 */
export function readHandlers<T extends object>(
  handlers: T,
  names: readonly string[] = CONNECTION_EVENTS,
  owner = "connection",
): T {
  if (typeof handlers !== "object" || handlers === null || Array.isArray(handlers)) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      `Cannot set these handlers: give an object, with the ${owner}'s events as keys`,
    );
  }
  for (const name of Object.keys(handlers)) {
    if (names.includes(name)) continue;
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      `Cannot set a handler for "${name}": a ${owner} has ${names.join(", ")}`,
    );
  }
  const read: Record<string, unknown> = {};
  for (const name of names) {
    // A method of a class is found too.
    if (!(name in handlers)) continue;
    const handler = read[name] = (handlers as Record<string, unknown>)[name];
    if (handler !== undefined && typeof handler !== "function") {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        `Cannot use the handler for "${name}": it must be a function`,
      );
    }
  }
  return read as T;
}

/** The handlers of a connection as properties; {@linkcode ConnectionHandlers} describes them. */
export interface HandlerProperties {
  /** The handler that decides on the page behind a browser client. */
  onOrigin: ConnectionHandlers<this>["origin"];
  /** The handler that looks at the opening handshake. */
  onHandshake: ConnectionHandlers<this>["handshake"];
  /** The handler that hears that the connection is open. */
  onReady: ConnectionHandlers<this>["ready"];
  /** The handler that takes text messages. */
  onUtf8: ConnectionHandlers<this>["utf8"];
  /** The handler that takes binary messages. */
  onBinary: ConnectionHandlers<this>["binary"];
  /** The handler that takes messages of either kind. */
  onMessage: ConnectionHandlers<this>["message"];
  /** The handler that hears of pings. */
  onPing: ConnectionHandlers<this>["ping"];
  /** The handler that hears of pongs. */
  onPong: ConnectionHandlers<this>["pong"];
  /** The handler that hears that all has been sent. */
  onDrain: ConnectionHandlers<this>["drain"];
  /** The handler that hears that publications of a topic were lost. */
  onInterrupted: ConnectionHandlers<this>["interrupted"];
  /** The handler that hears of failures. */
  onError: ConnectionHandlers<this>["error"];
  /** The handler that hears of the end. */
  onDisconnect: ConnectionHandlers<this>["disconnect"];
}

/**
 * Makes the properties of {@linkcode HandlerProperties}.
 *
 * @param prototype Where they go.
 * @param handlersOf Gives a connection's handlers.
 */
export function defineHandlerProperties<C extends { on(handlers: object): unknown }>(
  prototype: C,
  handlersOf: (connection: C) => ConnectionHandlers<unknown>,
): void {
  for (const event of CONNECTION_EVENTS) {
    Object.defineProperty(prototype, `on${event[0].toUpperCase()}${event.slice(1)}`, {
      configurable: true,
      get(this: C) {
        return handlersOf(this)[event];
      },
      set(this: C, handler: unknown) {
        this.on({ [event]: handler });
      },
    });
  }
}
