import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { AnyServerOf } from "../connection/any_server.ts";
import type { BinaryData } from "../base/bytes.ts";
import { Broadcast, checkRecipients } from "../connection/broadcast.ts";
import { sessionOf, type WebSocketConnection } from "../connection/connection.ts";
import type { ConnectionInit } from "../connection/connection_init.ts";
import type { ConnectionHandlers } from "../connection/handlers.ts";
import type { ExtensionLike } from "../connection/option_readers.ts";
import type { WebSocketVersion } from "../connection/version.ts";
import type { Extension } from "../protocol/mod.ts";
import type { ReadableSource, WritableSink } from "../streams/watch.ts";
import { assemble, type Parts } from "./assembly.ts";
import { type ConnectionList, legacyList } from "./connection_list.ts";
import { type EventsOf, setEvents } from "./handlers.ts";
import type { ShutdownOptions } from "./leaving.ts";
import { type OptionName, readOption } from "./option_table.ts";
import type {
  BunWebSocketOptions,
  HandlersOf,
  OptionsOf,
  ReadableCallbackOf,
  VersionLike,
  WritableCallbackOf,
} from "./options.ts";
import type { PreparedUpgrade } from "./prepared_upgrade.ts";
import { defineProperties, type PropertiesOf } from "./properties.ts";
import type { Routed, RouteOptions } from "./route_options.ts";
import { checkExtensionChange } from "./settings.ts";
import { defineStreamMembers, type ServerStreamMembers } from "./stream_members.ts";
import { defineTopicMembers, type ServerTopicMembers } from "./topic_members.ts";

/** The options of a {@linkcode WebSocketServer}. Times are in seconds, sizes in bytes. */
export type WebSocketServerOptions<C extends WebSocketConnection = WebSocketConnection> = OptionsOf<
  WebSocketServer<C>,
  C
>;
/** The handlers of a {@linkcode WebSocketServer}. */
export type ServerHandlers<C extends WebSocketConnection> = HandlersOf<WebSocketServer<C>, C>;
/** The handlers of a server by event, as {@linkcode WebSocketServer.on} takes them. */
export type ServerEvents<C extends WebSocketConnection> = EventsOf<WebSocketServer<C>, C>;
/** What `onAccept` is given. */
export type AcceptInfo<C extends WebSocketConnection> = ConnectionInit<WebSocketServer<C>>;
/** Called each time a watched source has something to read. */
export type ReadableCallback<C extends WebSocketConnection, Source = ReadableSource> =
  ReadableCallbackOf<WebSocketServer<C>, Source>;
/** Called once a watched sink can take data, and again each time it can after it was full. */
export type WritableCallback<C extends WebSocketConnection, Sink = WritableSink> =
  WritableCallbackOf<WebSocketServer<C>, Sink>;

/**
 * Any server, whatever the class of its connections: for helpers that serve all of them.
 *
 * @example
 * ```ts
 * import { type AnyServer, WebSocketConnection, WebSocketServer } from "@duet/websocket";
 *
 * class Player extends WebSocketConnection {}
 * const announce = (server: AnyServer, text: string) => server.broadcast(text);
 *
 * const server = new WebSocketServer({ connectionClass: Player });
 * console.assert(announce(server, "The game begins") === 0);
 * ```
 */
export type AnyServer = AnyServerOf<WebSocketConnection>;

/** The properties of a server that need no code of their own. */
export interface WebSocketServer<C extends WebSocketConnection = WebSocketConnection>
  extends
    PropertiesOf<WebSocketServer<C>, C>,
    ServerStreamMembers<WebSocketServer<C>>,
    ServerTopicMembers<C> {}

/**
 * A WebSocket server (RFC 6455) for Deno and Bun.
 *
 * @example An echo server, and a client that tries it
 * ```ts
 * import { WebSocketServer } from "@duet/websocket";
 *
 * await using server = new WebSocketServer({
 *   hostname: "127.0.0.1",
 *   onConnect(_server, connection) {
 *     connection.on({ message: (connection, data) => void connection.send(data) });
 *   },
 * });
 * await server.start();
 *
 * const client = new WebSocket(`ws://127.0.0.1:${server.port}`);
 * client.onopen = () => client.send("Hello");
 * const answer = await new Promise((resolve) => client.onmessage = ({ data }) => resolve(data));
 * console.assert(answer === "Hello");
 * ```
 */
export class WebSocketServer<C extends WebSocketConnection = WebSocketConnection> {
  readonly #parts: Parts<WebSocketServer<C>, C>;

  static {
    defineProperties(WebSocketServer.prototype, (server) => server.#parts);
    defineStreamMembers(WebSocketServer.prototype, (server) => server.#parts);
    defineTopicMembers(WebSocketServer.prototype, (server) => server.#parts.topics);
  }

  /**
   * Makes a server; it listens once started.
   *
   * @param options What to serve and how.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for an invalid option, ERR_UNSUPPORTED for what the
   * transport or the runtime cannot do.
   */
  constructor(options: WebSocketServerOptions<C> = {}) {
    this.#parts = assemble<WebSocketServer<C>, C>(this, options);
  }

  // Running.

  /**
   * Starts to listen.
   *
   * @param options With a `signal` the server shuts down when that aborts; a start under way rejects with its reason.
   * @returns The server, once it listens.
   * @throws {WebSocketError} ERR_LISTEN when it cannot, as when the port is taken; ERR_STATE when it
   * was started before.
   */
  async start(options?: { signal?: AbortSignal | undefined }): Promise<this> {
    await this.#parts.lifecycle.start(options);
    return this;
  }

  /**
   * Shuts the server down: it stops to accept, calls `onShutdown`, disconnects every client and waits for
   * them, and for the requests under way, each at most `closeTimeout` seconds. With `drain` clients leave over
   * that time. A further call waits for the same; its options hold for those that are still to be told.
   *
   * @param options What clients are told, and over how long.
   * @returns The server, once all that is done. It rejects with ERR_INVALID_ARGUMENT for other options.
   */
  async shutdown(options?: ShutdownOptions): Promise<this> {
    await this.#parts.lifecycle.shutdown(options);
    return this;
  }

  /**
   * The same as {@linkcode WebSocketServer.shutdown}.
   *
   * @returns The server.
   */
  stop(options?: ShutdownOptions): Promise<this> {
    return this.shutdown(options);
  }

  /** Settles when the server has shut down. */
  get finished(): Promise<void> {
    return this.#parts.lifecycle.finished;
  }

  /** Shuts the server down at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  // Paths.

  /**
   * Has the server serve a path, with handlers of its own for the connections that come by it. Of several
   * routes that fit, the one that tells the path most closely is taken; as soon as there is one route, every
   * other path is answered 404. A connection is made, and `onAccept` and `onConnect` are called, only once its
   * request has come.
   *
   * @param pattern The path, as `URLPattern` understands it: "/chat/:room", "/files/*".
   * @param handlers Handlers for its connections, set before `onConnect` is called.
   * @returns The server.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for a pattern that is none or is there already, and for what a
   * route cannot have; ERR_UNSUPPORTED for what the transport cannot do.
   *
   * @example
   * ```ts
   * import { WebSocketServer } from "@duet/websocket";
   *
   * const server = new WebSocketServer();
   * server.route("/chat/:room", {
   *   ready: (connection) => connection.send(`Welcome to ${connection.params.room}`),
   * });
   * server.route("/upload", { maxRecvSize: 1024, handlers: { binary: (_, { length }) => length } });
   * ```
   */
  route<Pattern extends string>(
    pattern: Pattern,
    handlers: ConnectionHandlers<Routed<C, Pattern>>,
  ): this;
  /**
   * Has the server serve a path, with options of its own for the connections that come by it.
   *
   * @param pattern The path.
   * @param options What is different for its connections, and their handlers.
   * @returns The server.
   * @throws {WebSocketError} As with handlers.
   */
  route<Pattern extends string, R extends C = C>(
    pattern: Pattern,
    options: RouteOptions<R, Pattern>,
  ): this;
  route(pattern: string, given: object): this {
    this.#parts.reports.keeping(() => this.#parts.routes.add(pattern, given));
    return this;
  }

  // In an application's own HTTP server.

  /**
   * Opens a WebSocket from a request to an HTTP server of the application's own; the server need not
   * be started. Invalid requests, and those that a handler refuses, get their response too.
   *
   * @param request The request that the runtime's handler was given, and no copy of it.
   * @param info What the runtime's handler was given beside it: Deno's `ServeHandlerInfo`, Bun's
   * `Server`. It may be inside of an object, as frameworks hand it on.
   * @param prepared What the application has found out already: the connection's `data`, header fields for
   * the response, and which subprotocol it is to be. One that the client does not offer is answered 500.
   * @returns What to answer. Return it as it is: header fields that are added to it get to the client under
   * Deno, while Bun has answered before. Those of `handshake.response.headers` always do.
   * @throws {WebSocketError} ERR_UNSUPPORTED on "tcp"; ERR_INVALID_ARGUMENT for a copy of a request, when
   * `info` is missing, when `Bun.serve` was given another `websocket`, and for what cannot be prepared so.
   *
   * @example
   * ```ts ignore
   * Deno.serve((request, info) =>
   *   new URL(request.url).pathname === "/ws"
   *     ? server.upgrade(request, info)
   *     : new Response("Hello")
   * );
   * ```
   */
  async upgrade(
    request: Request,
    info: unknown,
    prepared: PreparedUpgrade<C["data"]> = {},
  ): Promise<Response> {
    return await this.#parts.lifecycle.upgrade(request, info, prepared);
  }

  /**
   * Opens a WebSocket from the `upgrade` event of a `node:http` or `node:https` server of the application's own,
   * as Express, Fastify, Koa and others have; "tcp" only. This server need not be started, and leaves the
   * application's alone when it shuts down. Invalid requests, and those that a handler refuses, are answered.
   *
   * @param request The event's request, which `connection.handshake.request.incoming` gives.
   * @param socket The event's socket, which is this server's from now on.
   * @param head What has come behind the request.
   * @param prepared What the application has found out already, as {@linkcode WebSocketServer.upgrade} takes it.
   * @throws {WebSocketError} ERR_UNSUPPORTED on "http"; ERR_INVALID_ARGUMENT for anything else than the
   * arguments of the event, and for what cannot be prepared so; ERR_STATE for a socket that a server has taken
   * over before.
   *
   * @example
   * ```ts
   * import { createServer } from "node:http";
   * import { WebSocketConnection, WebSocketServer } from "@duet/websocket";
   *
   * const sockets = new WebSocketServer({
   *   transport: "tcp",
   *   connectionClass: WebSocketConnection<{ user: string }>,
   * });
   * const app = createServer();
   * app.on("upgrade", (request, socket, head) => {
   *   const user = request.headers["x-user"];
   *   if (typeof user !== "string") return void socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
   *   sockets.handleUpgrade(request, socket, head, { data: { user } });
   * });
   * ```
   */
  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Uint8Array,
    prepared?: PreparedUpgrade<C["data"]>,
  ): void {
    this.#parts.lifecycle.handleUpgrade([request, socket, head], prepared);
  }

  /**
   * What `Bun.serve` takes as `websocket` in an application that calls
   * {@linkcode WebSocketServer.upgrade}. Several servers may be mounted on one `Bun.serve`, which is given
   * the `websocket` of one of them: no other's `maxRecvSize` may be larger than that one's. Under Deno, which
   * needs no such thing, it is undefined.
   *
   * @throws {WebSocketError} ERR_UNSUPPORTED on "tcp".
   */
  get websocket(): BunWebSocketOptions {
    return this.#parts.lifecycle.websocket("websocket");
  }

  /**
   * Gives {@linkcode WebSocketServer.websocket} together with the handlers of WebSockets that are not this
   * server's: those of the application or of a framework, or another server's `websocket`. Each WebSocket goes
   * to whom it belongs to. Of what Bun has once for all of them, `maxPayloadLength` is the larger one, and
   * `perMessageDeflate` is this server's where it has compression.
   *
   * @param others The other handlers.
   * @returns What `Bun.serve` takes as `websocket`; under Deno undefined.
   * @throws {WebSocketError} ERR_UNSUPPORTED on "tcp"; ERR_INVALID_ARGUMENT when the others set `idleTimeout`,
   * `sendPings`, `backpressureLimit` or `closeOnBackpressureLimit` to what this server cannot have.
   *
   * @example
   * ```ts ignore
   * Bun.serve({
   *   websocket: chat.websocketWith(upload.websocket),
   *   fetch: (request, info) =>
   *     (request.url.endsWith("/chat") ? chat : upload).upgrade(request, info),
   * });
   * ```
   */
  websocketWith<H extends BunWebSocketOptions>(others: H): BunWebSocketOptions {
    return this.#parts.lifecycle.websocket("websocketWith", others);
  }

  // Connections.

  /**
   * The open connections, as a live {@linkcode ConnectionList}. With `legacy` it is an array of those
   * that are open now, with the same methods and a `size`.
   */
  get connections(): ConnectionList<C> {
    const { settings, roster, list } = this.#parts;
    return settings.legacy ? legacyList(roster.ready) : list;
  }

  /**
   * Ends a client's connection with the closing handshake.
   *
   * @param client The connection, or its socket.
   * @returns Whether there was such a client.
   */
  disconnect(client: unknown): boolean {
    if (client === undefined) return false;
    for (const connection of this.#parts.roster.seated) {
      if (connection !== client && sessionOf(connection).native !== client) continue;
      connection.disconnect();
      return true;
    }
    return false;
  }

  /**
   * Sends a message to many clients, encoded once for all of them. A connection that it cannot be sent to,
   * as for a lower `maxSendSize` of its own, keeps it from no other: `onError` is told.
   *
   * @param data The message, a string as text.
   * @param to Whom to send it to; by default every open connection.
   * @returns How many it was sent to.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for anything but a string or bytes in memory, and when one
   * of those in `to` is no connection; nobody is sent anything then.
   * @throws {TypeError} When a text has a lone surrogate; nobody is sent anything then.
   * @throws {RangeError} When it has over `maxSendSize` bytes; nobody is sent anything then.
   */
  broadcast(data: string | BinaryData, to?: Iterable<WebSocketConnection>): number {
    const { settings, reports, roster } = this.#parts;
    return reports.keeping(() => {
      const message = new Broadcast(data, settings.maxSendSize);
      const recipients = to === undefined ? roster.ready : checkRecipients(to);
      return message.sendTo(recipients, (error, connection) => reports.report(error, connection));
    });
  }

  // Handlers and settings; more of them are properties that the table of options makes.

  /**
   * Sets handlers by event: `accept`, `connect`, `shutdown`, `tick`, `error`, `subscribe`, `unsubscribe`,
   * `topicOpen`, `topicClose`; all of them, or none when one is refused.
   *
   * @param handlers The handlers; undefined takes one away.
   * @returns The server.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for an unknown event or a value that is no function.
   */
  on(handlers: ServerEvents<C>): this {
    this.#parts.reports.keeping(() => setEvents(this.#parts.settings, handlers));
    return this;
  }

  /**
   * The extensions that clients may have.
   *
   * @throws {WebSocketError} ERR_UNSUPPORTED for what the transport cannot do; `bun_http` cannot change
   * them while it runs.
   */
  get extensions(): readonly Extension[] {
    return this.#parts.settings.extensions;
  }

  set extensions(extensions: ExtensionLike | readonly ExtensionLike[]) {
    const read: readonly Extension[] = this.#read("extensions", extensions);
    const { settings, reports, kind, lifecycle } = this.#parts;
    reports.keeping(() => checkExtensionChange(read, kind, lifecycle.running));
    settings.extensions = read;
  }

  /** The protocol version, or the most wanted one of several. */
  get version(): WebSocketVersion {
    return this.#parts.settings.versions[0];
  }

  set version(version: VersionLike) {
    this.#parts.settings.versions = this.#read("version", version);
  }

  /** The protocol versions, most wanted first. */
  get versions(): readonly WebSocketVersion[] {
    return this.#parts.settings.versions;
  }

  set versions(versions: readonly VersionLike[]) {
    this.#parts.settings.versions = this.#read("versions", versions);
  }

  #read<T>(name: OptionName, value: unknown): T {
    return this.#parts.reports.keeping(() => readOption(name, value)) as T;
  }
}
