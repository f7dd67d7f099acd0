import type { WebSocketError } from "../base/errors.ts";
import type { DebugLevel } from "../base/logger.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type {
  Capabilities,
  ListeningAddress,
  TransportHost,
  TransportName,
} from "../transport/transport.ts";
import type { Parts } from "./assembly.ts";
import type { ConnectionClass } from "../connection/option_readers.ts";
import type { ServerStatistics } from "./statistics.ts";
import type { TlsOptions } from "../transport/tls_options.ts";
import type { HandlersOf } from "./options.ts";
import {
  type Option,
  type OptionName,
  OPTIONS,
  readOption,
  type SilenceSettings,
} from "./option_table.ts";

/**
 * The properties of a server `S` with connections of class `C`. Handlers and settings may be changed while it
 * runs; a setting holds for connections made after it was set.
 */
export interface PropertiesOf<S, C extends WebSocketConnection> {
  /** The name of the transport: "deno_http", "deno_tcp", "bun_http", "bun_tcp", "node_http" or "node_tcp". */
  readonly transport: TransportName;
  /** What the transport can do. */
  readonly capabilities: Capabilities;
  /** The address that it listens on, once started. */
  readonly ip: string | undefined;
  /** The port that it listens on, once started; before, the one asked for. */
  readonly port: number;
  /** All addresses that it listens on, once started; `ip` and `port` are those of the first. */
  readonly addresses: readonly ListeningAddress[];
  /**
   * Has all listeners with `tls` show another certificate from now on. Connections that are open stay as they are.
   * Not on `deno_http`.
   *
   * @param tls The certificate chain and its key as PEM texts.
   * @returns Settled once it is in use. It rejects with ERR_LISTEN when it cannot be read, which changes nothing;
   * with ERR_UNSUPPORTED on `deno_http`, and ERR_STATE where nothing listens with TLS.
   */
  readonly renewCertificate: (
    tls: Pick<TlsOptions, "cert" | "key" | "passphrase">,
  ) => Promise<void>;
  /** Whether it serves TLS. */
  readonly isSsl: boolean;
  /** The runtime's listening socket or HTTP server, once started; of several an array. */
  readonly listen: unknown;
  /** The same as `listen`. */
  readonly socket: unknown;
  /** Counts since the server was made, as they are now. */
  readonly statistics: ServerStatistics;
  /** The last error, else undefined. */
  readonly error: WebSocketError | undefined;

  /** Makes the connection object for a peer that has come. */
  onAccept: HandlersOf<S, C>["onAccept"];
  /** Sets up a connection before anything has been read from it. */
  onConnect: HandlersOf<S, C>["onConnect"];
  /** Called before the connections are disconnected. */
  onShutdown: HandlersOf<S, C>["onShutdown"];
  /** Called every `tickPeriod` seconds. */
  onTick: HandlersOf<S, C>["onTick"];
  /** Told of everything that fails. */
  onError: HandlersOf<S, C>["onError"];
  /** Decides whether a connection may subscribe to a topic. */
  onSubscribe: HandlersOf<S, C>["onSubscribe"];
  /** Called when a subscription has ended. */
  onUnsubscribe: HandlersOf<S, C>["onUnsubscribe"];
  /** Called when a topic has its first subscriber. */
  onTopicOpen: HandlersOf<S, C>["onTopicOpen"];
  /** Called when a topic has lost its last subscriber. */
  onTopicClose: HandlersOf<S, C>["onTopicClose"];
  /** The class of connections. */
  connectionClass: ConnectionClass<C>;
  /** The subprotocols that this server speaks. */
  subprotocol: readonly string[];
  /** Messages of fewer bytes go uncompressed. */
  compressionThreshold: number;
  /**
   * How many seconds a peer may be silent; 0 turns the checks off. On `deno_http` it holds for connections
   * made after it was set.
   */
  silenceMax: number;
  /** How many seconds lie between two checks for silence. */
  silenceCheckInterval: number;
  /** How many seconds lie between two calls of `onTick`; 0 for none. */
  tickPeriod: number;
  /** How much is logged: 0 nothing to 4 every frame. */
  debug: DebugLevel;
  /** Whether `connections` gives a plain array. */
  legacy: boolean;
}

/** The parts of any server: what is defined on the prototype is the same for all servers and connections. */
// deno-lint-ignore no-explicit-any -- which classes they are of does not matter to what is defined once for all
export type AnyParts = Parts<any, any>;

function listener({ listeners, settings }: AnyParts): unknown {
  const given = settings.listen?.map((it) => it.listener ?? it);
  return listeners.native ?? (given !== undefined && given.length > 1 ? given : given?.[0]);
}

/** What a server tells of itself. */
const READONLY: Readonly<Record<string, (parts: AnyParts) => unknown>> = {
  transport: ({ kind }) => kind.name,
  capabilities: ({ kind }) => kind.capabilities,
  ip: ({ lifecycle, settings }) => lifecycle.address?.ip ?? settings.hostname,
  port: ({ lifecycle, settings }) =>
    lifecycle.address?.port ?? settings.listen?.[0].port ?? settings.port,
  isSsl: ({ lifecycle, settings }) =>
    lifecycle.address?.secure ?? (settings.tls ?? settings.listen?.[0].tls) !== undefined,
  renewCertificate: ({ lifecycle }) => (tls: TlsOptions) => lifecycle.renewCertificate(tls),
  addresses: ({ listeners }) => listeners.addresses,
  listen: listener,
  socket: listener,
  statistics: ({ diagnostics, roster }) => diagnostics.counts.snapshot(roster.ready.size),
  error: ({ reports }) => reports.lastError,
};

/**
 * Gives the library access to what a server is made of.
 *
 * @param server The server.
 * @returns Its parts.
 */
export let partsOf: (server: object) => AnyParts;
/**
 * Gives the library a server as transports see it, for peers that come over none of its own, and has it run.
 *
 * @param server The server.
 */
export let hostOf: (server: object) => TransportHost;

type Values = Record<OptionName, unknown> & SilenceSettings;

/**
 * Defines the properties of servers that {@linkcode PropertiesOf} declares. Those that may be set come from
 * the table of options.
 *
 * @param prototype The prototype of the class.
 * @param parts Gives what a server is made of.
 */
export function defineProperties<Server extends object>(
  prototype: Server,
  parts: (server: Server) => AnyParts,
): void {
  partsOf = parts as typeof partsOf;
  hostOf = (server) => partsOf(server).lifecycle.serve();
  for (const [name, read] of Object.entries(READONLY)) {
    Object.defineProperty(prototype, name, {
      configurable: true,
      get(this: Server) {
        return read(partsOf(this));
      },
    });
  }
  for (const name of Object.keys(OPTIONS) as OptionName[]) {
    const { settable, timed, otherwise }: Option<unknown> = OPTIONS[name];
    if (!settable) continue;
    Object.defineProperty(prototype, name, {
      configurable: true,
      get(this: Server) {
        const settings = partsOf(this).settings as unknown as Values;
        return settings[name] ?? otherwise?.(settings);
      },
      set(this: Server, value: unknown) {
        const { settings, reports, lifecycle } = partsOf(this);
        const read = reports.keeping(() => readOption(name, value));
        (settings as unknown as Record<string, unknown>)[name] = read;
        if (timed) lifecycle.reschedule();
      },
    });
  }
}
