import { Broadcast } from "../connection/broadcast.ts";
import { serverHost } from "./configured_server.ts";
import { sessionOf, type WebSocketConnection } from "../connection/connection.ts";
import { ConnectionList } from "./connection_list.ts";
import { WebSocketError } from "../base/errors.ts";
import type { ServerHost } from "./host.ts";
import type { BunWebSocketOptions, WebSocketServerOptions } from "./options.ts";
import { checkExtensions } from "./settings.ts";
import { tidyDeadlines } from "../transport/deadlines.ts";
import { selectTransport } from "../transport/select.ts";
import type {
  Capabilities,
  ListeningAddress,
  Transport,
  TransportName,
} from "../transport/transport.ts";
import { checkProxyProtocol, checkSupported } from "./supported_options.ts";
import { startWatching, stopWatching, WatchingServer } from "./watching_server.ts";

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
export class WebSocketServer<C extends WebSocketConnection = WebSocketConnection>
  extends WatchingServer<C> {
  readonly #options: WebSocketServerOptions<C>;
  readonly #host: ServerHost<C>;
  readonly #transport: Transport;
  readonly #list: ConnectionList<C>;
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
    super(options);
    this.#options = options;
    this.#host = serverHost(this);
    this.#transport = selectTransport(options.transport ?? "http")(this.#host);
    this.#host.transport = this.#transport;
    checkExtensions(this.#host.settings.extensions, this.#transport);
    checkSupported(options, this.#transport);
    this.#list = new ConnectionList(this.#host.ready);
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
      if (this.#options.proxyProtocol) await this.#checkListener(this.#address);
    } catch (error) {
      if (this.#shuttingDown === undefined) this.#state = "new";
      if (error instanceof WebSocketError) throw this.#keep(error);
      throw this.#keep(listenError(error, `${hostname ?? "0.0.0.0"}:${port}`, tls !== undefined));
    }
    if (this.#shuttingDown !== undefined) {
      await this.#transport.stop();
      await this.#transport.end?.();
      throw this.#keep(
        new WebSocketError(
          "ERR_STATE",
          "Cannot start a server that is told to shut down meanwhile",
        ),
      );
    }
    this.#run();
    this.#host.log.info(`Listening on ${this.ip}:${this.port} (${this.#transport.name})`);
    return this;
  }

  /** A listener of the caller's own tells only now whether it speaks TLS. */
  async #checkListener({ secure }: ListeningAddress): Promise<void> {
    try {
      checkProxyProtocol(this.#transport, secure);
    } catch (error) {
      await this.#transport.stop();
      throw error;
    }
  }

  #keep(error: WebSocketError): WebSocketError {
    this.#host.lastError = error;
    return error;
  }

  #run(): void {
    if (this.#state === "running") return;
    this.#state = "running";
    this.#host.run();
    startWatching(this);
  }

  /**
   * Shuts the server down: it stops to accept, calls `onShutdown`, disconnects every client with code
   * 1001 and waits for them. It waits at most `closeTimeout` seconds for the handler, and for the clients.
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
    this.#host.stop();
    stopWatching(this);
    await this.#transport.stop();
    await this.#patiently(this.#host.call("onShutdown"));
    for (const connection of this.#host.all) connection.disconnect(1001);
    await this.#patiently(this.#host.emptied());
    for (const connection of this.#host.all) sessionOf(connection).abandon();
    await this.#patiently(this.#transport.end?.());
    tidyDeadlines();
    this.#state = "stopped";
    this.#host.log.info("Shut down");
    this.#finished.resolve();
  }

  /** Waits, but for no longer than `closeTimeout`. */
  async #patiently(step: Promise<void> | undefined): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#host.settings.closeTimeout * 1000);
    });
    await Promise.race([step, late]);
    clearTimeout(timer);
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
   * @param request The request that the runtime's handler was given, and no copy of it.
   * @param info What the runtime's handler was given beside it: Deno's `ServeHandlerInfo`, Bun's
   * `Server`. It may be inside of an object, as frameworks hand it on.
   * @returns What to answer. Return it as it is: header fields that are added to it get to the client under
   * Deno, while Bun has answered before. Those of `handshake.response.headers` always do.
   * @throws {WebSocketError} ERR_UNSUPPORTED on "tcp"; ERR_INVALID_ARGUMENT for a copy of a request, when
   * `info` is missing, and when `Bun.serve` was given another `websocket`.
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
  async upgrade(request: Request, info: unknown): Promise<Response> {
    if (this.#transport.upgrade === undefined) throw this.#keep(this.#notMounted("upgrade"));
    if (this.#state === "new") this.#run();
    try {
      return await this.#transport.upgrade(request, info);
    } catch (error) {
      throw error instanceof WebSocketError ? this.#keep(error) : error;
    }
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
    return this.#websocket("websocket");
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
    return this.#websocket("websocketWith", others);
  }

  #websocket(what: string, ...others: BunWebSocketOptions[]): BunWebSocketOptions {
    if (this.#transport.upgrade === undefined) throw this.#keep(this.#notMounted(what));
    const makes = this.#transport.websocket !== undefined;
    if (makes && others.some((it) => typeof it?.message !== "function")) {
      throw this.#keep(
        new WebSocketError(
          "ERR_INVALID_ARGUMENT",
          "Cannot use these handlers: there is no function message. Give what Bun.serve would take as websocket.",
        ),
      );
    }
    const make = () => this.#transport.websocket?.(...others) as BunWebSocketOptions;
    return this.#host.keeping(make);
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

  /**
   * The open connections, as a live {@linkcode ConnectionList}. With `legacy` it is an array of those
   * that are open now, with the same methods and a `size`.
   */
  get connections(): ConnectionList<C> {
    if (!this.#host.settings.legacy) return this.#list;
    const array = [...this.#host.ready];
    Object.defineProperty(array, "size", { value: array.length });
    return array as unknown as ConnectionList<C>;
  }

  /**
   * Ends a client's connection with the closing handshake.
   *
   * @param client The connection, or its socket.
   * @returns Whether there was such a client.
   */
  disconnect(client: unknown): boolean {
    for (const connection of this.#host.all) {
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
   * @throws {RangeError} When it has over `maxSendSize` bytes; nobody is sent anything then.
   */
  broadcast(
    data: string | Uint8Array,
    to: Iterable<WebSocketConnection> = this.#host.ready,
  ): number {
    const message = new Broadcast(data, this.#host.settings.maxSendSize);
    let count = 0;
    for (const connection of to) {
      if (sessionOf(connection).outbox.sendShared(message)) count++;
    }
    return count;
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
    : secure && /PEM|certificate|key|ASN|SSL/i.test(`${code} ${message}`)
    ? `the certificate or its key cannot be read (${message}). Give both as PEM texts.`
    : `${message ?? cause}`;
  return new WebSocketError("ERR_LISTEN", `Cannot listen on ${address}: ${why}`, cause);
}
