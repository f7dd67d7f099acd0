import type { WebSocketConnection } from "./connection.ts";
import { setHandlers } from "./connection_events.ts";
import { ConnectionList } from "./connection_list.ts";
import { Broadcast } from "./broadcast.ts";
import { WebSocketError } from "./errors.ts";
import { handlerError, ServerHost } from "./host.ts";
import type { DebugLevel } from "./logger.ts";
import type {
  ConnectionClass,
  ExtensionLike,
  ReadableCallback,
  ServerHandlers,
  VersionLike,
  WebSocketServerOptions,
  WritableCallback,
} from "./options.ts";
import type { Extension } from "./protocol/mod.ts";
import {
  checkExtensions,
  checkNumber,
  readConnectionClass,
  readExtensions,
  readSettings,
  readSubprotocols,
  readVersions,
} from "./settings.ts";
import { Ticker } from "./ticker.ts";
import { selectTransport } from "./transport/select.ts";
import type {
  Capabilities,
  ListeningAddress,
  Transport,
  TransportName,
} from "./transport/transport.ts";
import type { WebSocketVersion } from "./version.ts";
import { type ReadableSource, watchReadable, watchWritable, type WritableSink } from "./watch.ts";
import { WatchList } from "./watch_list.ts";

const EVENTS = ["accept", "connect", "shutdown", "tick", "error"] as const;

/** The handlers of a server by event, as {@linkcode WebSocketServer.on} takes them. */
export interface ServerEvents<C extends WebSocketConnection> {
  /** See `onAccept`. */
  accept?: ServerHandlers<C>["onAccept"];
  /** See `onConnect`. */
  connect?: ServerHandlers<C>["onConnect"];
  /** See `onShutdown`. */
  shutdown?: ServerHandlers<C>["onShutdown"];
  /** See `onTick`. */
  tick?: ServerHandlers<C>["onTick"];
  /** See `onError`. */
  error?: ServerHandlers<C>["onError"];
}

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
  readonly #options: WebSocketServerOptions<C>;
  readonly #host: ServerHost<C>;
  readonly #transport: Transport;
  readonly #list: ConnectionList<C>;
  readonly #ticker: Ticker;
  readonly #readables: WatchList<ReadableSource>;
  readonly #writables: WatchList<WritableSink>;
  readonly #finished = Promise.withResolvers<void>();
  #state: "new" | "starting" | "running" | "stopping" | "stopped" = "new";
  #address: ListeningAddress | undefined;
  #shuttingDown: Promise<void> | undefined;

  /**
   * Makes a server; it listens once started.
   *
   * @param options What to serve and how.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for an option that is not right, ERR_UNSUPPORTED for
   * what the transport or the runtime cannot do.
   */
  constructor(options: WebSocketServerOptions<C> = {}) {
    this.#options = options;
    this.#host = new ServerHost(this, readSettings(options), options);
    this.#transport = selectTransport(options.transport ?? "http")(this.#host);
    this.#host.transport = this.#transport;
    checkExtensions(this.#host.settings.extensions, this.#transport);
    if (options.listen !== undefined && options.transport !== "tcp") {
      throw new WebSocketError(
        "ERR_UNSUPPORTED",
        `Cannot use "listen" on ${this.#transport.name}: its engine makes its own socket. Use transport: "tcp".`,
      );
    }
    this.#list = new ConnectionList(this.#host.ready);
    this.#ticker = new Ticker(() => this.#host.call("onTick"));
    const watchHost = {
      server: this,
      warn: (message: string) => this.#host.log.warn(message),
      report: (error: unknown) => this.#host.report(handlerError("of a watched stream", error)),
    };
    this.#readables = new WatchList(watchReadable, watchHost);
    this.#writables = new WatchList(watchWritable, watchHost);
    this.#readables.add(options.watchReadable ?? []);
    this.#writables.add(options.watchWritable ?? []);
  }

  // Running.

  /**
   * Starts to listen.
   *
   * @returns The server, once it listens.
   * @throws {WebSocketError} ERR_LISTEN when it cannot, as when the port is taken; ERR_STATE when it
   * was started before.
   */
  async start(): Promise<this> {
    if (this.#state !== "new") {
      throw this.#keep(
        new WebSocketError("ERR_STATE", "Cannot start a server twice: make another one"),
      );
    }
    this.#state = "starting";
    const { hostname, tls, listen } = this.#options;
    const { port } = this.#host.settings;
    try {
      this.#address = await this.#transport.listen({ hostname, port, tls, listener: listen });
    } catch (error) {
      this.#state = "new";
      if (error instanceof WebSocketError) throw this.#keep(error);
      throw this.#keep(listenError(error, `${hostname ?? "0.0.0.0"}:${port}`, tls !== undefined));
    }
    this.#run();
    this.#host.log.info(`Listening on ${this.ip}:${this.port} (${this.#transport.name})`);
    return this;
  }

  #keep(error: WebSocketError): WebSocketError {
    this.#host.lastError = error;
    return error;
  }

  #run(): void {
    if (this.#state === "running") return;
    this.#state = "running";
    const { silenceMax, silenceCheckInterval, tickPeriod } = this.#host.settings;
    this.#host.liveness.schedule(silenceMax, silenceCheckInterval);
    this.#ticker.schedule(tickPeriod);
    this.#readables.run();
    this.#writables.run();
  }

  /**
   * Shuts the server down: it stops to accept, calls `onShutdown`, disconnects every client with code
   * 1001 and waits for them, at most `closeTimeout` seconds.
   *
   * @returns The server, once all that is done. Further calls wait for the same.
   */
  async shutdown(): Promise<this> {
    await (this.#shuttingDown ??= this.#shutdown());
    return this;
  }

  /**
   * The same as {@linkcode WebSocketServer.shutdown}.
   *
   * @returns The server.
   */
  stop(): Promise<this> {
    return this.shutdown();
  }

  async #shutdown(): Promise<void> {
    this.#state = "stopping";
    this.#host.stopping = true;
    this.#ticker.stop();
    this.#host.liveness.stop();
    this.#readables.stop();
    this.#writables.stop();
    await this.#transport.stop();
    await this.#host.call("onShutdown");
    for (const connection of this.#host.all.keys()) connection.disconnect(1001);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#host.settings.closeTimeout * 1000);
    });
    await Promise.race([this.#host.emptied(), patience]);
    clearTimeout(timer);
    for (const connection of this.#host.all.keys()) connection.terminate();
    this.#state = "stopped";
    this.#host.log.info("Shut down");
    this.#finished.resolve();
  }

  /** Settles when the server has shut down. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  /** Shuts the server down at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  // In an application's own HTTP server.

  /**
   * Opens a WebSocket from a request to an HTTP server of the application's own; the server need not
   * be started. Requests that are not right, or that a handler refuses, get their response too.
   *
   * @param request The request.
   * @param info What the runtime's handler was given beside it: Deno's `ServeHandlerInfo`, Bun's
   * `Server`.
   * @returns What to answer; after an upgrade Bun does not look at it.
   * @throws {WebSocketError} ERR_UNSUPPORTED on "tcp".
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
  upgrade(request: Request, info: unknown): Promise<Response> {
    if (this.#transport.upgrade === undefined) throw this.#notMounted("upgrade");
    if (this.#state === "new") this.#run();
    return this.#transport.upgrade(request, info);
  }

  /**
   * What Bun's `Bun.serve` takes as `websocket` in an application that calls
   * {@linkcode WebSocketServer.upgrade}; undefined under Deno, which needs no such thing.
   *
   * @throws {WebSocketError} ERR_UNSUPPORTED on "tcp".
   */
  // deno-lint-ignore no-explicit-any -- Bun's own type of it is not to be had under Deno
  get websocket(): any {
    if (this.#transport.upgrade === undefined) throw this.#notMounted("websocket");
    return this.#transport.websocket;
  }

  #notMounted(what: string): WebSocketError {
    return new WebSocketError(
      "ERR_UNSUPPORTED",
      `Cannot use ${what} on ${this.#transport.name}: it has no HTTP server. Use transport: "http".`,
    );
  }

  // Where it listens.

  /** The name of the transport: "deno_http", "deno_tcp", "bun_http" or "bun_tcp". */
  get transport(): TransportName {
    return this.#transport.name;
  }

  /** What the transport can do. */
  get capabilities(): Capabilities {
    return this.#transport.capabilities;
  }

  /** The address that it listens on, once started. */
  get ip(): string | undefined {
    return this.#address?.ip ?? this.#options.hostname;
  }

  /** The port that it listens on, once started; before, the one asked for. */
  get port(): number {
    return this.#address?.port ?? this.#host.settings.port;
  }

  /** Whether it serves TLS. */
  get isSsl(): boolean {
    return this.#address?.secure ?? this.#options.tls !== undefined;
  }

  /** The runtime's listening socket or HTTP server, once started. */
  get listen(): unknown {
    return this.#transport.listener ?? this.#options.listen;
  }

  /** The same as {@linkcode WebSocketServer.listen}. */
  get socket(): unknown {
    return this.listen;
  }

  // Connections.

  /** The open connections: a live {@linkcode ConnectionList}, or with `legacy` an array of them. */
  get connections(): ConnectionList<C> | C[] {
    return this.#host.settings.legacy ? [...this.#host.ready] : this.#list;
  }

  /**
   * Ends a client's connection with the closing handshake.
   *
   * @param client The connection, or its socket.
   * @returns Whether there was such a client.
   */
  disconnect(client: unknown): boolean {
    for (const connection of this.#host.all.keys()) {
      if (connection !== client && connection.socket !== client) continue;
      connection.disconnect();
      return true;
    }
    return false;
  }

  /**
   * Sends a message to many clients, encoded once for all of them.
   *
   * @param data The message, a string as text.
   * @param to Whom to send it to; by default every open connection.
   * @returns How many it was sent to.
   * @throws {TypeError} When a text has a lone surrogate; nobody is sent anything then.
   */
  broadcast(
    data: string | Uint8Array,
    to: Iterable<WebSocketConnection> = this.#host.ready,
  ): number {
    if (typeof data === "string" && !data.isWellFormed()) {
      throw new TypeError("Cannot send a text with a lone surrogate: it has no UTF-8 form");
    }
    const message = new Broadcast(data);
    const { all } = this.#host;
    let count = 0;
    for (const connection of to) {
      if (all.get(connection)?.sendShared(message)) count++;
    }
    return count;
  }

  // Watching.

  /**
   * Watches sources while the server runs.
   *
   * @param pairs Sources, each followed by its callback. One that is watched already stays as it is,
   * and a warning is logged.
   * @returns The server.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT when one cannot be watched.
   *
   * @example Every line of a child process to every client
   * ```ts ignore
   * server.watchReadable(child.stdout, (server, stdout) => {
   *   for (let data = stdout.read(); data !== null; data = stdout.read()) server.broadcast(data);
   * });
   * ```
   */
  watchReadable<Source extends ReadableSource>(
    source: Source,
    callback: ReadableCallback<C, Source>,
    ...pairs: (ReadableSource | ReadableCallback<C>)[]
  ): this {
    this.#readables.add([source, callback, ...pairs]);
    return this;
  }

  /**
   * Watches sinks while the server runs.
   *
   * @param pairs Sinks, each followed by its callback. One that is watched already stays as it is, and
   * a warning is logged.
   * @returns The server.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT when one cannot be watched.
   */
  watchWritable<Sink extends WritableSink>(
    sink: Sink,
    callback: WritableCallback<C, Sink>,
    ...pairs: (WritableSink | WritableCallback<C>)[]
  ): this {
    this.#writables.add([sink, callback, ...pairs]);
    return this;
  }

  /**
   * Gives the callback of a watched source.
   *
   * @param source The source.
   * @returns Its callback, if it is watched; without a source, all sources with their callbacks.
   */
  watchedReadable(source: ReadableSource): ReadableCallback<C> | undefined;
  /**
   * Gives all watched sources.
   *
   * @returns The sources with their callbacks.
   */
  watchedReadable(): [ReadableSource, ReadableCallback<C>][];
  watchedReadable(
    source?: ReadableSource,
  ): ReadableCallback<C> | undefined | [ReadableSource, ReadableCallback<C>][] {
    return source === undefined ? this.#readables.pairs() : this.#readables.callback(source);
  }

  /**
   * Gives the callback of a watched sink.
   *
   * @param sink The sink.
   * @returns Its callback, if it is watched; without a sink, all sinks with their callbacks.
   */
  watchedWritable(sink: WritableSink): WritableCallback<C> | undefined;
  /**
   * Gives all watched sinks.
   *
   * @returns The sinks with their callbacks.
   */
  watchedWritable(): [WritableSink, WritableCallback<C>][];
  watchedWritable(
    sink?: WritableSink,
  ): WritableCallback<C> | undefined | [WritableSink, WritableCallback<C>][] {
    return sink === undefined ? this.#writables.pairs() : this.#writables.callback(sink);
  }

  /**
   * Lets sources go; they can be read by others afterwards.
   *
   * @param sources The sources; those that are not watched are passed over.
   * @returns The server.
   */
  unwatchReadable(...sources: ReadableSource[]): this {
    this.#readables.remove(sources);
    return this;
  }

  /**
   * Lets sinks go; they can be written by others afterwards.
   *
   * @param sinks The sinks; those that are not watched are passed over.
   * @returns The server.
   */
  unwatchWritable(...sinks: WritableSink[]): this {
    this.#writables.remove(sinks);
    return this;
  }

  // Handlers.

  /**
   * Sets handlers by event: `accept`, `connect`, `shutdown`, `tick`, `error`.
   *
   * @param handlers The handlers; undefined takes one away.
   * @returns The server.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for an unknown event or a value that is no function.
   */
  on(handlers: ServerEvents<C>): this {
    const checked: Record<string, unknown> = {};
    setHandlers(checked, handlers, EVENTS, "server");
    for (const [event, handler] of Object.entries(checked)) {
      const name = `on${event[0].toUpperCase()}${event.slice(1)}` as keyof ServerHandlers<C>;
      (this.#host.handlers as Record<string, unknown>)[name] = handler;
    }
    return this;
  }

  /** Makes the connection object for a peer that has come. */
  get onAccept(): ServerHandlers<C>["onAccept"] {
    return this.#host.handlers.onAccept;
  }

  set onAccept(accept: ServerHandlers<C>["onAccept"]) {
    this.on({ accept });
  }

  /** Sets up a connection before anything has been read from it. */
  get onConnect(): ServerHandlers<C>["onConnect"] {
    return this.#host.handlers.onConnect;
  }

  set onConnect(connect: ServerHandlers<C>["onConnect"]) {
    this.on({ connect });
  }

  /** Called before the connections are disconnected. */
  get onShutdown(): ServerHandlers<C>["onShutdown"] {
    return this.#host.handlers.onShutdown;
  }

  set onShutdown(shutdown: ServerHandlers<C>["onShutdown"]) {
    this.on({ shutdown });
  }

  /** Called every `tickPeriod` seconds. */
  get onTick(): ServerHandlers<C>["onTick"] {
    return this.#host.handlers.onTick;
  }

  set onTick(tick: ServerHandlers<C>["onTick"]) {
    this.on({ tick });
  }

  /** Told of everything that fails. */
  get onError(): ServerHandlers<C>["onError"] {
    return this.#host.handlers.onError;
  }

  set onError(error: ServerHandlers<C>["onError"]) {
    this.on({ error });
  }

  /** The last error, else undefined. */
  get error(): WebSocketError | undefined {
    return this.#host.lastError;
  }

  // Settings; they hold for connections made after they were set.

  /** The class of connections. */
  get connectionClass(): ConnectionClass<C> {
    return this.#host.settings.connectionClass;
  }

  set connectionClass(connectionClass: ConnectionClass<C>) {
    this.#host.settings.connectionClass = readConnectionClass(connectionClass);
  }

  /** The extensions that clients may have. */
  get extensions(): readonly Extension[] {
    return this.#host.settings.extensions;
  }

  set extensions(extensions: ExtensionLike | readonly ExtensionLike[]) {
    const read = readExtensions(extensions);
    checkExtensions(read, this.#transport);
    this.#host.settings.extensions = read;
  }

  /** The subprotocols that this server speaks. */
  get subprotocol(): readonly string[] {
    return this.#host.settings.subprotocol;
  }

  set subprotocol(subprotocol: readonly string[]) {
    this.#host.settings.subprotocol = readSubprotocols(subprotocol);
  }

  /** The protocol version, or the most wanted one of several. */
  get version(): WebSocketVersion {
    return this.#host.settings.versions[0];
  }

  set version(version: VersionLike) {
    this.#host.settings.versions = readVersions(version);
  }

  /** The protocol versions, most wanted first. */
  get versions(): readonly WebSocketVersion[] {
    return this.#host.settings.versions;
  }

  set versions(versions: readonly VersionLike[]) {
    this.#host.settings.versions = readVersions(versions);
  }

  /** Messages of fewer bytes go uncompressed. */
  get compressionThreshold(): number {
    return this.#host.settings.compressionThreshold;
  }

  set compressionThreshold(bytes: number) {
    this.#host.settings.compressionThreshold = checkNumber("compressionThreshold", bytes);
  }

  /** How many seconds a peer may be silent; 0 turns the checks off. */
  get silenceMax(): number {
    return this.#host.settings.silenceMax;
  }

  set silenceMax(seconds: number) {
    this.#host.settings.silenceMax = checkNumber("silenceMax", seconds);
    this.#reschedule();
  }

  /** How many seconds lie between two checks for silence. */
  get silenceCheckInterval(): number {
    return this.#host.settings.silenceCheckInterval;
  }

  set silenceCheckInterval(seconds: number) {
    this.#host.settings.silenceCheckInterval = checkNumber("silenceCheckInterval", seconds);
    this.#reschedule();
  }

  #reschedule(): void {
    const { silenceMax, silenceCheckInterval } = this.#host.settings;
    if (this.#state === "running") this.#host.liveness.schedule(silenceMax, silenceCheckInterval);
  }

  /** How many seconds lie between two calls of `onTick`; 0 for none. */
  get tickPeriod(): number {
    return this.#host.settings.tickPeriod;
  }

  set tickPeriod(seconds: number) {
    this.#host.settings.tickPeriod = checkNumber("tickPeriod", seconds);
    if (this.#state === "running") this.#ticker.schedule(seconds);
  }

  /** How much is logged: 0 nothing to 4 every frame. */
  get debug(): DebugLevel {
    return this.#host.log.level;
  }

  set debug(level: DebugLevel) {
    this.#host.log.level = checkNumber("debug", level) as DebugLevel;
  }

  /** Whether `connections` gives a plain array. */
  get legacy(): boolean {
    return this.#host.settings.legacy;
  }

  set legacy(legacy: boolean) {
    this.#host.settings.legacy = legacy;
  }
}

function listenError(cause: unknown, address: string, secure: boolean): WebSocketError {
  const { code, message } = cause as { code?: string; message?: string };
  const why = code === "EADDRINUSE"
    ? "the port is in use. Choose another, or 0 to let the system choose."
    : code === "EACCES"
    ? "it is not permitted. Choose a port above 1023."
    : code === "EADDRNOTAVAIL"
    ? "this machine has no such address."
    : secure && /PEM|certificate|key/i.test(`${code} ${message}`)
    ? `the certificate or its key cannot be read (${message}). Give both as PEM texts.`
    : `${message ?? cause}`;
  return new WebSocketError("ERR_LISTEN", `Cannot listen on ${address}: ${why}`, cause);
}
