import { bunApi, type BunListener, type BunSocket, type BunSocketHandlers } from "./bun_api.ts";
import type { ByteSink, ByteSocket } from "./byte_socket.ts";
import { openTcp } from "./tcp_opening.ts";
import type {
  Address,
  Capabilities,
  ListeningAddress,
  ListenOptions,
  Transport,
  TransportHost,
} from "./transport.ts";

/** Raw TCP or TLS on `Bun.listen`. */
export class BunTcpTransport implements Transport {
  readonly name = "bun_tcp";
  readonly capabilities: Capabilities = {
    compression: true,
    extensions: true,
    ping: true,
    enginePongs: false,
    pause: true,
    socket: true,
    mount: false,
  };
  readonly #host: TransportHost;
  #listener: BunListener | null = null;

  constructor(host: TransportHost) {
    this.#host = host;
  }

  get listener(): unknown {
    return this.#listener;
  }

  listen(options: ListenOptions): Promise<ListeningAddress> {
    const { hostname = "0.0.0.0", port, tls } = options;
    const handlers = this.#handlers(tls !== undefined);
    const listener = bunApi().listen({
      hostname,
      port,
      tls: tls && { cert: tls.cert, key: tls.key },
      allowHalfOpen: true,
      socket: handlers,
    });
    this.#listener = listener;
    return Promise.resolve({
      ip: listener.hostname,
      port: listener.port,
      secure: tls !== undefined,
    });
  }

  stop(): Promise<void> {
    this.#listener?.stop(false);
    this.#listener = null;
    return Promise.resolve();
  }

  #handlers(secure: boolean): BunSocketHandlers<BunByteSocket> {
    const host = this.#host;
    return {
      open(socket) {
        socket.data = new BunByteSocket(socket, secure);
        openTcp(socket.data, host);
      },
      data(socket, chunk) {
        socket.data.take(chunk);
      },
      drain(socket) {
        socket.data.writeOn();
      },
      end(socket) {
        socket.data.sink.end();
      },
      close(socket) {
        // A TLS handshake that fails closes a socket that was never opened.
        socket.data?.gone();
      },
      error(_socket, error) {
        host.report(error);
      },
    };
  }
}

class BunByteSocket implements ByteSocket {
  readonly native: BunSocket<BunByteSocket>;
  readonly secure: boolean;
  sink!: ByteSink;
  // What the operating system did not take of the last write.
  #rest: Uint8Array | null = null;
  #waiting: Uint8Array[] | null = null;
  #closed = false;
  #finishing = false;

  constructor(socket: BunSocket<BunByteSocket>, secure: boolean) {
    this.native = socket;
    this.secure = secure;
    this.setNoDelay(true);
  }

  get remote(): Address {
    return { ip: this.native.remoteAddress, port: this.native.remotePort ?? 0 };
  }

  get unwritten(): number {
    return this.#rest === null ? 0 : this.#rest.length;
  }

  take(chunk: Uint8Array): void {
    // A paused socket may still deliver what was read before.
    if (this.#waiting !== null) this.#waiting.push(chunk);
    else if (!this.sink.data(chunk)) {
      this.#waiting = [];
      this.native.pause();
    }
  }

  resume(): void {
    const waiting = this.#waiting;
    if (waiting === null || this.#closed) return;
    this.#waiting = null;
    while (waiting.length > 0) {
      if (!this.sink.data(waiting.shift()!)) {
        this.#waiting = waiting;
        return;
      }
    }
    this.native.resume();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#closed) return false;
    const count = Math.max(0, this.native.write(bytes));
    if (count === bytes.length) return true;
    this.#rest = bytes.subarray(count);
    return false;
  }

  writeOn(): void {
    const rest = this.#rest;
    if (rest === null || this.#closed) return;
    const count = Math.max(0, this.native.write(rest));
    if (count < rest.length) {
      this.#rest = rest.subarray(count);
      return;
    }
    this.#rest = null;
    this.sink.written();
  }

  closeWrite(): void {
    if (this.#closed || this.#finishing) return;
    this.#finishing = true;
    this.native.shutdown();
  }

  destroy(): void {
    if (this.#closed) return;
    this.native.terminate();
    this.gone();
  }

  /** The socket is closed, by whomever. */
  gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#rest = null;
    this.sink.closed();
  }

  setNoDelay(on: boolean): void {
    this.native.setNoDelay(on);
  }
}
