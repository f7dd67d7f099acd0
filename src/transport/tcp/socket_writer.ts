import { setImmediate } from "node:timers";
import { OutputQueue } from "../../protocol/mod.ts";
import { FlushLater } from "../flush.ts";
import type { Traffic } from "../traffic.ts";
import type { ByteSocket } from "./byte_socket.ts";

/** From here on what is corked is written even before the read under way has been dealt with. */
const CORK_LIMIT = 64 * 1024;
/** The end of the microtask turn, for what is sent outside of a read. */
const turnEnd = new FlushLater(queueMicrotask);
/** Once everything has been looked at that had come, for what many connections are sent. */
const roundEnd = new FlushLater(setImmediate);

/** What a writer needs of its channel. */
interface WriterOwner {
  readonly host: { readonly traffic: Traffic };
  /** The socket has taken all that waited. */
  allWritten(): void;
}

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
  readonly #owner: WriterOwner;
  #writing = false;
  // How many writes had to be waited for.
  #awaited = 0;
  #flushDue = false;
  #closed = false;

  /**
   * @param socket Where the bytes go.
   * @param owner Whose bytes they are.
   */
  constructor(socket: ByteSocket, owner: WriterOwner) {
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
   * @param shared Whether other connections are sent the same. A busy room would write every message by
   * itself if it did not wait for what other members say.
   * @returns How many bytes are unwritten.
   */
  queued(shared = false): number {
    const { length } = this.output;
    if (!this.corked) this.#flushLater(shared);
    else if (length >= CORK_LIMIT) this.flush();
    else return this.#writing ? length + this.#socket.unwritten : length;
    return this.unwritten;
  }

  #flushLater(shared: boolean): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    (shared ? roundEnd : turnEnd).add(this);
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
      this.#owner.host.traffic.bytesSent += piece.length;
      if (this.#socket.write(piece)) output.done();
      else this.#writing = true;
    }
  }

  /** A number that changes whenever the operating system takes something of what waits. */
  get progress(): number {
    return this.#awaited * 2 ** 32 - this.#socket.unwritten;
  }

  /** The write under way is done. */
  written(): void {
    this.#writing = false;
    this.#awaited++;
    this.output.done();
    this.flush();
  }

  /** The socket is gone: drops what waits. */
  close(): void {
    this.#closed = true;
    this.output.clear();
  }
}
