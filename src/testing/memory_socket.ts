import { setImmediate } from "node:timers";
import type { ByteSink, ByteSocket } from "../transport/tcp/byte_socket.ts";
import type { Address } from "../transport/transport.ts";

/** What has been written and not been read, at most: as much as the buffers of a real socket may hold. */
const CAPACITY = 64 * 1024;

const LOOPBACK: Address = { ip: "127.0.0.1", port: 0 };

/** One end of a stream of bytes both ways, within this process. */
export class MemorySocket implements ByteSocket {
  sink: ByteSink = NOBODY;
  readonly remote = LOOPBACK;
  /** Whether it is taken to speak TLS. */
  secure = false;
  readonly sharesBuffers = false;
  readonly givesChunks = false;
  /** Settles when it has closed. */
  readonly gone: Promise<void>;
  #peer!: MemorySocket;
  // What the peer has written, and how many bytes that is.
  #incoming: Uint8Array[] = [];
  #size = 0;
  // What the peer had no room for.
  #rest: Uint8Array | null = null;
  #paused = false;
  #due = false;
  #ended = false;
  #toldEnd = false;
  #closed = false;

  readonly #tellGone: () => void;

  private constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gone = promise;
    this.#tellGone = resolve;
  }

  /** Makes both ends. */
  static pair(): [MemorySocket, MemorySocket] {
    const one = new MemorySocket();
    const other = new MemorySocket();
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  get native(): unknown {
    return this;
  }

  get unwritten(): number {
    return this.#rest === null ? 0 : this.#rest.length;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#closed) return false;
    const count = this.#peer.#take(bytes);
    if (count === bytes.length) return true;
    this.#rest = bytes.subarray(count);
    return false;
  }

  /** Takes what there is room for, and gives how much that was. */
  #take(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, CAPACITY - this.#size);
    if (count > 0 && !this.#closed) {
      // The writer may change its bytes as soon as they are taken.
      this.#incoming.push(bytes.slice(0, count));
      this.#size += count;
      this.#deliverLater();
    }
    return count;
  }

  /** Never within a call of the other end; and timers have their turn in between. */
  #deliverLater(): void {
    if (this.#due || this.#closed) return;
    this.#due = true;
    setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    this.#due = false;
    while (!this.#paused && !this.#closed) {
      const chunk = this.#incoming.shift();
      if (chunk === undefined) break;
      this.#size -= chunk.length;
      this.#paused = !this.sink.data(chunk);
    }
    this.#peer.#writeOn();
    if (this.#closed || this.#paused || this.#size > 0 || !this.#peer.#ended) return;
    if (this.#ended) {
      this.#close();
    } else if (!this.#toldEnd) {
      this.#toldEnd = true;
      this.sink.end();
    }
  }

  #writeOn(): void {
    if (this.#rest === null) return;
    const count = this.#peer.#take(this.#rest);
    this.#rest = count === this.#rest.length ? null : this.#rest.subarray(count);
    if (this.#rest === null) this.sink.written();
  }

  resume(): void {
    this.#paused = false;
    this.#deliverLater();
  }

  end(): void {
    this.#ended = true;
    this.#deliverLater();
    this.#peer.#deliverLater();
  }

  destroy(): void {
    if (this.#closed) return;
    this.#close();
    queueMicrotask(() => this.#peer.#lost());
  }

  /** The other end is gone: what had come before that is still to be had. */
  #lost(): void {
    if (this.#closed) return;
    const incoming = this.#incoming;
    this.#incoming = [];
    for (const chunk of incoming) this.sink.data(chunk);
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#incoming = [];
    this.#rest = null;
    this.sink.closed();
    this.#tellGone();
  }

  setNoDelay(): void {}
}

/** Listens until an end has its sink. */
const NOBODY: ByteSink = {
  data: () => true,
  written() {},
  end() {},
  closed() {},
};
