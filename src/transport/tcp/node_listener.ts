import { once } from "node:events";
import { createServer, Server as NetServer, type Socket } from "node:net";
import { createServer as createTlsServer, Server as TlsServer, type TLSSocket } from "node:tls";
import { isPeerGone } from "../accept_failure.ts";
import type { TlsOptions } from "../tls_options.ts";
import type { ListeningAddress, ListenOptions, TransportHost } from "../transport.ts";
import { acceptTcp } from "./accept_tcp.ts";
import { NodeByteSocket, remoteOf } from "./node_byte_socket.ts";
import { nodeTls } from "./node_tls.ts";
import { TlsWaits } from "./tls_wait.ts";

/**
 * Tells a `node:net` or `node:tls` server, which both runtimes have, from other listeners.
 *
 * @param listener What the user gave.
 * @returns Whether {@linkcode NodeListener} takes it.
 */
export function isNodeServer(listener: unknown): listener is NetServer {
  return listener instanceof NetServer || listener instanceof TlsServer;
}

/**
 * Makes a server of `node:net` or `node:tls`, for what the runtime's own listeners cannot do.
 *
 * @param tls How it speaks TLS, if it does.
 * @returns The server, which does not listen yet.
 */
export function nodeServer(tls: TlsOptions | undefined): NetServer {
  return tls === undefined ? createServer({ allowHalfOpen: true }) : createTlsServer(nodeTls(tls));
}

/** Serves the connections that a `node:net` or `node:tls` server of the caller's own accepts. */
export class NodeListener {
  readonly server: NetServer;
  readonly #secure: boolean;
  readonly #host: TransportHost;
  // Whether a client without a right certificate is dropped. Deno lets one through that has none at all.
  readonly #verifies: boolean;
  readonly #handshakes: TlsWaits;

  /**
   * @param server The server; nothing is heard of it before {@linkcode NodeListener.listen}.
   * @param host Our server.
   * @param tls How the server speaks TLS, where it is one of ours.
   */
  constructor(server: NetServer, host: TransportHost, tls?: TlsOptions) {
    this.#verifies = tls?.requestCert === true && tls.rejectUnauthorized !== false;
    this.server = server;
    this.#secure = server instanceof TlsServer;
    this.#host = host;
    this.#handshakes = new TlsWaits(host);
  }

  /**
   * Begins to serve.
   *
   * @param options Where the server is told to listen when it does not yet.
   * @returns Where it listens.
   */
  async listen(
    { port, hostname, path, reusePort }: Omit<ListenOptions, "tls" | "listener">,
  ): Promise<ListeningAddress> {
    const { server } = this;
    try {
      server.on("connection", this.#onConnection);
      if (this.#secure) server.on("secureConnection", this.#onSecureConnection);
      server.on("tlsClientError", this.#onTlsClientError);
      if (!server.listening) {
        server.listen(path === undefined ? { port, host: hostname, reusePort } : { path });
        await once(server, "listening");
      }
      server.on("error", this.#onError);
    } catch (error) {
      this.#forget();
      throw error;
    }
    const address = server.address();
    return typeof address === "string" || address === null
      ? { ip: address ?? "", port: 0, secure: this.#secure }
      : { ip: address.address, port: address.port, secure: this.#secure };
  }

  /** Stops to accept; connections that there are stay. */
  close(): void {
    this.#forget();
    this.server.close();
  }

  #forget(): void {
    const { server } = this;
    server.off("connection", this.#onConnection);
    server.off("secureConnection", this.#onSecureConnection);
    server.off("tlsClientError", this.#onTlsClientError);
    server.off("error", this.#onError);
  }

  readonly #onConnection = (socket: Socket): void => {
    if (!this.#secure) {
      acceptTcp(new NodeByteSocket(socket, false, this.#host), this.#host);
      return;
    }
    this.#handshakes.begin(socket);
  };

  readonly #onSecureConnection = (socket: Socket): void => {
    this.#handshakes.end(socket);
    if (this.#verifies && !(socket as TLSSocket).authorized) {
      this.#host.refused(remoteOf(socket), 0, "");
      socket.destroy();
      return;
    }
    acceptTcp(new NodeByteSocket(socket, true, this.#host), this.#host);
  };

  /** A client that fails the TLS handshake is nobody's connection yet. */
  readonly #onTlsClientError = (_error: Error, socket: Socket | undefined): void => {
    socket?.destroy();
  };

  readonly #onError = (error: Error): void => {
    if (!isPeerGone(error)) this.#host.report(error);
  };
}
