import type { WebSocketConnection } from "../connection/connection.ts";
import type { ConnectionInit } from "../connection/connection_init.ts";
import type { ExtensionOffer } from "../protocol/mod.ts";
import type { Handshake } from "../connection/handshake.ts";
import type { DebugLevel, Logger } from "../base/logger.ts";
import type { ReadableSource, WatchedWriter, WritableSink } from "../streams/watch.ts";
import type { ConnectionClass, ExtensionLike, MessageOrder } from "../connection/option_readers.ts";
import type { Engine } from "../topics/engine.ts";
import type { TopicsOption } from "../topics/topic_settings.ts";
import type { TlsOptions } from "../transport/tls_options.ts";
import type { RequestInfo } from "../transport/transport.ts";
import type { WebSocketVersion } from "../connection/version.ts";

export type { ExtensionOffer };

/** What `version` and `versions` take. */
export type VersionLike = number | string | WebSocketVersion;

/**
 * Called each time a watched source has something to read: to be read from Node's streams, handed over
 * as the chunk from those of the web. A promise is waited for before the next call.
 */
export type ReadableCallbackOf<S, Source = ReadableSource> = (
  server: S,
  source: Source,
  chunk?: unknown,
) => unknown;

/**
 * Called once a watched sink can take data, and again each time it can after it was full. Streams of the
 * web are written through the writer. A promise is waited for before the next call.
 */
export type WritableCallbackOf<S, Sink = WritableSink> = (
  server: S,
  sink: Sink,
  writer?: WatchedWriter,
) => unknown;

/**
 * The handlers of a server `S` whose connections are of class `C`. Each may return a promise; what one throws, or its promise rejects with, goes to
 * `onError`.
 */
export interface HandlersOf<S, C extends WebSocketConnection> {
  /**
   * Makes the connection object for a peer that has come. Nothing is read from it before a promise has
   * settled; when it throws, that peer is turned away.
   *
   * @returns The object, or nothing to have `connectionClass` make it.
   */
  onAccept?:
    | ((info: ConnectionInit<S>) => C | undefined | void | Promise<C | undefined | void>)
    | undefined;
  /**
   * Sets up a connection before anything has been read from it, which waits for a promise to settle.
   * When it throws, the peer is turned away.
   *
   * @returns A defined false value (`false`, `0`, `""`) to drop the peer.
   */
  onConnect?: ((server: S, connection: C) => unknown) | undefined;
  /**
   * Called before the connections are disconnected, which waits for a promise to settle: for `closeTimeout`, or
   * for the `drain` of `shutdown()`.
   */
  onShutdown?: ((server: S) => unknown) | undefined;
  /**
   * Called every `tickPeriod` seconds, never twice at once: ticks that come while a promise has not
   * settled are left out.
   */
  onTick?: ((server: S) => unknown) | undefined;
  /**
   * Decides whether a connection may subscribe to a topic. A promise is waited for, and publications meanwhile
   * are not sent to it.
   *
   * @returns false to refuse it with ERR_REFUSED; what is thrown refuses it too.
   */
  onSubscribe?: ((server: S, connection: C, topic: string) => unknown) | undefined;
  /** Called when a subscription that was admitted has ended, with its connection or before. */
  onUnsubscribe?: ((server: S, connection: C, topic: string) => unknown) | undefined;
  /** Called when a topic has its first subscriber on this server. */
  onTopicOpen?: ((server: S, topic: string) => unknown) | undefined;
  /** Called when a topic has lost its last subscriber on this server. */
  onTopicClose?: ((server: S, topic: string) => unknown) | undefined;
  /** Told of everything that fails: handlers that throw, peers that break the protocol. */
  onError?: ((server: S, error: Error, connection?: C) => unknown) | undefined;
}

/** The options of a server `S` whose connections are of class `C`. Times are in seconds, sizes in bytes. */
export interface OptionsOf<S, C extends WebSocketConnection> extends HandlersOf<S, C> {
  /**
   * How bytes reach us: "http" is the runtime's own server and WebSocket engine, "tcp" our own on raw
   * TCP. Default "http".
   */
  transport?: "http" | "tcp" | undefined;
  /** The port to listen on, 0 to 65535; by default, or with 0, the system chooses one. */
  port?: number | undefined;
  /** The address or name to listen on, not empty; by default all IPv4 addresses of the machine. */
  hostname?: string | undefined;
  /** Serves TLS, with a certificate chain and its private key as PEM texts, and more where the runtime has it. */
  tls?: TlsOptions | undefined;
  /**
   * Where to listen instead of `port`: a {@linkcode ListenAddress}, as `{ path: "/run/chat.sock" }`, or an array
   * of them, of which all are started or none. Or a listening socket of the caller's own, "tcp" only: a `Deno.Listener` or `Deno.TlsListener`; under
   * Bun a function that is given the socket handlers and returns what `Bun.listen` does; or a
   * `node:net` or `node:tls` `Server`, but none of `node:http`. Its address and whether it speaks TLS are read from it; a listener
   * of Bun's does not tell the latter before its first client has come. Not together with `tls`.
   */
  listen?: unknown;
  /** Serves plain HTTP requests on the same port; on "tcp" those of GET and HEAD. */
  onRequest?: ((request: Request, info: RequestInfo) => Response | Promise<Response>) | undefined;

  /** The class of connections; default `WebSocketConnection`. */
  connectionClass?: ConnectionClass<C> | undefined;
  /** "permessage-deflate", `permessageDeflate({ … })`, or extensions of the user's own. */
  extensions?: ExtensionLike | ExtensionLike[] | undefined;
  /**
   * The pages that may open a WebSocket, by their origins: "https://example.com", or
   * "https://*.example.com" for all subdomains of it; "file://" for programs and pages that say so, and
   * "null" for pages that hide their origin, which any page can. Others are answered 403 before the `origin`
   * event. Programs that are no browsers send no `Origin` and are let through. By default any page may:
   * with a user's cookies too.
   */
  allowedOrigins?: string[] | undefined;
  /**
   * The proxies in front of this server, as IP addresses and CIDR ranges; "unix" for all that connect over a
   * Unix socket. Of a client that comes through one, `ip` and `port` are those that `Forwarded` or `X-Forwarded-For` tells, from the
   * `origin` event on; where the two tell different clients, neither is believed. The request's `isSecure`
   * and `uri` have the scheme and the host that `Forwarded`, or `X-Forwarded-Proto` and `X-Forwarded-Host`,
   * tell. By default none.
   */
  trustProxy?: string[] | undefined;
  /**
   * Whether the proxies of `trustProxy` send a header of the PROXY protocol, version 1 or 2, before
   * anything else, "tcp" without TLS only: `ip` and `port` are then what it tells, from `onConnect` on.
   * Peers that are no such proxies are dropped. Default false.
   */
  proxyProtocol?: boolean | undefined;
  /** The subprotocols that this server speaks: the first that a client offered is chosen. */
  subprotocol?: string[] | undefined;
  /** Chooses the subprotocol instead; undefined goes on without one. */
  selectSubprotocol?:
    | ((offered: readonly string[], handshake: Handshake) => string | undefined)
    | undefined;
  /** The protocol version; default 13. */
  version?: VersionLike | undefined;
  /** The protocol versions, most wanted first, of 13, 8 and 7. */
  versions?: VersionLike[] | undefined;

  /** Messages of fewer bytes go uncompressed; default 1024. */
  compressionThreshold?: number | undefined;
  /** The most bytes of a message that is taken, after decompression; default 16 MiB. */
  maxRecvSize?: number | undefined;
  /** The most bytes of a message that is sent; by default none. */
  maxSendSize?: number | undefined;
  /** The most frames that one message may come in, "tcp" only; default 131,072. */
  maxFragments?: number | undefined;
  /** The most bytes set aside for a message before its bytes have come, "tcp" only; default 64 KiB. */
  maxReserve?: number | undefined;
  /** The most pings and pongs of one peer a second, "tcp" only; default 1,000. */
  maxControlFrames?: number | undefined;
  /** The most bytes of a request head, "tcp" only; default 16 KiB. */
  maxHeaderSize?: number | undefined;
  /** The most header fields of a request, "tcp" only; default 100. */
  maxHeaderFields?: number | undefined;
  /** The most connections at once, those that are opening included; default 10,000. */
  maxConnections?: number | undefined;
  /**
   * The most connections at once from one client's address, or for IPv6 from the 64 bits that it
   * begins with; by default only `maxConnections` limits them.
   */
  maxConnectionsPerAddress?: number | undefined;
  /**
   * Above this many bytes waiting to be sent, `send…` returns false. Above as many waiting for a handler or
   * `recv()`, the peer is not read, but on `deno_http`. Default 1 MiB.
   */
  highWaterMark?: number | undefined;
  /**
   * Above this many bytes waiting to be sent, a peer is dropped; default 64 MiB. A single message may have
   * more, when no more than `highWaterMark` waited before it. Above as many waiting for a handler, which
   * only the engines of "http" let come, the connection is closed with 1013.
   */
  maxBufferedAmount?: number | undefined;
  /**
   * "serial", the default, hands a connection's next message over once the promise of the handler before
   * has settled. "concurrent" hands each over as it comes, for handlers that wait for a later message, as
   * for the client's answer to a question: with "serial" such a handler waits for itself.
   */
  messageOrder?: MessageOrder | undefined;
  /**
   * With "concurrent", how many messages of a connection may be with handlers that have not settled, a
   * message with two handlers counting twice; default 100. The next one also waits while those have over
   * `maxBufferedAmount` bytes.
   */
  maxConcurrentMessages?: number | undefined;
  /** How long a request head may take on "tcp", and on `deno_http` the opening after the answer; default 10. */
  handshakeTimeout?: number | undefined;
  /**
   * How long a peer may take to answer a Close frame, or to take more of a plain response ("tcp"); how long
   * messages wait for a handler after the end; how long each step of a shutdown may take. Default 10.
   */
  closeTimeout?: number | undefined;
  /**
   * Drops a peer that is silent for longer than this and one `silenceCheckInterval`, after pings were
   * tried; default 20, 0 turns it off. `deno_http` leaves it to its engine, which pings after half of
   * this and drops after all of it.
   */
  silenceMax?: number | undefined;
  /** How often silence is looked for; default half of `silenceMax`. Not on `deno_http`. */
  silenceCheckInterval?: number | undefined;
  /** How often `onTick` is called; default 0, which is never. */
  tickPeriod?: number | undefined;

  /** What topics keep: settings for all of them, or a function from a topic's name to its settings. */
  topics?: TopicsOption | undefined;
  /** What carries publications; by default a `MemoryEngine` of the server's own. */
  engine?: Engine | undefined;
  /** The most topics that one connection may be subscribed to; default 1,000. */
  maxTopicsPerConnection?: number | undefined;
  /** The most subscribers of one topic on this server; default 1,000,000. */
  maxSubscribersPerTopic?: number | undefined;
  /**
   * The most bytes that the histories of all topics take in the memory engine, with 256 for each publication
   * and each topic; over it the oldest publications go. Default 64 MiB. Not together with `engine`.
   */
  maxHistoryBytes?: number | undefined;
  /** The most publications that a subscriber who comes back is sent; who missed more does not recover. Default 4,096. */
  maxRecovered?: number | undefined;
  /** The most bytes of those; default 8 MiB. */
  maxRecoveredBytes?: number | undefined;
  /** The most publications of one topic that wait while its history is read, before it is read anew; default 4,096. */
  maxHeld?: number | undefined;
  /** The most bytes of those; default 8 MiB. */
  maxHeldBytes?: number | undefined;
  /** The most keys of one `slow: "latest"` topic that wait for a slow subscriber, which is dropped beyond; default 10,000. */
  maxWaitingKeys?: number | undefined;

  /** Sources to watch, each followed by its {@linkcode ReadableCallbackOf}. */
  watchReadable?: (ReadableSource | ReadableCallbackOf<S>)[] | undefined;
  /** Sinks to watch, each followed by its {@linkcode WritableCallbackOf}. */
  watchWritable?: (WritableSink | WritableCallbackOf<S>)[] | undefined;

  /** How much is logged: 0 nothing to 4 every frame; default 1, errors. */
  debug?: DebugLevel | undefined;
  /** Takes what is logged; default `console`. */
  logger?: Logger | undefined;
  /** Has `connections` give a plain array. */
  legacy?: boolean | undefined;
}

/** What `Bun.serve` takes as `websocket`: handlers that only Bun calls. */
export interface BunWebSocketOptions {
  /** Called by Bun with each message. */
  message(socket: never, message: string | Uint8Array): void;
}
