/**
 * The part of Bun's API that the transports call, described here so that the library needs no
 * types but its own wherever it is checked.
 *
 * @module
 */

/** Bun's `Socket`. */
export interface BunSocket<Data> {
  data: Data;
  /** undefined on a Unix socket. */
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  /** What has accepted it. */
  readonly listener?: BunListener;
  /** Whether its certificate was found to be right; only of TLS. */
  readonly authorized?: boolean;
  /** null on a plain socket. */
  getTLSVersion(): string | null;
  write(bytes: Uint8Array): number;
  end(): void;
  shutdown(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
  setNoDelay(on?: boolean): boolean;
}

/** The handlers of `Bun.listen`. */
export interface BunSocketHandlers<Data> {
  open(socket: BunSocket<Data>): void;
  handshake(socket: BunSocket<Data>, success: boolean, error: Error | null): void;
  data(socket: BunSocket<Data>, chunk: Uint8Array): void;
  drain(socket: BunSocket<Data>): void;
  end(socket: BunSocket<Data>): void;
  close(socket: BunSocket<Data>): void;
  error(socket: BunSocket<Data>, error: Error): void;
  /** Only of `Bun.connect`. */
  connectError?(socket: BunSocket<Data>, error: Error): void;
}

/** What `Bun.connect` takes. */
export interface BunConnectOptions<Data> {
  hostname?: string;
  port?: number;
  unix?: string;
  tls?: {
    ca?: string[];
    cert?: string;
    key?: string;
    serverName?: string;
    rejectUnauthorized?: boolean;
  };
  allowHalfOpen: boolean;
  socket: BunSocketHandlers<Data>;
}

/** What `Bun.listen` gives. */
export interface BunListener {
  readonly port?: number;
  readonly hostname?: string;
  /** The path of a Unix socket, which has no port. */
  readonly unix?: string;
  stop(closeActiveConnections?: boolean): void;
}

/** Bun's `ServerWebSocket`. */
export interface BunServerWebSocket<Data> {
  data: Data;
  /** What binary messages come as. */
  binaryType?: "nodebuffer" | "arraybuffer" | "uint8array" | "blob";
  readonly remoteAddress: string;
  readonly readyState: number;
  sendText(data: string, compress?: boolean): number;
  sendBinary(data: Uint8Array, compress?: boolean): number;
  ping(payload: Uint8Array): number;
  pong(payload: Uint8Array): number;
  close(code?: number, reason?: string): void;
  terminate(): void;
  getBufferedAmount(): number;
  /** Writes what is sent within the call together. */
  cork(send: () => void): void;
  pause(): void;
  resume(): void;
}

/** Whether messages are compressed each by itself, or one after the other. */
export type BunCompressor = "shared" | "dedicated";

/** The handlers of `Bun.serve`'s `websocket`. */
export interface BunWebSocketHandlers<Data> {
  maxPayloadLength: number;
  backpressureLimit: number;
  closeOnBackpressureLimit: boolean;
  idleTimeout: number;
  sendPings: boolean;
  perMessageDeflate: false | { compress: BunCompressor; decompress: BunCompressor };
  open(socket: BunServerWebSocket<Data>): void;
  message(socket: BunServerWebSocket<Data>, message: string | Uint8Array): void;
  ping(socket: BunServerWebSocket<Data>, payload: Uint8Array): void;
  pong(socket: BunServerWebSocket<Data>, payload: Uint8Array): void;
  drain(socket: BunServerWebSocket<Data>): void;
  close(socket: BunServerWebSocket<Data>, code: number, reason: string): void;
}

/** Bun's HTTP `Server`. */
export interface BunHttpServer {
  /** undefined on a Unix socket, as the host name is. */
  readonly port?: number;
  readonly hostname?: string;
  /** Where it listens: `unix:///run/chat.sock` on a Unix socket. */
  readonly url?: URL;
  /** null on a Unix socket, and for a copy of a request. */
  requestIP(request: Request): { address: string; port: number } | null;
  /** Sets for how many seconds nothing may be sent or received on the request's connection. */
  timeout(request: Request, seconds: number): void;
  upgrade(
    request: Request,
    options: { headers?: [name: string, value: string][]; data: unknown },
  ): boolean;
  stop(closeActiveConnections?: boolean): Promise<void>;
}

/** How `Bun.listen` listens, wherever that is. */
export interface BunListenOptions<Data> {
  tls?: { cert: string; key: string };
  allowHalfOpen: boolean;
  socket: BunSocketHandlers<Data>;
}

/** Where `Bun.serve` listens. */
export type BunPlace = { hostname: string; port: number; reusePort?: boolean } | { unix: string };

/** How `Bun.serve` speaks TLS. */
export interface BunTls {
  cert: string;
  key: string;
  passphrase?: string;
  ca?: string | string[];
  requestCert?: boolean;
  rejectUnauthorized?: boolean;
  /** The number of a version as it is on the wire. */
  minVersion?: number;
}

/** `Bun` itself. */
export interface BunApi {
  listen<Data>(options: BunListenOptions<Data> & { unix: string }): BunListener;
  listen<Data>(
    options: BunListenOptions<Data> & { hostname: string; port: number; reusePort?: boolean },
  ): BunListener;
  connect<Data>(options: BunConnectOptions<Data>): Promise<BunSocket<Data>>;
  serve(
    options: BunPlace & {
      tls?: BunTls;
      fetch(request: Request, server: BunHttpServer): Response | Promise<Response>;
      error(error: unknown): Response;
      websocket: BunWebSocketHandlers<unknown>;
    },
  ): BunHttpServer;
}

/**
 * Gives Bun's API.
 *
 * @returns `Bun`.
 */
export function bunApi(): BunApi {
  return (globalThis as unknown as { Bun: BunApi }).Bun;
}
