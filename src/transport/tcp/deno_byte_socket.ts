import { type DenoConn, remoteOf } from "../deno_api.ts";
import type { ClientAddress } from "../transport.ts";
import type { ByteSink, ByteSocket } from "./byte_socket.ts";

/** The least and most bytes that one read asks for. */
const MIN_READ = 1024;
const MAX_READ = 256 * 1024;
const freeBuffers: Uint8Array[] = [];
const MAX_FREE_BUFFERS = 16;

/**
 * A read that is under way holds its buffer, also while nothing comes: so a connection starts with a
 * small one, and takes a large one from a common pool only while reads fill what they get.
 */
function takeBuffer(size: number): Uint8Array {
  return size < MAX_READ ? new Uint8Array(size) : freeBuffers.pop() ?? new Uint8Array(MAX_READ);
}

function releaseBuffer(buffer: Uint8Array): void {
  if (buffer.length === MAX_READ && freeBuffers.length < MAX_FREE_BUFFERS) freeBuffers.push(buffer);
}

/** How long one connection may be read without a pause for the others. */
const MAX_BUSY_MS = 2;

/** Not an immediate: between two of those Deno seldom looks at its sockets. */
function othersTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

const NOTHING = new Uint8Array(0);

/** An accepted `Deno.Conn`. */
export class DenoByteSocket implements ByteSocket {
  readonly native: DenoConn;
  readonly remote: ClientAddress;
  readonly secure: boolean;
  readonly sharesBuffers = true;
  readonly givesChunks = false;
  sink!: ByteSink;
  unwritten = 0;
  #resume: (() => void) | null = null;
  #resumed = false;
  #rest: Uint8Array = NOTHING;
  // Set when a write has failed: what has come before that is still read, and then it is over.
  #broken = false;
  #peerEnded = false;
  #ended = false;
  #closed = false;

  constructor(conn: DenoConn, secure: boolean) {
    this.native = conn;
    this.remote = remoteOf(conn.remoteAddr);
    this.secure = secure;
    try {
      this.setNoDelay(true);
    } catch {
      // On some systems this fails when the peer is gone already; the first read finds that out.
    }
  }

  /** Reads until the end; everything that comes is told to the sink. Rejects with what the sink throws. */
  async read(): Promise<void> {
    let buffer = takeBuffer(MIN_READ);
    let small = 0;
    // Since when every read has found more than it could take; 0 when the last one has not.
    let busySince = 0;
    while (!this.#closed) {
      let count: number | null;
      try {
        count = await this.native.read(buffer);
      } catch {
        // A reset, a broken TLS record, or our own close: all the same to a peer that is gone.
        this.destroy();
        break;
      }
      if (count === null) break;
      this.#resumed = false;
      let done = this.sink.data(count === buffer.length ? buffer : buffer.subarray(0, count));
      if (!done) {
        await this.#untilResumed();
        done = this.#resumed;
      }
      // A read that need not wait does not let others be read: Deno sees to that only at the 128th.
      if (count < buffer.length) busySince = 0;
      else if (busySince === 0) busySince = performance.now();
      else if (performance.now() - busySince > MAX_BUSY_MS) {
        await othersTurn();
        busySince = 0;
      }
      small = count < MIN_READ ? small + 1 : 0;
      if (!done) {
        // The socket is lost, and the bytes are the sink's own.
        buffer = takeBuffer(MIN_READ);
      } else if (count === buffer.length && count < MAX_READ) {
        buffer = takeBuffer(Math.min(MAX_READ, count * 8));
      } else if (small >= 4 && buffer.length > MIN_READ) {
        releaseBuffer(buffer);
        buffer = takeBuffer(MIN_READ);
      }
    }
    releaseBuffer(buffer);
    this.#peerEnded = true;
    if (this.#ended || this.#broken) this.destroy();
    else if (!this.#closed) this.sink.end();
  }

  #untilResumed(): Promise<void> | undefined {
    if (this.#resumed || this.#closed || this.#broken) return undefined;
    return new Promise((resolve) => this.#resume = resolve);
  }

  resume(): void {
    this.#resumed = true;
    this.#wake();
  }

  #wake(): void {
    const resume = this.#resume;
    this.#resume = null;
    resume?.();
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#closed && !this.#broken) {
      this.unwritten = bytes.length;
      this.#rest = bytes;
      this.native.write(bytes).then(this.#onWritten, this.#onFailed);
    }
    return false;
  }

  // One pair of functions for all writes of a socket: a promise each is costly enough.
  readonly #onWritten = (count: number): void => {
    this.unwritten -= count;
    if (this.#closed) return;
    if (this.unwritten === 0) {
      this.#rest = NOTHING;
      this.sink.written();
      return;
    }
    this.#rest = this.#rest.subarray(count);
    this.native.write(this.#rest).then(this.#onWritten, this.#onFailed);
  };

  /** A socket that cannot be written to is lost: what can still be read of it ends soon. */
  readonly #onFailed = (): void => {
    this.#broken = true;
    if (this.#peerEnded) this.destroy();
    else this.#wake();
  };

  end(): void {
    if (this.#closed || this.#ended) return;
    this.#ended = true;
    // Deno's TLS sends what it holds, and its closing alert, only when it is told to finish writing.
    this.native.closeWrite().then(this.#onWriteClosed, this.#onFailed);
  }

  readonly #onWriteClosed = (): void => {
    if (this.#peerEnded) this.destroy();
  };

  destroy(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.unwritten = 0;
    try {
      this.native.close();
    } catch {
      // Deno has closed it by itself.
    }
    this.#wake();
    this.sink.closed();
  }

  setNoDelay(on: boolean): void {
    this.native.setNoDelay?.(on);
  }
}
