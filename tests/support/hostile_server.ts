import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { acceptKey } from "../../src/protocol/mod.ts";
import { cert, key } from "./transports.ts";
import { patiently } from "./patience.ts";

/** One client of a {@linkcode HostileServer}. */
export interface HostilePeer {
  readonly socket: Socket;
  /** The request head as it came. */
  readonly request: string;
  /** What has come behind it. */
  received(): Buffer;
  /** Settles when the client has ended its half, or is gone. */
  readonly ended: Promise<void>;
  /** The head that opens the WebSocket, with further fields. */
  agree(fields?: string): string;
}

/** A server that answers with just the bytes it is told to. */
export class HostileServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly url: string;
  /** The requests that have come. */
  readonly requests: string[] = [];

  private constructor(server: Server, secure: boolean) {
    this.#server = server;
    const { port } = server.address() as { port: number };
    this.url = `${secure ? "wss" : "ws"}://127.0.0.1:${port}`;
  }

  /**
   * Starts one.
   *
   * @param serve Told of each client whose request head is complete.
   */
  static async start(
    serve: (peer: HostilePeer) => unknown,
    secure = false,
  ): Promise<HostileServer> {
    const server = secure
      ? createTlsServer({ cert, key, allowHalfOpen: true })
      : createServer({ allowHalfOpen: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const hostile = new HostileServer(server, secure);
    server.on(secure ? "secureConnection" : "connection", (socket: Socket) => {
      hostile.#take(socket, serve);
    });
    server.on("tlsClientError", () => {});
    return hostile;
  }

  #take(socket: Socket, serve: (peer: HostilePeer) => unknown): void {
    this.#sockets.add(socket);
    const ended = new Promise<void>((resolve) => {
      for (const event of ["end", "close", "error"]) socket.once(event, () => resolve());
    });
    socket.on("error", () => {});
    let bytes = Buffer.alloc(0);
    let served = false;
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf("\r\n\r\n");
      if (served || end === -1) return;
      served = true;
      const request = bytes.toString("latin1", 0, end);
      this.requests.push(request);
      const [, asked] = /sec-websocket-key: (.*)/i.exec(request) ?? [];
      void serve({
        socket,
        request,
        received: () => bytes.subarray(end + 4),
        ended: patiently(ended, "the end of a client"),
        agree: (fields = "") =>
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
          `Sec-WebSocket-Accept: ${acceptKey(asked)}\r\n${fields}\r\n`,
      });
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
