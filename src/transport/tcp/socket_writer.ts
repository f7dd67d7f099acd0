import { OutputQueue } from "../../protocol/mod.ts";
import type { ByteSocket } from "./byte_socket.ts";
import { scheduleFlush } from "./flush.ts";

/** From here on what is corked is written even before the read under way has been dealt with. */
const CORK_LIMIT = 64 * 1024;

/**
 * Writes what one connection sends to its socket: together what was sent while one read was dealt with
 * (corked), else at the end of the turn.
 */
export class SocketWriter {
  /** The bytes that wait. */
  readonly output: OutputQueue = new OutputQueue();
  /** Set while writing waits for the end of what is under way. */
  corked = false;
  readonly #socket: ByteSocket;
  readonly #owner: { allWritten(): void };
  #writing = false;
  #flushDue = false;
  #closed = false;

  /**
   * @param socket Where the bytes go.
   * @param owner Told each time that the socket has taken all that waited.
   */
  constructor(socket: ByteSocket, owner: { allWritten(): void }) {
    this.#socket = socket;
    this.#owner = owner;
  }

  /** How many bytes have not been taken by the operating system. */
  get unwritten(): number {
    return this.output.length + this.#socket.unwritten;
  }

  /** Whether a write is under way, or something waits for one. */
  get busy(): boolean {
    return this.#writing || this.output.length > 0;
  }

  /**
   * Sees to it that what has just been put into the output goes out.
   *
   * @returns How many bytes are unwritten.
   */
  queued(): number {
    const { length } = this.output;
    if (!this.corked) this.#flushLater();
    else if (length >= CORK_LIMIT) this.flush();
    else return this.#writing ? length + this.#socket.unwritten : length;
    return this.unwritten;
  }

  #flushLater(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    scheduleFlush(this);
  }

  /** Writes what waits, once a write under way is done. */
  flush(): void {
    this.#flushDue = false;
    if (this.#closed) return;
    const { output } = this;
    while (!this.#writing) {
      const piece = output.next();
      if (piece === undefined) {
        this.#owner.allWritten();
        return;
      }
      if (this.#socket.write(piece)) output.done();
      else this.#writing = true;
    }
  }

  /** The write under way is done. */
  written(): void {
    this.#writing = false;
    this.output.done();
    this.flush();
  }

  /** The socket is gone: drops what waits. */
  close(): void {
    this.#closed = true;
    this.output.clear();
  }
}
