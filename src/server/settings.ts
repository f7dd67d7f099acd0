import { AllowedOrigins } from "./allowed_origins.ts";
import { WebSocketConnection } from "../connection/connection.ts";
import { WebSocketError } from "../base/errors.ts";
import { checkNumber, invalid, type NumberName, NUMBERS } from "../base/option_values.ts";
import type { DebugLevel, Logger } from "../base/logger.ts";
import type {
  ConnectionClass,
  ExtensionLike,
  VersionLike,
  WebSocketServerOptions,
} from "./options.ts";
import { type Extension, isToken, PermessageDeflate, permessageDeflate } from "../protocol/mod.ts";
import type { Transport, TransportLimits } from "../transport/transport.ts";
import { unsupported } from "../transport/unsupported.ts";
import { TrustedProxies } from "./trusted_proxies.ts";
import { WebSocketVersion } from "../connection/version.ts";

/**
 * Reads what `extensions` takes.
 *
 * @param given The option's value.
 * @returns The extensions.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for an unknown name or an object that is none.
 */
export function readExtensions(given: ExtensionLike | readonly ExtensionLike[]): Extension[] {
  const list = Array.isArray(given) ? given as ExtensionLike[] : [given as ExtensionLike];
  const extensions = list.map((it) => {
    if (it === "permessage-deflate") return permessageDeflate();
    if (
      typeof it === "object" && it !== null && isToken(String(it.name)) &&
      typeof it.negotiate === "function"
    ) return it;
    throw invalid("extension", it, '"permessage-deflate" or an Extension');
  });
  const names = new Set(extensions.map((it) => it.name));
  if (names.size < extensions.length) {
    throw invalid("extensions", [...names].join(", "), "each extension once");
  }
  return extensions;
}

/**
 * Refuses extensions that a transport's engine cannot run.
 *
 * @param extensions The extensions.
 * @param transport The transport.
 * @throws {WebSocketError} ERR_UNSUPPORTED naming the transport that can.
 */
export function checkExtensions(extensions: readonly Extension[], transport: Transport): void {
  const { capabilities, name } = transport;
  if (capabilities.extensions) return;
  for (const extension of extensions) {
    const builtIn = extension instanceof PermessageDeflate;
    const why = !capabilities.compression
      ? "its engine has no extensions"
      : !builtIn
      ? "its engine has no extensions but permessage-deflate"
      : isTuned(extension)
      ? "its engine takes none of the parameters but contextTakeover"
      : undefined;
    if (why !== undefined) throw unsupported(`enable "${extension.name}"`, name, why);
  }
}

function isTuned({ options }: PermessageDeflate): boolean {
  const { options: usual } = permessageDeflate({ contextTakeover: options.contextTakeover });
  return Object.entries(usual).some(([name, value]) =>
    options[name as keyof typeof options] !== value
  );
}

/**
 * Reads what `version` and `versions` take.
 *
 * @param given One version or several.
 * @returns The versions.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for one that is not served, or for none at all.
 */
export function readVersions(given: VersionLike | readonly VersionLike[]): WebSocketVersion[] {
  const versions = (Array.isArray(given) ? given as VersionLike[] : [given as VersionLike])
    .map((it) => new WebSocketVersion(it));
  if (versions.length === 0) throw invalid("versions", "[]", "at least one of 13, 8 and 7");
  return versions;
}

/**
 * Reads what `subprotocol` takes.
 *
 * @param given The subprotocols.
 * @returns A copy of them.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for one that is not a token.
 */
export function readSubprotocols(given: readonly string[]): string[] {
  if (!Array.isArray(given) || !given.every((it) => typeof it === "string" && isToken(it))) {
    throw invalid("subprotocol", given, "an array of tokens (RFC 6455 §4.1)");
  }
  return [...given];
}

/**
 * Reads what `connectionClass` takes.
 *
 * @param given The class.
 * @returns The class.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for anything but a subclass of `WebSocketConnection`.
 */
export function readConnectionClass<C extends WebSocketConnection>(
  given: ConnectionClass<C> | undefined,
): ConnectionClass<C> {
  const base = WebSocketConnection as unknown as ConnectionClass<C>;
  if (given === undefined || given === base) return base;
  if (typeof given === "function" && given.prototype instanceof WebSocketConnection) return given;
  throw invalid("connectionClass", given, "a subclass of WebSocketConnection");
}

/** A server's options with their defaults filled in; all of it may be changed while it runs. */
export interface Settings<C extends WebSocketConnection> extends TransportLimits {
  port: number;
  debug: DebugLevel;
  logger: Logger;
  compressionThreshold: number;
  maxRecvSize: number;
  maxSendSize: number;
  maxConnections: number;
  maxConnectionsPerAddress: number;
  silenceMax: number;
  /** undefined for half of `silenceMax`, whatever that is at the time. */
  silenceCheckInterval: number | undefined;
  tickPeriod: number;
  legacy: boolean;
  extensions: readonly Extension[];
  versions: readonly WebSocketVersion[];
  subprotocol: string[];
  connectionClass: ConnectionClass<C>;
  readonly allowedOrigins: AllowedOrigins | undefined;
  readonly trustProxy: TrustedProxies | undefined;
  readonly proxyProtocol: boolean;
}

const OTHERS = [
  "transport",
  "hostname",
  "tls",
  "listen",
  "onRequest",
  "connectionClass",
  "extensions",
  "subprotocol",
  "selectSubprotocol",
  "allowedOrigins",
  "trustProxy",
  "proxyProtocol",
  "version",
  "versions",
  "logger",
  "legacy",
  "watchReadable",
  "watchWritable",
  "onAccept",
  "onConnect",
  "onShutdown",
  "onTick",
  "onError",
];

/**
 * Checks a server's options and fills in the defaults.
 *
 * @param options The options.
 * @returns The settings.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT that names the option and what it takes.
 */
export function readSettings<C extends WebSocketConnection>(
  options: WebSocketServerOptions<C>,
): Settings<C> {
  checkOthers(options);
  const number = (name: NumberName, fallback: number): number =>
    options[name] === undefined ? fallback : checkNumber(name, options[name]);
  return {
    port: number("port", 0),
    debug: number("debug", 1) as DebugLevel,
    logger: options.logger ?? console,
    compressionThreshold: number("compressionThreshold", 1024),
    maxRecvSize: number("maxRecvSize", 16 * 1024 * 1024),
    maxSendSize: number("maxSendSize", Number.MAX_SAFE_INTEGER),
    maxFragments: number("maxFragments", 131_072),
    maxReserve: number("maxReserve", 64 * 1024),
    maxControlFrames: number("maxControlFrames", 1000),
    maxHeaderSize: number("maxHeaderSize", 16 * 1024),
    maxHeaderFields: number("maxHeaderFields", 100),
    maxConnections: number("maxConnections", 10_000),
    maxConnectionsPerAddress: number("maxConnectionsPerAddress", Number.MAX_SAFE_INTEGER),
    highWaterMark: number("highWaterMark", 1024 * 1024),
    maxBufferedAmount: number("maxBufferedAmount", 64 * 1024 * 1024),
    handshakeTimeout: number("handshakeTimeout", 10),
    closeTimeout: number("closeTimeout", 10),
    silenceMax: number("silenceMax", 20),
    silenceCheckInterval: options.silenceCheckInterval === undefined
      ? undefined
      : checkNumber("silenceCheckInterval", options.silenceCheckInterval),
    tickPeriod: number("tickPeriod", 0),
    legacy: options.legacy ?? false,
    extensions: readExtensions(options.extensions ?? []),
    versions: readVersions(options.versions ?? options.version ?? 13),
    subprotocol: readSubprotocols(options.subprotocol ?? []),
    connectionClass: readConnectionClass(options.connectionClass),
    allowedOrigins: options.allowedOrigins && new AllowedOrigins(options.allowedOrigins),
    trustProxy: options.trustProxy && new TrustedProxies(options.trustProxy),
    proxyProtocol: options.proxyProtocol ?? false,
  };
}

const LEVELS = ["debug", "info", "warn", "error"] as const;

function checkOthers(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(NUMBERS, name) && !OTHERS.includes(name)) {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        `Cannot use option "${name}": there is none`,
      );
    }
    const called = /^on[A-Z]/.test(name) || name === "selectSubprotocol";
    if (called && value !== undefined && typeof value !== "function") {
      throw invalid(name, value, "a function");
    }
  }
  const { transport, tls, hostname, listen, logger, legacy } = options as WebSocketServerOptions;
  if (transport !== undefined && transport !== "http" && transport !== "tcp") {
    throw invalid("transport", transport, '"http" or "tcp"');
  }
  if (hostname !== undefined && typeof hostname !== "string") {
    throw invalid("hostname", hostname, "a host name or an IP address");
  }
  if (legacy !== undefined && typeof legacy !== "boolean") {
    throw invalid("legacy", legacy, "true or false");
  }
  if (logger !== undefined && !LEVELS.every((it) => typeof logger?.[it] === "function")) {
    throw invalid("logger", logger, `an object with the methods ${LEVELS.join(", ")}`);
  }
  if (tls !== undefined && listen !== undefined) {
    throw invalid("tls", tls, "nothing beside listen: a listener has a certificate of its own");
  }
  if (tls !== undefined && (typeof tls?.cert !== "string" || typeof tls?.key !== "string")) {
    throw invalid("tls", tls, "{ cert, key }, both PEM texts");
  }
  const { proxyProtocol, trustProxy } = options as WebSocketServerOptions;
  if (proxyProtocol !== undefined && typeof proxyProtocol !== "boolean") {
    throw invalid("proxyProtocol", proxyProtocol, "true or false");
  }
  if (proxyProtocol && trustProxy === undefined) {
    throw invalid(
      "proxyProtocol",
      true,
      "trustProxy beside it, which says whose header to believe",
    );
  }
}
