import { WebSocketError } from "../../base/errors.ts";
import { isPeerGone } from "../accept_failure.ts";
import { acceptTcp } from "./accept_tcp.ts";
import { bunApi, type BunListener, type BunSocket, type BunSocketHandlers } from "../bun_api.ts";
import type { ByteSink, ByteSocket } from "./byte_socket.ts";
import { isNodeServer, NodeListener } from "./node_listener.ts";
import { TlsWait } from "./tls_wait.ts";
import type {
  Address,
  Capabilities,
  ListeningAddress,
  ListenOptions,
  Transport,
  TransportHost,
} from "../transport.ts";

/** Raw TCP or TLS on `Bun.listen`. */
export class BunTcpTransport implements Transport {
  static readonly capabilities: Capabilities = {
    compression: true,
    extensions: true,
    ping: true,
    enginePongs: false,
    pause: true,
    socket: true,
    mount: false,
  };
  readonly #host: TransportHost;
  #acceptsTls = false;
  #listener: { stop(): unknown } | { close(): unknown } | null = null;

  constructor(host: TransportHost) {
    this.#host = host;
  }

  get listener(): unknown {
    return this.#listener instanceof NodeListener ? this.#listener.server : this.#listener;
  }

  async listen(options: ListenOptions): Promise<ListeningAddress> {
    const { hostname = "0.0.0.0", port, tls, listener: given } = options;
    if (isNodeServer(given)) {
      const listener = this.#listener = new NodeListener(given, this.#host);
      return await listener.listen(port, hostname);
    }
    if (given !== undefined && typeof given !== "function") {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        "Cannot listen on this: under Bun `listen` takes a function that calls Bun.listen with the handlers it is given, or a node:net or node:tls Server",
      );
    }
    const handlers = this.#handlers();
    const listener: BunListener = given !== undefined ? given(handlers) : bunApi().listen({
      hostname,
      port,
      tls: tls && { cert: tls.cert, key: tls.key },
      allowHalfOpen: true,
      socket: handlers,
    });
    if (typeof listener?.stop !== "function") {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        "Cannot listen with this: the function given as `listen` must return what Bun.listen does",
      );
    }
    this.#listener = listener;
    // deno-lint-ignore no-this-alias -- the accessor below has a `this` of its own
    const transport = this;
    return {
      ip: listener.hostname ?? listener.unix ?? "",
      port: listener.port ?? 0,
      // A listener made by the caller does not tell; the first socket of it does.
      get secure() {
        return tls !== undefined || transport.#acceptsTls;
      },
    };
  }

  stop(): Promise<void> {
    const listener = this.#listener;
    this.#listener = null;
    if (listener !== null) {
      if ("stop" in listener) listener.stop();
      else listener.close();
    }
    return Promise.resolve();
  }

  #handlers(): BunSocketHandlers<BunByteSocket> {
    const host = this.#host;
    // deno-lint-ignore no-this-alias -- the handlers below have a `this` of their own
    const transport = this;
    return {
      open(socket) {
        const accepted = socket.data = new BunByteSocket(socket);
        transport.#acceptsTls = accepted.secure;
        if (!accepted.secure) return acceptTcp(accepted, host);
        accepted.handshaking = TlsWait.begin(host, accepted.remote.ip, accepted);
        if (accepted.handshaking === undefined) accepted.destroy();
      },
      // Without this handler Bun tells of no socket before its TLS handshake, however long that takes.
      handshake({ data: accepted }, success) {
        if (!success || accepted.handshaking === undefined) return;
        accepted.handshaking.done();
        accepted.handshaking = undefined;
        acceptTcp(accepted, host);
      },
      data(socket, chunk) {
        socket.data.take(chunk);
      },
      drain(socket) {
        socket.data.writeOn();
      },
      end(socket) {
        socket.data.peerEnds();
      },
      close(socket) {
        socket.data.lost();
      },
      error(socket, error) {
        // Of a peer that is gone "close" tells. Anything else was thrown by what listens to the socket.
        if (!isPeerGone(error)) host.report(error);
        socket.data?.destroy();
      },
    };
  }
}

/**
 * Bun gives each small read a buffer of its own, whose first use by our code costs more than copying
 * the bytes into one that has been used before.
 */
const SCRATCH_SIZE = 4096;
let scratch = new Uint8Array(SCRATCH_SIZE);

class BunByteSocket implements ByteSocket {
  readonly native: BunSocket<BunByteSocket>;
  readonly secure: boolean;
  readonly sharesBuffers = false;
  sink: ByteSink = NOBODY;
  /** Set while its TLS handshake is under way. */
  handshaking: TlsWait | undefined;
  // What the operating system did not take of the last write.
  #rest: Uint8Array | null = null;
  // Set while the sink is not done: what has come since then.
  #waiting: Uint8Array[] | null = null;
  #peerEnded = false;
  #ended = false;
  #closed = false;

  constructor(socket: BunSocket<BunByteSocket>) {
    this.native = socket;
    this.secure = socket.getTLSVersion() !== null;
    this.setNoDelay(true);
  }

  get remote(): Address {
    return { ip: this.native.remoteAddress ?? "", port: this.native.remotePort ?? 0 };
  }

  get unwritten(): number {
    return this.#rest === null ? 0 : this.#rest.length;
  }

  take(chunk: Uint8Array): void {
    // A paused socket may still deliver what was read before.
    if (this.#waiting !== null) this.#waiting.push(chunk);
    else if (!this.#hand(chunk)) {
      this.#waiting = [];
      this.native.pause();
    }
  }

  #hand(chunk: Uint8Array): boolean {
    const { length } = chunk;
    if (length > SCRATCH_SIZE) return this.sink.data(chunk);
    const taken = scratch;
    taken.set(chunk);
    const done = this.sink.data(length === SCRATCH_SIZE ? taken : taken.subarray(0, length));
    // The sink keeps what it is not done with.
    if (!done) scratch = new Uint8Array(SCRATCH_SIZE);
    return done;
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
    if (this.#closed) return;
    this.native.resume();
    if (this.#peerEnded) this.#tellEnd();
  }

  /** The peer has ended its half. */
  peerEnds(): void {
    this.#peerEnded = true;
    if (this.#waiting === null) this.#tellEnd();
  }

  #tellEnd(): void {
    if (this.#closed) return;
    if (this.#ended) this.native.end();
    else this.sink.end();
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

  end(): void {
    if (this.#closed || this.#ended) return;
    this.#ended = true;
    if (this.#peerEnded) this.native.end();
    else this.native.shutdown();
  }

  destroy(): void {
    if (this.#closed) return;
    this.#gone();
    this.native.terminate();
  }

  /** The socket has closed: what had come before that is still to be had. */
  lost(): void {
    const waiting = this.#closed ? null : this.#waiting;
    if (waiting !== null) { for (const chunk of waiting) this.sink.data(chunk); }
    this.#gone();
  }

  #gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#rest = null;
    this.#waiting = null;
    this.handshaking?.done();
    this.sink.closed();
  }

  setNoDelay(on: boolean): void {
    this.native.setNoDelay(on);
  }
}

/** Listens while the TLS handshake is under way: nothing comes before it is over but the end. */
const NOBODY: ByteSink = {
  data: () => true,
  written() {},
  end() {},
  closed() {},
};
