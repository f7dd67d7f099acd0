import { once } from "node:events";
import { Server as NetServer, type Socket } from "node:net";
import { Server as TlsServer } from "node:tls";
import { acceptTcp } from "./accept_tcp.ts";
import type { ByteSink, ByteSocket } from "./byte_socket.ts";
import type { Address, ListeningAddress, TransportHost } from "../transport.ts";

/**
 * Tells a `node:net` or `node:tls` server, which both runtimes have, from other listeners.
 *
 * @param listener What the user gave.
 * @returns Whether {@linkcode listenOnNode} takes it.
 */
export function isNodeServer(listener: unknown): listener is NetServer {
  return listener instanceof NetServer || listener instanceof TlsServer;
}

/**
 * Serves the connections that a `node:net` or `node:tls` server accepts.
 *
 * @param server The server; it is told to listen when it does not yet.
 * @param port The port that it is told then.
 * @param hostname The address that it is told then.
 * @param host Our server.
 * @returns Where it listens.
 */
export async function listenOnNode(
  server: NetServer,
  port: number,
  hostname: string | undefined,
  host: TransportHost,
): Promise<ListeningAddress> {
  const secure = server instanceof TlsServer;
  server.on(secure ? "secureConnection" : "connection", (socket: Socket) => {
    acceptTcp(new NodeByteSocket(socket, secure), host);
  });
  // A client that fails the TLS handshake is nobody's connection yet.
  server.on("tlsClientError", () => {});
  if (!server.listening) {
    server.listen(port, hostname);
    await once(server, "listening");
  }
  server.on("error", (error) => host.report(error));
  const address = server.address();
  return typeof address === "string" || address === null
    ? { ip: address ?? "", port: 0, secure }
    : { ip: address.address, port: address.port, secure };
}

class NodeByteSocket implements ByteSocket {
  readonly native: Socket;
  readonly remote: Address;
  readonly secure: boolean;
  readonly sharesBuffers = false;
  sink!: ByteSink;
  unwritten = 0;
  #closed = false;

  constructor(socket: Socket, secure: boolean) {
    this.native = socket;
    this.remote = { ip: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    this.secure = secure;
    this.setNoDelay(true);
    socket.on("data", (chunk: Uint8Array) => {
      if (!this.sink.data(chunk)) socket.pause();
    });
    socket.on("end", () => {
      if (!this.#closed) this.sink.end();
    });
    // Node tells of the end of the socket with "close" right after.
    socket.on("error", () => {});
    socket.on("close", () => this.#gone());
  }

  write(bytes: Uint8Array): boolean {
    this.unwritten = bytes.length;
    this.native.write(bytes, (error) => {
      this.unwritten = 0;
      if (!error && !this.#closed) this.sink.written();
    });
    return false;
  }

  resume(): void {
    this.native.resume();
  }

  end(): void {
    this.native.end();
  }

  closeWrite(): void {
    this.native.end();
  }

  destroy(): void {
    this.native.destroy();
    this.#gone();
  }

  #gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.unwritten = 0;
    this.sink.closed();
  }

  setNoDelay(on: boolean): void {
    this.native.setNoDelay(on);
  }
}
