import { unmapped } from "../../protocol/mod.ts";
import { isPeerGone } from "../accept_failure.ts";
import type { BunSocket, BunSocketHandlers } from "../bun_api.ts";
import { type ClientAddress, UNIX_CLIENT } from "../transport.ts";
import type { ByteSink, ByteSocket } from "./byte_socket.ts";
import type { TlsWait } from "./tls_wait.ts";

/**
 * Makes the handlers that hand what happens to a socket on to its {@linkcode BunByteSocket}.
 *
 * @param report Told of what the sink of a socket throws.
 * @returns All handlers but those of its opening.
 */
export function socketHandlers(
  report: (error: unknown) => void,
): Omit<BunSocketHandlers<BunByteSocket>, "open" | "handshake"> {
  return {
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
      socket.data?.lost();
    },
    error(socket, error) {
      // Of a peer that is gone "close" tells. Anything else was thrown by what listens to the socket.
      if (!isPeerGone(error)) report(error);
      socket.data?.destroy();
    },
  };
}

/**
 * Bun gives each small read a buffer of its own, whose first use by our code costs more than copying
 * the bytes into one that has been used before.
 */
const SCRATCH_SIZE = 4096;
let scratch = new Uint8Array(SCRATCH_SIZE);

/** A socket of `Bun.listen` or `Bun.connect`. */
export class BunByteSocket implements ByteSocket {
  readonly native: BunSocket<BunByteSocket>;
  readonly secure: boolean;
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

  constructor(
    socket: BunSocket<BunByteSocket>,
    secure: boolean = socket.getTLSVersion() !== null,
  ) {
    this.native = socket;
    this.secure = secure;
    this.setNoDelay(true);
  }

  get sharesBuffers(): boolean {
    return false;
  }

  get givesChunks(): boolean {
    return true;
  }

  get remote(): ClientAddress {
    const { remoteAddress, remotePort = 0, listener } = this.native;
    if (remoteAddress === undefined && listener?.unix !== undefined) return UNIX_CLIENT;
    return { ip: unmapped(remoteAddress ?? ""), port: remotePort };
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
