import { AddressCounts } from "./address_counts.ts";
import { type ConnectionInit, sessionOf, WebSocketConnection } from "../connection/connection.ts";
import type { ConnectionHost } from "../connection/session.ts";
import { isThenable } from "../base/thenable.ts";
import { handlerError, WebSocketError } from "../base/errors.ts";
import type { Handshake } from "../connection/handshake.ts";
import { Liveness } from "./liveness.ts";
import { LeveledLogger } from "../base/logger.ts";
import { type OpeningHost, ServerOpening } from "./opening.ts";
import type { ServerHandlers, WebSocketServerOptions } from "./options.ts";
import { Opcode } from "../protocol/mod.ts";
import type { WebSocketServer } from "./server.ts";
import type { Settings } from "./settings.ts";
import { Ticker } from "../base/ticker.ts";
import type {
  FrameTrace,
  Opening,
  Peer,
  Refusal,
  RequestInfo,
  Transport,
  TransportHost,
} from "../transport/transport.ts";

/** What every accepted connection object must have, as the reference demands. */
const REQUIRED_MEMBERS = ["error", "isReady", "recv", "send"];

const OPCODE_NAMES = new Map<number, string>(
  Object.entries(Opcode).map(([name, code]) => [code, name.toLowerCase()]),
);

/** The server as its transport and its connections see it: takes peers in and keeps count of them. */
export class ServerHost<C extends WebSocketConnection>
  implements TransportHost, ConnectionHost, OpeningHost {
  readonly settings: Settings<C>;
  readonly handlers: ServerHandlers<C>;
  readonly log: LeveledLogger;
  /** The connections that are open. */
  readonly ready = new Set<C>();
  readonly liveness = new Liveness(this.ready);
  /** All connections from their accept to their end. */
  readonly all = new Set<C>();
  readonly #addresses: AddressCounts | null;
  readonly #reserved = new Set<object>();
  readonly #ticker = new Ticker(() => this.call("onTick"));
  readonly #server: WebSocketServer<C>;
  readonly #onRequest: WebSocketServerOptions<C>["onRequest"];
  readonly selectSubprotocol:
    | ((offered: readonly string[], handshake: Handshake) => string | undefined)
    | undefined;
  transport!: Transport;
  lastError: WebSocketError | undefined;
  #state: "new" | "running" | "stopping" = "new";
  #empty: (() => void) | null = null;

  constructor(
    server: WebSocketServer<C>,
    settings: Settings<C>,
    options: WebSocketServerOptions<C>,
  ) {
    this.#server = server;
    this.settings = settings;
    this.#onRequest = options.onRequest;
    this.selectSubprotocol = options.selectSubprotocol;
    this.#addresses = settings.maxConnectionsPerAddress < Number.MAX_SAFE_INTEGER
      ? new AddressCounts()
      : null;
    this.log = new LeveledLogger(settings.debug, settings.logger);
    const { onAccept, onConnect, onShutdown, onTick, onError } = options;
    this.handlers = { onAccept, onConnect, onShutdown, onTick, onError };
  }

  // What transports, openings and connections read.

  get limits(): Settings<C> {
    return this.settings;
  }

  get extensions(): Settings<C>["extensions"] {
    return this.settings.extensions;
  }

  get servesRequests(): boolean {
    return this.#onRequest !== undefined;
  }

  get proxies(): Settings<C>["trustProxy"] {
    return this.settings.proxyProtocol ? this.settings.trustProxy : undefined;
  }

  get engineExtends(): boolean {
    return !this.transport.capabilities.extensions;
  }

  get canPing(): boolean {
    return this.transport.capabilities.ping;
  }

  get stopping(): boolean {
    return this.#state === "stopping";
  }

  isFull(connection: object): boolean {
    const { ip } = connection as C;
    const { maxConnections, maxConnectionsPerAddress } = this.settings;
    return this.stopping || this.all.size > maxConnections ||
      (this.#addresses?.add(connection, ip) ?? 0) > maxConnectionsPerAddress;
  }

  get closeTimeout(): number {
    return this.settings.closeTimeout;
  }

  get maxRecvSize(): number {
    return this.settings.maxRecvSize;
  }

  get maxSendSize(): number {
    return this.settings.maxSendSize;
  }

  get compressionThreshold(): number {
    return this.settings.compressionThreshold;
  }

  get highWaterMark(): number {
    return this.settings.highWaterMark;
  }

  get maxBufferedAmount(): number {
    return this.settings.maxBufferedAmount;
  }

  get silenceCheckInterval(): number {
    return this.settings.silenceCheckInterval ?? this.settings.silenceMax / 2;
  }

  get trace(): FrameTrace | null {
    if (this.log.level < 4) return null;
    return (peer, direction, opcode, length, payload) => {
      const shown = typeof payload === "string"
        ? JSON.stringify(payload.slice(0, 60))
        : Array.from(payload.subarray(0, 20), (it) => it.toString(16).padStart(2, "0")).join(" ");
      const more = length > (typeof payload === "string" ? 60 : 20) ? " …" : "";
      const name = OPCODE_NAMES.get(opcode);
      this.log.debug(`${peer.ip}:${peer.port} ${direction} ${name} [${length}] ${shown}${more}`);
    };
  }

  // Peers.

  accept(peer: Peer): Opening | Refusal | Promise<Opening | Refusal> {
    const { maxConnections, maxConnectionsPerAddress } = this.settings;
    // Far beyond the limits not even an answer is worth its cost.
    if (
      this.all.size >= maxConnections * 2 ||
      (this.#addresses?.from(peer.remote.ip) ?? 0) >= maxConnectionsPerAddress * 2
    ) return 503;
    const init = {
      server: this.#server,
      socket: peer.native,
      subprotocol: this.settings.subprotocol,
    };
    try {
      const made = this.handlers.onAccept?.(init);
      if (isThenable(made)) return this.#acceptLater(peer, made, init);
      return this.#connect(peer, made ?? new this.settings.connectionClass(init));
    } catch (error) {
      return this.#refused(error);
    }
  }

  async #acceptLater(
    peer: Peer,
    made: PromiseLike<unknown>,
    init: ConnectionInit<WebSocketServer<C>>,
  ): Promise<Opening | Refusal> {
    try {
      return await this.#connect(peer, await made ?? new this.settings.connectionClass(init));
    } catch (error) {
      return this.#refused(error);
    }
  }

  reserve(ip: string): (() => void) | undefined {
    const { maxConnections, maxConnectionsPerAddress, trustProxy } = this.settings;
    if (this.all.size + this.#reserved.size >= maxConnections * 2) return undefined;
    const place = {};
    if (trustProxy?.has(ip) !== true) {
      const from = this.#addresses?.from(ip) ?? 0;
      if (from >= maxConnectionsPerAddress * 2) return undefined;
      this.#addresses?.add(place, ip);
    }
    this.#reserved.add(place);
    return () => {
      this.#reserved.delete(place);
      this.#addresses?.remove(place);
    };
  }

  #refused(error: unknown): Refusal {
    this.report(handlerError("onAccept", error));
    return 500;
  }

  #connect(peer: Peer, made: unknown): Opening | Refusal | Promise<Opening | Refusal> {
    const connection = checkConnection(made) as C;
    const core = sessionOf(connection);
    core.attach(this, peer);
    this.all.add(connection);
    // Through a proxy come many clients: whose a connection is, its request will tell.
    const { trustProxy } = this.settings;
    if (trustProxy?.has(peer.remote.ip) !== true) this.#addresses?.add(connection, connection.ip);
    const opening = new ServerOpening(this as OpeningHost, core);
    try {
      const result = this.handlers.onConnect?.(this.#server, connection);
      return isThenable(result) ? this.#welcomeLater(opening, result) : welcome(opening, result);
    } catch (error) {
      return this.#refuse(opening, error);
    }
  }

  async #welcomeLater(
    opening: ServerOpening,
    result: PromiseLike<unknown>,
  ): Promise<Opening | Refusal> {
    try {
      return welcome(opening, await result);
    } catch (error) {
      return this.#refuse(opening, error);
    }
  }

  #refuse(opening: ServerOpening, error: unknown): Refusal {
    this.report(handlerError("onConnect", error), opening.connection);
    opening.failed();
    return 500;
  }

  async request(request: Request, info: RequestInfo): Promise<Response> {
    try {
      const { trustProxy } = this.settings;
      const remote = trustProxy?.clientOf(request.headers, info.remote) ?? info.remote;
      const response = await this.#onRequest!(request, { ...info, remote });
      if (response instanceof Response) return response;
      throw new TypeError("it gave no Response");
    } catch (error) {
      this.report(handlerError("onRequest", error));
      return new Response("Internal Server Error\n", { status: 500 });
    }
  }

  // Connections.

  opened(connection: C): void {
    this.ready.add(connection);
    if (this.log.level >= 3) this.log.info(`${connection.ip}:${connection.port} is connected`);
  }

  closed(connection: C): void {
    this.ready.delete(connection);
    this.all.delete(connection);
    this.#addresses?.remove(connection);
    if (this.log.level >= 3) this.log.info(`${connection.ip}:${connection.port} has left`);
    if (this.all.size === 0) this.#empty?.();
  }

  // Running.

  get running(): boolean {
    return this.#state === "running";
  }

  /** Begins to look for silence and to tick. */
  run(): void {
    this.#state = "running";
    this.reschedule();
  }

  /** Takes up times that were changed. */
  reschedule(): void {
    if (this.#state !== "running") return;
    const { silenceMax, tickPeriod } = this.settings;
    // An engine that cannot be pinged by us looks for silence by itself, and does not tell of its pongs.
    this.liveness.schedule(this.canPing ? silenceMax : 0, this.silenceCheckInterval);
    this.#ticker.schedule(tickPeriod);
  }

  /** Takes nobody in any more, and stops the timers. */
  stop(): void {
    this.#state = "stopping";
    this.liveness.stop();
    this.#ticker.stop();
  }

  /** Settles when no connection is left. */
  emptied(): Promise<void> {
    if (this.all.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#empty = resolve);
  }

  // Errors.

  /** Records and logs an error, and tells those who want to know. */
  report(error: unknown, connection?: object): void {
    const known = error instanceof WebSocketError ? error : new WebSocketError(
      "ERR_STATE",
      error instanceof Error ? error.message : String(error),
      error,
    );
    this.lastError = known;
    const of = connection as C | undefined;
    const where = of === undefined ? "" : `${of.ip}:${of.port}: `;
    const byPeer = known.code === "ERR_PROTOCOL" || known.code === "ERR_TOO_SLOW";
    if (byPeer) this.log.warn(where + known.message);
    else this.log.error(where + known.message, known.cause);
    this.#tell(known, of);
  }

  #tell(error: WebSocketError, connection: C | undefined): void {
    const tellers: (() => unknown)[] = [
      () => this.handlers.onError?.(this.#server, error, connection),
    ];
    if (connection !== undefined) tellers.push(() => connection.onError?.(connection, error));
    for (const tell of tellers) {
      // An error handler that fails is logged and not told of again, or it would fail for ever.
      const failed = (cause: unknown) => this.log.error("An error handler failed", cause);
      try {
        const result = tell();
        if (isThenable(result)) result.then(undefined, failed);
      } catch (cause) {
        failed(cause);
      }
    }
  }

  /** Does what may throw, and keeps the error. */
  keeping<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      if (error instanceof WebSocketError) this.lastError = error;
      throw error;
    }
  }

  /** Calls one of the server's handlers; never throws. */
  async call(name: "onShutdown" | "onTick"): Promise<void> {
    try {
      await this.handlers[name]?.(this.#server);
    } catch (error) {
      this.report(handlerError(name, error));
    }
  }
}

/** What `onConnect` has decided. */
function welcome(opening: ServerOpening, result: unknown): Opening | Refusal {
  const refused = result === false || result === 0 || result === "";
  if (!refused && !opening.aborted) return opening;
  opening.failed();
  return 403;
}

function checkConnection(made: unknown): WebSocketConnection {
  const missing = REQUIRED_MEMBERS.filter((name) =>
    typeof made !== "object" || made === null || !(name in made)
  );
  if (missing.length > 0) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      `Cannot use what onAccept returned: it lacks ${
        missing.join(", ")
      }. Return a WebSocketConnection or nothing.`,
    );
  }
  if (!(made instanceof WebSocketConnection)) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      "Cannot use what onAccept returned: it is no WebSocketConnection. Extend that class.",
    );
  }
  if (sessionOf(made).attached) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      "Cannot use what onAccept returned: it is another client's. Make a connection for each.",
    );
  }
  return made;
}
