import type { DebugLevel } from "../base/logger.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { ConnectionClass, HandlersOf } from "./options.ts";
import {
  type Option,
  type OptionName,
  OPTIONS,
  readOption,
  type SilenceSettings,
} from "./option_table.ts";

/**
 * The handlers and settings of a server `S`, with connections of class `C`, that may be changed while it
 * runs. A setting holds for connections made after it was set.
 */
export interface PropertiesOf<S, C extends WebSocketConnection> {
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

/** What is behind the properties of one server. */
export interface PropertyHost {
  /** The settings, by the names of the options. */
  readonly settings: object;
  readonly reports: {
    /** Does what may throw, and keeps the error. */
    keeping<T>(act: () => T): T;
  };
  readonly lifecycle: {
    /** Sets the timers anew. */
    reschedule(): void;
  };
}

type Values = Record<OptionName, unknown> & SilenceSettings;

/**
 * Makes a property of each option that may be set while the server runs. {@linkcode PropertiesOf}
 * declares them.
 *
 * @param prototype The prototype of the class.
 * @param hostOf Gives what is behind a server.
 */
export function defineProperties<Server extends object>(
  prototype: Server,
  hostOf: (server: Server) => PropertyHost,
): void {
  for (const name of Object.keys(OPTIONS) as OptionName[]) {
    const { settable, timed, otherwise }: Option<unknown> = OPTIONS[name];
    if (!settable) continue;
    Object.defineProperty(prototype, name, {
      configurable: true,
      get(this: Server) {
        const settings = hostOf(this).settings as Values;
        return settings[name] ?? otherwise?.(settings);
      },
      set(this: Server, value: unknown) {
        const { settings, reports, lifecycle } = hostOf(this);
        const read = reports.keeping(() => readOption(name, value));
        (settings as Record<string, unknown>)[name] = read;
        if (timed) lifecycle.reschedule();
      },
    });
  }
}
