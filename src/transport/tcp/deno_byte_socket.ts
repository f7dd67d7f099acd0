import { type DenoConn, remoteOf } from "../deno_api.ts";
import type { ClientAddress } from "../transport.ts";
import type { ByteSink, ByteSocket } from "./byte_socket.ts";

/** The most bytes that one read asks for: while little comes, in use, and while much comes. */
const IDLE_READ = 64;
const MIN_READ = 1024;
const MAX_READ = 256 * 1024;
/** After so many reads in a row for which a smaller buffer would have done, that one is used. */
const SMALL_READS = 4;
/** Stands for the count of those while nothing has been read. */
const NONE_READ = -1;
const freeBuffers: Uint8Array[] = [];
const MAX_FREE_BUFFERS = 16;

/**
 * A read that is under way holds its buffer, also while nothing comes: so a connection waits with a tiny
 * one, and takes a large one from a common pool only while reads fill what they get.
 */
function takeBuffer(size: number): Uint8Array {
  return size < MAX_READ ? new Uint8Array(size) : freeBuffers.pop() ?? new Uint8Array(MAX_READ);
}

function releaseBuffer(buffer: Uint8Array): void {
  if (buffer.length === MAX_READ && freeBuffers.length < MAX_FREE_BUFFERS) freeBuffers.push(buffer);
}

/** The size of the buffer to go to from a larger one. */
function smallerThan(size: number): number {
  return size > MIN_READ ? MIN_READ : size > IDLE_READ ? IDLE_READ : 0;
}

/** The time as a small integer, which needs no memory of its own; never 0. */
function milliseconds(): number {
  return performance.now() | 0 || 1;
}

/** How long one connection may be read without a pause for the others. */
const MAX_BUSY_MS = 2;

const NOTHING = new Uint8Array(0);

/**
 * An accepted `Deno.Conn`. It reads by callbacks: a loop that awaits would hold its state, three promises and
 * their callbacks for every idle connection.
 */
export class DenoByteSocket implements ByteSocket {
  readonly native: DenoConn;
  readonly remote: ClientAddress;
  readonly secure: boolean;
  sink!: ByteSink;
  unwritten = 0;
  readonly #report: (error: unknown) => void;
  #buffer: Uint8Array = NOTHING;
  // How many reads in a row a smaller buffer would have done for.
  #small = 0;
  // Since when, in whole milliseconds, every read has found more than it could take; 0 when the last one has not.
  #busySince = 0;
  // Set when reading waits for resume(), and when that has been called since the last read.
  #stalled = false;
  #resumed = false;
  #rest: Uint8Array = NOTHING;
  // Set when a write has failed: what has come before that is still read, and then it is over.
  #broken = false;
  #peerEnded = false;
  #ended = false;
  #closed = false;

  /**
   * @param conn The connection.
   * @param secure Whether it speaks TLS.
   * @param report Told of what the sink throws; the socket is destroyed then.
   */
  constructor(conn: DenoConn, secure: boolean, report: (error: unknown) => void) {
    this.native = conn;
    this.remote = remoteOf(conn.remoteAddr);
    this.secure = secure;
    this.#report = report;
    try {
      this.setNoDelay(true);
    } catch {
      // On some systems this fails when the peer is gone already; the first read finds that out.
    }
  }

  get sharesBuffers(): boolean {
    return true;
  }

  get givesChunks(): boolean {
    return false;
  }

  /** Reads from now on until the end; everything that comes is told to the sink. */
  read(): void {
    this.#buffer = takeBuffer(MIN_READ);
    this.#small = NONE_READ;
    this.#read();
  }

  #read(): void {
    if (this.#closed) this.#over();
    else this.native.read(this.#buffer).then((count) => this.#taken(count), () => this.#lost());
  }

  #taken(count: number | null): void {
    try {
      if (count === null) this.#over();
      else this.#take(count);
    } catch (error) {
      this.#report(error);
      this.destroy();
    }
  }

  #take(count: number): void {
    const buffer = this.#buffer;
    const { length } = buffer;
    this.#resumed = false;
    const done = this.sink.data(count === length ? buffer : buffer.subarray(0, count));
    // The request head of a client comes in one read, most often, and behind it nothing for a while.
    if (this.#small === NONE_READ && count < length) this.#small = SMALL_READS;
    else this.#small = count < smallerThan(length) ? this.#small + 1 : 0;
    if (count < length) this.#busySince = 0;
    else if (this.#busySince === 0) this.#busySince = milliseconds();
    if (done) this.#readOn(true);
    else if (this.#resumed || this.#closed || this.#broken) this.#readOn(this.#resumed);
    else this.#stalled = true;
  }

  /** The sink is done with what came, or the socket is lost and the bytes are the sink's own. */
  #readOn(done: boolean): void {
    const { length } = this.#buffer;
    const filled = this.#busySince !== 0;
    // A read that need not wait does not let others be read: Deno sees to that only at the 128th.
    const tooBusy = filled && (milliseconds() - this.#busySince | 0) > MAX_BUSY_MS;
    if (!done) {
      this.#buffer = takeBuffer(MIN_READ);
    } else if (filled && length < MAX_READ) {
      this.#buffer = takeBuffer(Math.min(MAX_READ, Math.max(MIN_READ, length * 8)));
    } else if (this.#small >= SMALL_READS && length > IDLE_READ) {
      releaseBuffer(this.#buffer);
      this.#buffer = takeBuffer(smallerThan(length));
      this.#small = 0;
    }
    if (!tooBusy) {
      this.#read();
      return;
    }
    this.#busySince = 0;
    // Not an immediate: between two of those Deno seldom looks at its sockets.
    setTimeout(() => this.#read(), 0);
  }

  /** A reset, a broken TLS record, or our own close: all the same to a peer that is gone. */
  #lost(): void {
    try {
      this.destroy();
      this.#over();
    } catch (error) {
      this.#report(error);
    }
  }

  /** Nothing more comes. */
  #over(): void {
    releaseBuffer(this.#buffer);
    this.#buffer = NOTHING;
    this.#peerEnded = true;
    if (this.#ended || this.#broken) this.destroy();
    else if (!this.#closed) this.sink.end();
  }

  resume(): void {
    this.#resumed = true;
    this.#wake();
  }

  #wake(): void {
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#readOn(this.#resumed);
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#closed && !this.#broken) {
      this.unwritten = bytes.length;
      this.#write(bytes);
    }
    return false;
  }

  // Functions for each write cost little beside it, and idle connections keep none.
  #write(bytes: Uint8Array): void {
    this.#rest = bytes;
    this.native.write(bytes).then((count) => this.#written(count), () => this.#failed());
  }

  #written(count: number): void {
    this.unwritten -= count;
    if (this.#closed) return;
    if (this.unwritten > 0) {
      this.#write(this.#rest.subarray(count));
      return;
    }
    this.#rest = NOTHING;
    try {
      this.sink.written();
    } catch (error) {
      // Out of here it would be a rejection that nobody handles.
      this.#report(error);
      this.destroy();
    }
  }

  /** A socket that cannot be written to is lost: what can still be read of it ends soon. */
  #failed(): void {
    this.#broken = true;
    if (this.#peerEnded) this.destroy();
    else this.#wake();
  }

  end(): void {
    if (this.#closed || this.#ended) return;
    this.#ended = true;
    // Deno's TLS sends what it holds, and its closing alert, only when it is told to finish writing.
    this.native.closeWrite().then(() => this.#writeClosed(), () => this.#failed());
  }

  #writeClosed(): void {
    if (this.#peerEnded) this.destroy();
  }

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
