import type { WebSocketConnection } from "../connection/connection.ts";
import { setHandlers } from "../connection/handlers.ts";
import type { WebSocketError } from "../base/errors.ts";
import { ServerHost } from "./host.ts";
import type { DebugLevel } from "../base/logger.ts";
import { checkNumber, type NumberName } from "../base/option_values.ts";
import type {
  ConnectionClass,
  ExtensionLike,
  ServerHandlers,
  VersionLike,
  WebSocketServerOptions,
} from "./options.ts";
import type { Extension } from "../protocol/mod.ts";
import type { WebSocketServer } from "./server.ts";
import {
  checkExtensions,
  readConnectionClass,
  readExtensions,
  readSettings,
  readSubprotocols,
  readVersions,
  type Settings,
} from "./settings.ts";
import { unsupported } from "../transport/unsupported.ts";
import type { WebSocketVersion } from "../connection/version.ts";

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

let hostOf: <C extends WebSocketConnection>(server: ConfiguredServer<C>) => ServerHost<C>;

/**
 * Gives the library access to what is behind a server's public API.
 *
 * @param server The server.
 * @returns Its host.
 */
export function serverHost<C extends WebSocketConnection>(
  server: ConfiguredServer<C>,
): ServerHost<C> {
  return hostOf(server);
}

/** The handlers and settings of a server, all of which may be changed while it runs. */
export class ConfiguredServer<C extends WebSocketConnection> {
  readonly #host: ServerHost<C>;

  static {
    hostOf = (server) => server.#host;
  }

  /**
   * Reads the options.
   *
   * @param options What to serve and how.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for an option that is not right.
   */
  constructor(options: WebSocketServerOptions<C>) {
    const server = this as unknown as WebSocketServer<C>;
    this.#host = new ServerHost(server, readSettings(options), options);
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
    this.#host.keeping(() => setHandlers(checked, handlers, EVENTS, "server"));
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

  #set<Name extends keyof Settings<C>>(name: Name, read: () => Settings<C>[Name]): void {
    this.#host.settings[name] = this.#host.keeping(read);
  }

  #setNumber(name: NumberName & keyof Settings<C>, value: number): void {
    this.#set(name, () => checkNumber(name, value));
  }

  /** The class of connections. */
  get connectionClass(): ConnectionClass<C> {
    return this.#host.settings.connectionClass;
  }

  set connectionClass(connectionClass: ConnectionClass<C>) {
    this.#set("connectionClass", () => readConnectionClass(connectionClass));
  }

  /**
   * The extensions that clients may have.
   *
   * @throws {WebSocketError} ERR_UNSUPPORTED for what the transport cannot do; `bun_http` cannot change
   * them while it runs.
   */
  get extensions(): readonly Extension[] {
    return this.#host.settings.extensions;
  }

  set extensions(extensions: ExtensionLike | readonly ExtensionLike[]) {
    this.#set("extensions", () => {
      const { transport, running } = this.#host;
      const read = readExtensions(extensions);
      checkExtensions(read, transport);
      const { name, capabilities } = transport;
      if (running && capabilities.compression && !capabilities.extensions) {
        throw unsupported("change extensions", name, "its engine was told of them at the start");
      }
      return read;
    });
  }

  /** The subprotocols that this server speaks. */
  get subprotocol(): readonly string[] {
    return this.#host.settings.subprotocol;
  }

  set subprotocol(subprotocol: readonly string[]) {
    this.#set("subprotocol", () => readSubprotocols(subprotocol));
  }

  /** The protocol version, or the most wanted one of several. */
  get version(): WebSocketVersion {
    return this.#host.settings.versions[0];
  }

  set version(version: VersionLike) {
    this.#set("versions", () => readVersions(version));
  }

  /** The protocol versions, most wanted first. */
  get versions(): readonly WebSocketVersion[] {
    return this.#host.settings.versions;
  }

  set versions(versions: readonly VersionLike[]) {
    this.#set("versions", () => readVersions(versions));
  }

  /** Messages of fewer bytes go uncompressed. */
  get compressionThreshold(): number {
    return this.#host.settings.compressionThreshold;
  }

  set compressionThreshold(bytes: number) {
    this.#setNumber("compressionThreshold", bytes);
  }

  /**
   * How many seconds a peer may be silent; 0 turns the checks off. On `deno_http` it holds for connections
   * made after it was set.
   */
  get silenceMax(): number {
    return this.#host.settings.silenceMax;
  }

  set silenceMax(seconds: number) {
    this.#setNumber("silenceMax", seconds);
    this.#host.reschedule();
  }

  /** How many seconds lie between two checks for silence. */
  get silenceCheckInterval(): number {
    return this.#host.silenceCheckInterval;
  }

  set silenceCheckInterval(seconds: number) {
    this.#setNumber("silenceCheckInterval", seconds);
    this.#host.reschedule();
  }

  /** How many seconds lie between two calls of `onTick`; 0 for none. */
  get tickPeriod(): number {
    return this.#host.settings.tickPeriod;
  }

  set tickPeriod(seconds: number) {
    this.#setNumber("tickPeriod", seconds);
    this.#host.reschedule();
  }

  /** How much is logged: 0 nothing to 4 every frame. */
  get debug(): DebugLevel {
    return this.#host.log.level;
  }

  set debug(level: DebugLevel) {
    this.#host.log.level = this.#host.keeping(() => checkNumber("debug", level)) as DebugLevel;
  }

  /** Whether `connections` gives a plain array. */
  get legacy(): boolean {
    return this.#host.settings.legacy;
  }

  set legacy(legacy: boolean) {
    this.#host.settings.legacy = legacy;
  }
}
