import type { WebSocketError } from "../base/errors.ts";
import type { DebugLevel, Logger } from "../base/logger.ts";
import {
  COUNT,
  DURATION,
  invalid,
  isRecord,
  readMembers,
  SIZE,
  strangersIn,
  TIME,
} from "../base/option_values.ts";
import { WebSocketConnection } from "../connection/connection.ts";
import { type ConnectionHandlers, readHandlers } from "../connection/handlers.ts";
import {
  checkConcurrency,
  type ConnectionClass,
  type ExtensionLike,
  type MessageOrder,
  numberIn,
  readConnectionClass,
  type Reader,
  readExtensions,
  readLogger,
  readMessageOrder,
  readSubprotocols,
} from "../connection/option_readers.ts";
import { type Extension, formatFields } from "../protocol/mod.ts";
import type { DialProxy } from "../transport/tcp/dial.ts";
import { basic } from "./basic.ts";

/** How a client speaks TLS. Texts are PEM. */
export interface ClientTls {
  /**
   * The certificates of those who may have signed the server's, or the server's own. Under Deno these are
   * trusted beside those of the system, under Bun and Node instead of them.
   */
  ca?: string | string[] | undefined;
  /** The client's own certificate; together with `key`. It is not shown to another host after a redirect. */
  cert?: string | undefined;
  /** Its private key. */
  key?: string | undefined;
  /** The name that the server's certificate has to be for; default the host of the URL. */
  servername?: string | undefined;
  /**
   * false accepts any certificate, also one that is self-signed or somebody else's: whoever is between can
   * read and change everything. For tests. Not under Deno.
   */
  rejectUnauthorized?: boolean | undefined;
}

/** How a client comes again. Times are in seconds. */
export interface Reconnecting {
  /** The longest wait before the first attempt; default 0.5. It doubles with each failure. */
  minDelay?: number | undefined;
  /** The longest wait of all; default 30. A connection that lasts as long makes failures forgotten. */
  maxDelay?: number | undefined;
  /**
   * An attempt has failed. `delay` is how many seconds remain until the next one; it is undefined when there
   * will be none, since the server's refusal is for good.
   */
  onFailure?: ((error: unknown, delay: number | undefined) => void) | undefined;
}

/** The options of {@linkcode connect}. Times are in seconds, sizes in bytes. */
export interface ConnectOptions<C extends WebSocketConnection = WebSocketConnection> {
  /** The handlers of the connection, set before anything can come. */
  handlers?: ConnectionHandlers<C> | undefined;
  /** The class of the connection; default `WebSocketConnection`. */
  connectionClass?: ConnectionClass<C> | undefined;
  /** Header fields to send beside those of the protocol, as `Authorization`, `Cookie` and `Origin`. */
  headers?: Headers | Record<string, string> | [name: string, value: string][] | undefined;
  /** The subprotocols to offer, most wanted first. */
  subprotocols?: string[] | undefined;
  /** The extensions to offer: "permessage-deflate", `permessageDeflate({ … })`, or some of the user's own. */
  extensions?: ExtensionLike | ExtensionLike[] | undefined;
  /** How to speak TLS with a `wss:` URL. */
  tls?: ClientTls | undefined;
  /** The path of a Unix socket to connect to, whatever the host of the URL. */
  unix?: string | undefined;
  /**
   * An HTTP proxy by way of which to connect, as `http://user:password@proxy.example:3128`. It is asked to
   * `CONNECT`, so that it sees nothing of what `wss:` carries.
   */
  proxy?: string | URL | undefined;
  /**
   * Comes again when the connection is lost, or when the server ends it. Each connection has the same `handlers`:
   * `ready` tells of its coming, `disconnect` of its going. `connect()` gives the first one, as soon as there is
   * one. It stops with a connection that the application ends itself, and when `signal` aborts. Nothing is sent
   * again that one connection had not sent.
   */
  reconnecting?: boolean | Reconnecting | undefined;
  /** How long all may take until the WebSocket is open, redirects included; default 10. */
  handshakeTimeout?: number | undefined;
  /** Gives up before the WebSocket is open; later it only keeps it from coming again. */
  signal?: AbortSignal | undefined;
  /** How many redirects are followed; default 5. From `wss:` to `ws:` none is. */
  maxRedirects?: number | undefined;

  /** Messages of fewer bytes are not compressed; default 1024. */
  compressionThreshold?: number | undefined;
  /** The most bytes of a message that is taken, after decompression; default 16 MiB. */
  maxRecvSize?: number | undefined;
  /** The most bytes of a message that is sent; default no limit. */
  maxSendSize?: number | undefined;
  /** The most frames of a message; default 131,072. */
  maxFragments?: number | undefined;
  /** The most bytes set aside for a message before they have come; default 64 KiB. */
  maxReserve?: number | undefined;
  /** The most pings and pongs that are taken in a second; default 1000. */
  maxControlFrames?: number | undefined;
  /** The most bytes of the response head; default 16 KiB. */
  maxHeaderSize?: number | undefined;
  /** The most header fields of the response; default 100. */
  maxHeaderFields?: number | undefined;
  /** When more waits to be sent, `send…` gives false; when more waits for handlers, reading stops. Default 1 MiB. */
  highWaterMark?: number | undefined;
  /** When more waits to be sent, the server is too slow and is dropped; default 64 MiB. */
  maxBufferedAmount?: number | undefined;
  /** Whether the next message waits for the promise of the handler before, "serial", the default; or "concurrent". */
  messageOrder?: MessageOrder | undefined;
  /** With "concurrent", how many messages may be with handlers that have not settled; default 100. */
  maxConcurrentMessages?: number | undefined;
  /** How long the closing handshake may take; default 10. */
  closeTimeout?: number | undefined;
  /** A server from which nothing comes for so long, pongs included, is dropped; default 20, 0 for never. */
  silenceMax?: number | undefined;
  /** How often that is looked at; default half of it. */
  silenceCheckInterval?: number | undefined;

  /** How much is logged: 0 nothing, 1 errors, 2 warnings too, 3 the course of things too, 4 frames too. Default 1. */
  debug?: DebugLevel | undefined;
  /** Takes what is logged; default `console`. */
  logger?: Logger | undefined;
}

/** The options as they were read, with the defaults filled in. */
export interface ClientSettings {
  readonly handlers: ConnectionHandlers<unknown>;
  readonly connectionClass: ConnectionClass<WebSocketConnection>;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly subprotocols: readonly string[];
  readonly extensions: readonly Extension[];
  readonly tls: ReadTls;
  readonly unix: string | undefined;
  readonly proxy: DialProxy | undefined;
  readonly reconnecting: ReadReconnecting | undefined;
  readonly handshakeTimeout: number;
  readonly signal: AbortSignal | undefined;
  readonly maxRedirects: number;
  readonly compressionThreshold: number;
  readonly maxRecvSize: number;
  readonly maxSendSize: number;
  readonly maxFragments: number;
  readonly maxReserve: number;
  readonly maxControlFrames: number;
  readonly maxHeaderSize: number;
  readonly maxHeaderFields: number;
  readonly highWaterMark: number;
  readonly maxBufferedAmount: number;
  readonly messageOrder: MessageOrder;
  readonly maxConcurrentMessages: number;
  readonly closeTimeout: number;
  readonly silenceMax: number;
  readonly silenceCheckInterval: number | undefined;
  readonly debug: DebugLevel;
  readonly logger: Logger;
}

/** The option `reconnecting` as it was read. */
export interface ReadReconnecting extends Pick<Reconnecting, "onFailure"> {
  readonly minDelay: number;
  readonly maxDelay: number;
}

/** The option `tls` as it was read. */
export type ReadTls = Omit<ClientTls, "ca"> & { ca?: readonly string[] };

/** What the protocol says by itself. */
const OWN = /^(?:upgrade|connection|content-length|transfer-encoding|sec-websocket-.*)$/;

const readHeaders: Reader<[string, string][]> = (value, name) => {
  if (typeof value !== "object" || value === null) throw invalid(name, value, "header fields");
  let headers: [string, string][];
  try {
    headers = [...new Headers(value as Headers)];
    formatFields(headers);
  } catch (error) {
    throw invalid(name, value, `header fields (${(error as Error).message})`);
  }
  const own = headers.find(([it]) => OWN.test(it));
  if (own !== undefined) throw invalid(name, own[0], "fields that are not the protocol's own");
  return headers;
};

const readOffers: Reader<readonly Extension[]> = (value, name) => {
  const extensions = readExtensions(value, name);
  for (const it of extensions) {
    if (typeof it.offer === "function" && typeof it.accept === "function") continue;
    throw invalid(name, it.name, "extensions that have offer() and accept(), which a client needs");
  }
  return extensions;
};

const TLS_NAMES = ["ca", "cert", "key", "servername", "rejectUnauthorized"];

const readTls: Reader<ReadTls> = (value, name) => {
  const takes = `{ ${TLS_NAMES.join(", ")} }`;
  if (!isRecord(value)) throw invalid(name, value, takes);
  const { ca, ...others }: ClientTls = readMembers(value, TLS_NAMES);
  const [unknown] = strangersIn(value, TLS_NAMES);
  if (unknown !== undefined) throw invalid(`${name} with`, unknown, takes);
  const texts = ca === undefined ? [] : [ca].flat();
  for (const [key, text] of Object.entries({ ...others, ca: texts })) {
    const right = key === "rejectUnauthorized"
      ? typeof text === "boolean"
      : key === "ca"
      ? texts.every((it) => typeof it === "string")
      : typeof text === "string" && text !== "";
    // Not the value, which may be a private key.
    if (text !== undefined && !right) throw wrongTls(key);
  }
  if ((others.cert === undefined) !== (others.key === undefined)) {
    throw invalid(name, value, "cert and key together");
  }
  return ca === undefined ? others : { ...others, ca: texts };
};

function wrongTls(key: string): WebSocketError {
  const takes = key === "rejectUnauthorized" ? "true or false" : "a text";
  return invalid(`tls.${key}`, {}, takes);
}

const readText: Reader<string> = (value, name) => {
  if (typeof value === "string" && value !== "") return value;
  throw invalid(name, value, "a path");
};

const readSignal: Reader<AbortSignal> = (value, name) => {
  if (value instanceof AbortSignal) return value;
  throw invalid(name, value, "an AbortSignal");
};

const readProxy: Reader<DialProxy> = (value, name) => {
  const url = URL.canParse(String(value)) ? new URL(String(value)) : undefined;
  // Not the value, which may have a password in it.
  if (url?.protocol !== "http:" || url.hostname === "" || url.pathname !== "/" || url.search) {
    throw invalid(name, {}, "a URL such as http://proxy.example:3128");
  }
  return {
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port) || 80,
    authorization: url.username === "" && url.password === "" ? undefined : basic(url),
  };
};

const readReconnecting: Reader<ReadReconnecting | undefined> = (value, name) => {
  if (value === false) return undefined;
  const takes = "true, or { minDelay, maxDelay, onFailure }";
  const given = value === true ? {} : value;
  if (!isRecord(given)) throw invalid(name, value, takes);
  const names = ["minDelay", "maxDelay", "onFailure"];
  const { minDelay = 0.5, maxDelay = 30, onFailure }: Reconnecting = readMembers(given, names);
  const [unknown] = strangersIn(given, names);
  if (unknown !== undefined) throw invalid(`${name} with`, unknown, takes);
  seconds(minDelay, `${name}.minDelay`);
  seconds(maxDelay, `${name}.maxDelay`);
  if (onFailure !== undefined && typeof onFailure !== "function") {
    throw invalid(`${name}.onFailure`, onFailure, "a function");
  }
  return { minDelay, maxDelay, onFailure };
};

const bytes = numberIn(SIZE);
const count = numberIn(COUNT);
const seconds = numberIn(TIME);

const READERS: { [Name in keyof ClientSettings]: [Reader<unknown>, unknown] } = {
  handlers: [(value) => readHandlers(value as object), {}],
  connectionClass: [readConnectionClass, WebSocketConnection],
  headers: [readHeaders, []],
  subprotocols: [readSubprotocols, []],
  extensions: [readOffers, []],
  tls: [readTls, {}],
  unix: [readText, undefined],
  proxy: [readProxy, undefined],
  reconnecting: [readReconnecting, undefined],
  handshakeTimeout: [numberIn(DURATION), 10],
  signal: [readSignal, undefined],
  maxRedirects: [numberIn({ low: 0, high: 100, unit: "", whole: true }), 5],
  compressionThreshold: [bytes, 1024],
  maxRecvSize: [bytes, 16 * 1024 * 1024],
  maxSendSize: [bytes, Number.MAX_SAFE_INTEGER],
  maxFragments: [count, 131_072],
  maxReserve: [count, 64 * 1024],
  maxControlFrames: [count, 1000],
  maxHeaderSize: [count, 16 * 1024],
  maxHeaderFields: [count, 100],
  highWaterMark: [bytes, 1024 * 1024],
  maxBufferedAmount: [bytes, 64 * 1024 * 1024],
  messageOrder: [readMessageOrder, "serial"],
  maxConcurrentMessages: [count, 100],
  closeTimeout: [seconds, 10],
  silenceMax: [seconds, 20],
  silenceCheckInterval: [seconds, undefined],
  debug: [numberIn({ low: 0, high: 4, unit: "", whole: true }), 1],
  logger: [readLogger, console],
};

/**
 * Checks a client's options and fills in the defaults.
 *
 * @param options The options.
 * @returns What they mean.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT that names the option and what it takes.
 */
export function readClientOptions(options: object): ClientSettings {
  if (!isRecord(options)) throw invalid("options", options, "an object");
  const names = Object.keys(READERS);
  const given = readMembers(options, names);
  const [unknown] = strangersIn(options, names);
  if (unknown !== undefined) throw invalid("option", unknown, names.join(", "));
  if (given.proxy !== undefined && given.unix !== undefined) {
    throw invalid(
      "proxy",
      {},
      "nothing beside unix: a proxy does not reach the sockets of this machine",
    );
  }
  const settings = Object.fromEntries(
    Object.entries(READERS).map(([name, [read, fallback]]) => [
      name,
      given[name] === undefined ? fallback : read(given[name], name),
    ]),
  ) as unknown as ClientSettings;
  checkConcurrency(settings.messageOrder, given.maxConcurrentMessages);
  return settings;
}
