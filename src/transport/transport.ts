import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Channel, ChannelOpening } from "./channel.ts";
import type { TlsOptions } from "./tls_options.ts";
import type { Traffic } from "./traffic.ts";
import type { NegotiatedExtension, RequestHead } from "../protocol/mod.ts";

/** The transports by name: the runtime, then how its bytes reach us. */
export type TransportName =
  | "deno_http"
  | "deno_tcp"
  | "bun_http"
  | "bun_tcp"
  | "node_http"
  | "node_tcp";

/** What a transport can do; see the table in the README. */
export interface Capabilities {
  /** permessage-deflate, or any extension at all where `extensions` is true. */
  readonly compression: boolean;
  /** Extensions of the user's own. */
  readonly extensions: boolean;
  /** Sending pings and pongs, and the events `ping` and `pong`. */
  readonly ping: boolean;
  /** Whether the engine answers pings by itself, so that `doPong` cannot be set. */
  readonly enginePongs: boolean;
  /** Stopping to read the socket, with `pause()`, a slow handler or `recv()`. */
  readonly pause: boolean;
  /** The raw socket, `nodelay`, and the limits of our own engine. */
  readonly socket: boolean;
  /**
   * A listening socket of the application's own, PROXY headers, and the events `connect` and `disconnect` for
   * every TCP connection.
   */
  readonly listen: boolean;
  /** `server.upgrade(request, info)` in an application's own HTTP server. */
  readonly mount: boolean;
}

/** Where one end of a connection is. */
export interface Address {
  /** The IP address, or the path of a Unix socket. */
  readonly ip: string;
  /** The port; 0 where there is none. */
  readonly port: number;
}

/** A client, as far as its own connection or the proxies before it tell. */
export interface ClientAddress extends Address {
  /** Whether it has asked over TLS; undefined where no proxy tells. */
  readonly secure?: boolean | undefined;
  /** Which host it has asked for; undefined where no proxy tells. */
  readonly host?: string | undefined;
  /** Whether it came over a Unix socket, where clients have no address. */
  readonly unix?: boolean | undefined;
}

/** Every client that came over a Unix socket. */
export const UNIX_CLIENT: ClientAddress = Object.freeze({ ip: "", port: 0, unix: true });

/** Where a server listens. */
export interface ListeningAddress extends Address {
  /** Whether it speaks TLS. */
  readonly secure: boolean;
}

/** Bounds and times that transports keep; read when needed, since they may be changed. */
export interface TransportLimits {
  readonly maxHeaderSize: number;
  readonly maxHeaderFields: number;
  readonly maxRecvSize: number;
  readonly maxFragments: number;
  readonly maxReserve: number;
  readonly maxControlFrames: number;
  readonly highWaterMark: number;
  readonly maxBufferedAmount: number;
  readonly compressionThreshold: number;
  /** Seconds. */
  readonly handshakeTimeout: number;
  /** Seconds. */
  readonly closeTimeout: number;
  /** Seconds; only for engines that cannot be pinged by us. */
  readonly silenceMax: number;
}

/** A peer that has come and has not opened a WebSocket yet. */
export interface Peer {
  readonly remote: ClientAddress;
  readonly secure: boolean;
  /** What the runtime calls this connection: a socket, or on its HTTP server the request. */
  readonly native: unknown;
  /** What the application has said of it beforehand; only of a request that it has looked at itself. */
  readonly prepared?: Prepared | undefined;
  /** Drops the peer where that is possible before a request was answered. */
  destroy(): void;
}

/** What an application that has looked at a request says of its WebSocket beforehand. */
export interface Prepared {
  /** What the connection's `data` is; undefined for nothing. */
  readonly data: unknown;
  /** Header fields for the 101, which can be sent. */
  readonly headers: readonly [name: string, value: string][];
  /** The subprotocol that was chosen; undefined leaves the choice to the server. */
  readonly subprotocol: string | undefined;
}

/** How a request to open a WebSocket is answered. */
export type Answer =
  | {
    readonly status: 101;
    /** All that goes on the 101 but Upgrade, Connection and Sec-WebSocket-Accept. */
    readonly headers: [name: string, value: string][];
    readonly subprotocol: string | undefined;
    readonly extensions: readonly NegotiatedExtension[];
  }
  | {
    readonly status: number;
    readonly headers: [name: string, value: string][];
    readonly body: string | Uint8Array;
  }
  | {
    readonly status: number;
    /** Those that can be sent, without those of the framing. */
    readonly headers: [name: string, value: string][];
    /** What the application answers; its body is read as fast as the peer takes it. */
    readonly response: Response;
  }
  | { readonly status: 0 };

/**
 * Tells what an answer says in words.
 *
 * @param answer An answer that refuses.
 * @returns Its text, without the end of the line.
 */
export function reasonOf({ body }: { readonly body: string | Uint8Array }): string {
  return typeof body === "string" ? body.trimEnd() : "";
}

/** Why a peer is turned away before its request is looked at, as a status. */
export type Refusal = 403 | 500 | 503;

/** What the server does for one peer. */
export interface Opening extends ChannelOpening {
  /** Serves a plain HTTP request, to which the peer's socket is left; shutting down waits for it. */
  request(request: Request, info: RequestInfo): Promise<Response>;
  /** Answers the request; status 0 means to drop the peer without a word. */
  answer(head: RequestHead): Answer | Promise<Answer>;
  /**
   * The WebSocket is open. `extended` is false where the engine has none of the extensions that the answer
   * tells of; it is told nothing where they are our own.
   */
  opened(channel: Channel, extended?: boolean): void;
  /** The peer is gone without ever having opened one. */
  failed(): void;
}

/** Where a plain HTTP request came from. */
export interface RequestInfo {
  /** The client's address. */
  readonly remote: Address;
}

/** What a transport needs of the server. None of these throws. */
export interface TransportHost {
  readonly limits: TransportLimits;
  /** The extensions offered to clients. */
  readonly extensions: readonly { readonly name: string }[];
  /** A peer has come; it is turned away with a status where HTTP is spoken already, else dropped. */
  accept(peer: Peer): Opening | Refusal | Promise<Opening | Refusal>;
  /** A peer has left before its accept was decided on. */
  left(peer: Peer): void;
  /**
   * Takes a seat for a peer that cannot ask for anything yet, as within its TLS handshake; gives what lets
   * go of it, or undefined when all are taken. The peer is destroyed when the server shuts down meanwhile.
   */
  reserve(ip: string, peer: { destroy(): void }): (() => void) | undefined;
  /** Whether plain HTTP requests are served. */
  readonly servesRequests: boolean;
  /** Serves a plain HTTP request for which no peer was accepted. */
  request(request: Request, info: RequestInfo): Promise<Response>;
  /** Something failed that belongs to no connection. */
  report(error: unknown): void;
  /**
   * A peer that wanted a WebSocket gets none: it is answered with this status, or with 0 dropped without a word.
   */
  refused(remote: Address, status: number, reason: string): void;
  /** What goes over all connections is added here. */
  readonly traffic: Traffic;
  /** The proxies that send a PROXY header before anything else, where there are to be any. */
  readonly proxies: { trusts(peer: ClientAddress): boolean } | undefined;
  /** Readable frame logs, when they are wanted. */
  readonly trace: FrameTrace | null;
}

/** What a channel needs of the server while it lives. */
export type ChannelHost = Pick<TransportHost, "limits" | "traffic">;

/** Writes one frame to the log. */
export type FrameTrace = (
  peer: Address,
  direction: "<" | ">",
  opcode: number,
  length: number,
  payload: string | Uint8Array,
) => void;

/** How and where to listen. */
export interface ListenOptions {
  readonly hostname: string | undefined;
  readonly port: number;
  readonly tls: TlsOptions | undefined;
  /** The path of a Unix socket, in place of host name and port. */
  readonly path?: string | undefined;
  /** Whether other processes may listen on the same port. */
  readonly reusePort?: boolean | undefined;
  /** A listening socket of the caller's own. */
  readonly listener: unknown;
}

/** What a transport's listeners can do. */
export interface ListenAbilities {
  /** The options of TLS beside a certificate and its key. */
  readonly tls: readonly string[];
  /** TLS on a Unix socket. */
  readonly tlsOnPath: boolean;
  readonly reusePort: boolean;
  /** Another certificate while it runs. */
  readonly renewal: boolean;
}

/** What is known of a transport before one is made. */
export interface TransportKind {
  readonly name: TransportName;
  readonly capabilities: Capabilities;
}

/** A transport that listens. */
export interface ListeningKind extends TransportKind {
  readonly listens: ListenAbilities;
}

/** What the `upgrade` event of a `node:http` server gives. */
export type UpgradeEvent = [request: IncomingMessage, socket: Duplex, head: Uint8Array];

/** One way for WebSockets to reach us. */
export interface Transport {
  /** The runtime's listening socket or HTTP server, once listening. */
  readonly listener: unknown;
  /** The most bytes of a message that the engine takes, where it was told so for good. */
  readonly maxPayload?: number;
  /** Starts to listen. */
  listen(options: ListenOptions): Promise<ListeningAddress>;
  /** Stops to accept; connections that there are stay. */
  stop(): Promise<void>;
  /** Lets go, once no connection is left, of what could not be let go of before; must not reject. */
  end?(): Promise<void>;
  /** Opens a WebSocket from a request to an application's own HTTP server; rejects where that is done wrongly. */
  upgrade?(request: Request, info: unknown, prepared: Prepared): Promise<Response>;
  /** Takes over a socket whose request head a `node:http` server has read; throws where that is done wrongly. */
  handleUpgrade?(event: UpgradeEvent, prepared?: Prepared): void;
  /**
   * Makes the handlers that an application's own HTTP server needs for {@linkcode Transport.upgrade}, together
   * with those of WebSockets that are not ours.
   */
  websocket?(others?: object): unknown;
}

/** A class of transports. */
export interface TransportClass {
  readonly capabilities: Capabilities;
  readonly listens: ListenAbilities;
  new (host: TransportHost): Transport;
}
