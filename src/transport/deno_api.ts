/**
 * The part of Deno's API that the transports call, described here so that the library needs no
 * types but its own wherever it is checked.
 *
 * @module
 */
import { unmapped } from "../protocol/mod.ts";
import { type Address, type ClientAddress, UNIX_CLIENT } from "./transport.ts";

/** An address as Deno tells it. */
export interface DenoAddress {
  readonly transport: string;
  readonly hostname?: string;
  readonly port?: number;
  readonly path?: string;
}

/** `Deno.Conn`, of TCP or TLS. */
export interface DenoConn {
  readonly remoteAddr: DenoAddress;
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
  closeWrite(): Promise<void>;
  setNoDelay?(on?: boolean): void;
  /** Only of TLS: does the handshake, or waits for it. */
  handshake?(): Promise<unknown>;
}

/** `Deno.Listener` or `Deno.TlsListener`. */
export interface DenoListener {
  readonly addr: DenoAddress;
  accept(): Promise<DenoConn>;
  close(): void;
}

/** `Deno.HttpServer`. */
export interface DenoHttpServer {
  readonly addr: DenoAddress;
  /** Rejects when connections can no longer be accepted. */
  readonly finished: Promise<void>;
  shutdown(): Promise<void>;
}

/** `Deno.ServeHandlerInfo`. */
export interface DenoServeInfo {
  readonly remoteAddr: DenoAddress;
  /** Settles when the response has gone out, or cannot. */
  readonly completed?: Promise<void>;
}

/** What `Deno.upgradeWebSocket` gives. */
export interface DenoUpgrade {
  readonly response: Response;
  readonly socket: WebSocket;
}

/** Whose certificates `Deno.startTls` and `Deno.connectTls` trust, and whose name is looked for in them. */
export interface DenoTlsOptions {
  hostname: string;
  /** These, beside those of the system. */
  caCerts?: string[];
}

/** `Deno` itself. */
export interface DenoApi {
  connect(
    options:
      | { hostname: string; port: number; signal: AbortSignal; autoSelectFamily: boolean }
      | { transport: "unix"; path: string },
  ): Promise<DenoConn>;
  connectTls(
    options: DenoTlsOptions & { port: number; cert: string; key: string },
  ): Promise<DenoConn>;
  startTls(conn: DenoConn, options: DenoTlsOptions): Promise<DenoConn>;
  listen(
    options: { hostname?: string; port: number } | { transport: "unix"; path: string },
  ): DenoListener;
  listenTls(options: { hostname?: string; port: number; cert: string; key: string }): DenoListener;
  serve(
    options: ({ hostname?: string; port: number } | { path: string }) & {
      cert?: string;
      key?: string;
      /** Drops everything once aborted. */
      signal?: AbortSignal;
      onListen(address: DenoAddress): void;
      onError(error: unknown): Response;
    },
    handler: (request: Request, info: DenoServeInfo) => Response | Promise<Response>,
  ): DenoHttpServer;
  upgradeWebSocket(
    request: Request,
    options: { protocol?: string; idleTimeout?: number },
  ): DenoUpgrade;
}

/**
 * Gives Deno's API.
 *
 * @returns `Deno`.
 */
export function denoApi(): DenoApi {
  return (globalThis as unknown as { Deno: DenoApi }).Deno;
}

/**
 * Gives an address in our form.
 *
 * @param address Deno's form.
 * @returns Ours.
 */
export function addressOf(address: DenoAddress): Address {
  return { ip: unmapped(address.hostname ?? address.path ?? ""), port: address.port ?? 0 };
}

/**
 * Gives the address of a peer; that which Deno gives of a Unix socket's peer is the listener's own path.
 *
 * @param address Deno's form.
 * @returns Ours.
 */
export function remoteOf(address: DenoAddress): ClientAddress {
  if (address.transport === "unix") return UNIX_CLIENT;
  return { ip: unmapped(address.hostname ?? ""), port: address.port ?? 0 };
}
