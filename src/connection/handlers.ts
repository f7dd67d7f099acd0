import { WebSocketError } from "../base/errors.ts";
import type { Handshake } from "./handshake.ts";

/**
 * The handlers of a connection, each given the connection first. A handler may return a promise:
 * nothing more of that connection is told before it has settled. What a handler throws, or its
 * promise rejects with, goes to the server's `onError`.
 */
export interface ConnectionHandlers<C> {
  /**
   * Decides on the page that a browser client belongs to (RFC 6455 §10.2), before the handshake.
   *
   * @param origin The origin; null when the client told none, as clients other than browsers do. The
   * opaque origin of a sandboxed page is the URL `null:`.
   * @returns false to refuse with 403. A promise must settle within 2 s, else the answer is 408; what
   * is thrown makes it 500.
   */
  origin?(connection: C, origin: URL | null): boolean | void | Promise<boolean | void>;
  /** Looks at the handshake, adds to its answer, or refuses it with `handshake.reject`. */
  handshake?(connection: C, handshake: Handshake): unknown;
  /** The connection is open: the first moment to send. */
  ready?(connection: C): unknown;
  /** A text message has come. */
  utf8?(connection: C, data: string): unknown;
  /** A binary message has come; the bytes are the handler's own. */
  binary?(connection: C, data: Uint8Array): unknown;
  /** A message of either kind has come; called after `utf8` or `binary`. */
  message?(connection: C, data: string | Uint8Array): unknown;
  /** A ping has come; the answer is `doPong`'s. Not on `deno_http`, whose engine does not tell. */
  ping?(connection: C, payload: Uint8Array): unknown;
  /** A pong has come. Not on `deno_http`, whose engine does not tell. */
  pong?(connection: C, payload: Uint8Array): unknown;
  /** All that was sent has gone out, after a `send…` had returned false. */
  drain?(connection: C): unknown;
  /** The connection failed, by the peer's fault or a handler's. */
  error?(connection: C, error: Error): unknown;
  /**
   * The connection has ended; called exactly once.
   *
   * @param code The status code of the peer's Close frame; 1005 when it held none, 1006 when none came.
   * @param reason The reason in it.
   */
  disconnect?(connection: C, code: number, reason: string): unknown;
}

const NAMES = [
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
] as const satisfies (keyof ConnectionHandlers<unknown>)[];

/** The events of a connection that carry messages, which `recv()` takes the place of. */
export const MESSAGE_EVENTS = ["utf8", "binary", "message"] as const;

/**
 * Copies handlers.
 *
 * @param target Where to.
 * @param handlers The handlers; undefined takes one away.
 * @param names The names that there are.
 * @param owner What the handlers belong to, for the message of the error.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for an unknown name or a value that is no function.
 */
export function setHandlers(
  target: object,
  handlers: object,
  names: readonly string[] = NAMES,
  owner = "connection",
): void {
  for (const name of Object.keys(handlers)) {
    const handler = (handlers as Record<string, unknown>)[name];
    if (!names.includes(name)) {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        `Cannot set a handler for "${name}": a ${owner} has ${names.join(", ")}`,
      );
    }
    if (handler !== undefined && typeof handler !== "function") {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        `Cannot use the handler for "${name}": it must be a function`,
      );
    }
    (target as Record<string, unknown>)[name] = handler;
  }
}

/** Decides whether handlers can be set at this time. */
export interface HandlerGuard {
  /** Throws when they cannot. */
  check(handlers: ConnectionHandlers<unknown>): void;
}

let guard: (connection: ConnectionEvents, by: HandlerGuard) => ConnectionHandlers<unknown>;

/**
 * Gives the library access to a connection's handlers.
 *
 * @param connection The connection.
 * @param by Asked from now on before handlers are set.
 * @returns Where the handlers are.
 */
export function guardHandlers(
  connection: ConnectionEvents,
  by: HandlerGuard,
): ConnectionHandlers<unknown> {
  return guard(connection, by);
}

/** The handlers of a connection, one for each event; {@linkcode ConnectionHandlers} describes them. */
export class ConnectionEvents {
  readonly #handlers: ConnectionHandlers<this> = {};
  #guard: HandlerGuard | null = null;

  static {
    guard = (connection, by) => {
      connection.#guard = by;
      return connection.#handlers as ConnectionHandlers<unknown>;
    };
  }

  /**
   * Sets handlers; undefined takes one away.
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
    this.#guard?.check(handlers);
    setHandlers(this.#handlers, handlers);
    return this;
  }

  #get<Name extends keyof ConnectionHandlers<this>>(name: Name): ConnectionHandlers<this>[Name] {
    return this.#handlers[name];
  }

  /** The handler that decides on the page behind a browser client. */
  get onOrigin(): ConnectionHandlers<this>["origin"] {
    return this.#get("origin");
  }

  set onOrigin(handler: ConnectionHandlers<this>["origin"]) {
    this.on({ origin: handler } as ConnectionHandlers<this>);
  }

  /** The handler that looks at the handshake. */
  get onHandshake(): ConnectionHandlers<this>["handshake"] {
    return this.#get("handshake");
  }

  set onHandshake(handler: ConnectionHandlers<this>["handshake"]) {
    this.on({ handshake: handler } as ConnectionHandlers<this>);
  }

  /** The handler that hears that the connection is open. */
  get onReady(): ConnectionHandlers<this>["ready"] {
    return this.#get("ready");
  }

  set onReady(handler: ConnectionHandlers<this>["ready"]) {
    this.on({ ready: handler } as ConnectionHandlers<this>);
  }

  /** The handler that takes text messages. */
  get onUtf8(): ConnectionHandlers<this>["utf8"] {
    return this.#get("utf8");
  }

  set onUtf8(handler: ConnectionHandlers<this>["utf8"]) {
    this.on({ utf8: handler } as ConnectionHandlers<this>);
  }

  /** The handler that takes binary messages. */
  get onBinary(): ConnectionHandlers<this>["binary"] {
    return this.#get("binary");
  }

  set onBinary(handler: ConnectionHandlers<this>["binary"]) {
    this.on({ binary: handler } as ConnectionHandlers<this>);
  }

  /** The handler that takes messages of either kind. */
  get onMessage(): ConnectionHandlers<this>["message"] {
    return this.#get("message");
  }

  set onMessage(handler: ConnectionHandlers<this>["message"]) {
    this.on({ message: handler } as ConnectionHandlers<this>);
  }

  /** The handler that hears of pings. */
  get onPing(): ConnectionHandlers<this>["ping"] {
    return this.#get("ping");
  }

  set onPing(handler: ConnectionHandlers<this>["ping"]) {
    this.on({ ping: handler } as ConnectionHandlers<this>);
  }

  /** The handler that hears of pongs. */
  get onPong(): ConnectionHandlers<this>["pong"] {
    return this.#get("pong");
  }

  set onPong(handler: ConnectionHandlers<this>["pong"]) {
    this.on({ pong: handler } as ConnectionHandlers<this>);
  }

  /** The handler that hears that all has been sent. */
  get onDrain(): ConnectionHandlers<this>["drain"] {
    return this.#get("drain");
  }

  set onDrain(handler: ConnectionHandlers<this>["drain"]) {
    this.on({ drain: handler } as ConnectionHandlers<this>);
  }

  /** The handler that hears of failures. */
  get onError(): ConnectionHandlers<this>["error"] {
    return this.#get("error");
  }

  set onError(handler: ConnectionHandlers<this>["error"]) {
    this.on({ error: handler } as ConnectionHandlers<this>);
  }

  /** The handler that hears of the end. */
  get onDisconnect(): ConnectionHandlers<this>["disconnect"] {
    return this.#get("disconnect");
  }

  set onDisconnect(handler: ConnectionHandlers<this>["disconnect"]) {
    this.on({ disconnect: handler } as ConnectionHandlers<this>);
  }
}
