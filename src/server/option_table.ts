import { COUNT, DURATION, SIZE, TIME } from "../base/option_values.ts";
import type { DebugLevel } from "../base/logger.ts";
import { WebSocketConnection } from "../connection/connection.ts";
import { readTopicsOption } from "../topics/topic_settings.ts";
import {
  numberIn,
  readConnectionClass,
  type Reader,
  readExtensions,
  readFlag,
  readFunction,
  readLogger,
  readMessageOrder,
  readSubprotocols,
} from "../connection/option_readers.ts";
import { WebSocketVersion } from "../connection/version.ts";
import type { Capabilities } from "../transport/transport.ts";
import { readHostname, readListen, readTls } from "./listen_option.ts";
import {
  readEngine,
  readOrigins,
  readPairs,
  readProxies,
  readTopics,
  readTransport,
  readVersions,
} from "./option_readers.ts";

/** What an option needs of the transport. */
export interface Need {
  readonly capability: keyof Capabilities;
  /** Why a transport without it cannot heed the option. */
  readonly why: string;
}

/** One option of a server. */
export interface Option<T> {
  readonly read: Reader<T>;
  /** What holds where the option is undefined. */
  readonly fallback: T;
  readonly need?: Need;
  /** Whether a property of the same name sets it while the server runs. */
  readonly settable?: boolean;
  /** What its property shows while nothing is set. */
  readonly otherwise?: (settings: SilenceSettings) => unknown;
  /** Whether timers have to be set anew when it is changed. */
  readonly timed?: boolean;
}

/** What decides how often silence is looked for. */
export interface SilenceSettings {
  readonly silenceMax: number;
  readonly silenceCheckInterval: number | undefined;
}

/** How often silence is looked for, in seconds: half of `silenceMax`, where nothing else is set. */
export function silenceInterval({ silenceMax, silenceCheckInterval }: SilenceSettings): number {
  return silenceCheckInterval ?? silenceMax / 2;
}

type More = Omit<Option<unknown>, "read" | "fallback">;

function option<T, F extends T | undefined>(
  read: Reader<T>,
  fallback: F,
  more: More = {},
): Option<T | F> {
  return { read, fallback, ...more };
}

const OWN_ENGINE: More = { need: { capability: "socket", why: "its engine sets its own" } };
const OWN_BYTES: More = { need: { capability: "listen", why: "its HTTP server reads it" } };
const SETTABLE: More = { settable: true };
const TIMED: More = { settable: true, timed: true };

const bytes = numberIn(SIZE);
const count = numberIn(COUNT);
const seconds = numberIn(TIME);
const handler = option(readFunction, undefined, SETTABLE);

/** All options of a server. The properties of a server are made from it too. */
export const OPTIONS = {
  transport: option(readTransport, "http"),
  port: option(numberIn({ low: 0, high: 65_535, unit: "", whole: true }), 0),
  hostname: option(readHostname, undefined),
  tls: option(readTls, undefined),
  listen: option(readListen, undefined),
  onRequest: option(readFunction, undefined),

  onAccept: handler,
  onConnect: handler,
  onShutdown: handler,
  onTick: handler,
  onError: handler,
  onSubscribe: handler,
  onUnsubscribe: handler,
  onTopicOpen: handler,
  onTopicClose: handler,

  connectionClass: option(readConnectionClass, WebSocketConnection, SETTABLE),
  extensions: option(readExtensions, []),
  allowedOrigins: option(readOrigins, undefined),
  trustProxy: option(readProxies, undefined),
  proxyProtocol: option(readFlag, false, OWN_BYTES),
  subprotocol: option(readSubprotocols, [], SETTABLE),
  selectSubprotocol: option(readFunction, undefined),
  version: option(readVersions, [new WebSocketVersion(13)]),
  versions: option(readVersions, undefined),

  messageOrder: option(readMessageOrder, "serial"),
  compressionThreshold: option(bytes, 1024, SETTABLE),
  maxRecvSize: option(bytes, 16 * 1024 * 1024),
  maxSendSize: option(bytes, Number.MAX_SAFE_INTEGER),
  maxFragments: option(count, 131_072, OWN_ENGINE),
  maxReserve: option(count, 64 * 1024, OWN_ENGINE),
  maxControlFrames: option(count, 1000, OWN_ENGINE),
  maxHeaderSize: option(count, 16 * 1024, OWN_ENGINE),
  maxHeaderFields: option(count, 100, OWN_ENGINE),
  maxConnections: option(count, 10_000),
  maxConnectionsPerAddress: option(count, Number.MAX_SAFE_INTEGER),
  highWaterMark: option(bytes, 1024 * 1024),
  maxBufferedAmount: option(bytes, 64 * 1024 * 1024),
  maxConcurrentMessages: option(count, 100),
  maxTopicsPerConnection: option(count, 1000),
  maxSubscribersPerTopic: option(count, 1_000_000),
  maxHistoryBytes: option(bytes, 64 * 1024 * 1024),
  maxRecovered: option(count, 4096),
  maxRecoveredBytes: option(bytes, 8 * 1024 * 1024),
  maxHeld: option(count, 4096),
  maxHeldBytes: option(bytes, 8 * 1024 * 1024),
  maxWaitingKeys: option(count, 10_000),
  handshakeTimeout: option(numberIn(DURATION), 10),
  closeTimeout: option(seconds, 10),
  silenceMax: option(seconds, 20, TIMED),
  silenceCheckInterval: option(seconds, undefined, { ...TIMED, otherwise: silenceInterval }),
  tickPeriod: option(seconds, 0, TIMED),

  topics: option(readTopics, readTopicsOption({})),
  engine: option(readEngine, undefined),

  watchReadable: option(readPairs, []),
  watchWritable: option(readPairs, []),

  debug: option(numberIn<DebugLevel>({ low: 0, high: 4, unit: "", whole: true }), 1, SETTABLE),
  logger: option(readLogger, console),
  legacy: option(readFlag, false, SETTABLE),
};

/** The name of an option. */
export type OptionName = keyof typeof OPTIONS;

/**
 * Reads one option.
 *
 * @param name The option.
 * @param value What was given; undefined for the default.
 * @returns What it means.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT that names the option and what it takes.
 */
export function readOption(name: OptionName, value: unknown): unknown {
  const { read, fallback } = OPTIONS[name];
  return value === undefined ? fallback : read(value, name);
}
