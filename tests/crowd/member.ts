import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { clientFrame, closeBytes } from "../support/client_frame.ts";
import { upgradeRequest } from "../support/raw_client.ts";
import { EXPECTED } from "./messages.ts";

/** What all members of a crowd tell of. */
export interface CrowdEvents {
  /** Its WebSocket is open. */
  opened(member: Member): void;
  /** It has the next of the messages, whole and as it should be. */
  received(member: Member, index: number): void;
  /** Its closing handshake is done, and the server has closed the connection. */
  closed(member: Member): void;
  /** Anything else has happened to it: it is told of once, and nothing after it. */
  failed(member: Member, why: string): void;
}

const MAX_HEAD = 4096;
const CLOSE = 8;
const PING = 9;

/**
 * One of many connections: it takes up next to no memory, and compares every byte that comes with what
 * is to come. Messages are told of in order, each exactly once, or it fails.
 */
export class Member {
  readonly #events: CrowdEvents;
  readonly #socket: Socket;
  #state: "opening" | "open" | "closing" | "closed" = "opening";
  #head = "";
  /** The frame's header, as far as it has come. */
  readonly #header = new Uint8Array(10);
  #headerLength = 0;
  #opcode = 0;
  /** The frame's payload as it is to come; of a control frame as it has come. */
  #payload: Buffer = EMPTY;
  #have = 0;
  #received = 0;
  #goodbye = false;

  constructor(port: number, events: CrowdEvents) {
    this.#events = events;
    this.#socket = connect({ host: "127.0.0.1", port });
    this.#socket.on("connect", () => this.#socket.write(upgradeRequest()));
    this.#socket.on("data", (chunk: Buffer) => this.#take(chunk));
    this.#socket.on("error", (error) => this.#fail(error.message));
    this.#socket.on("close", () => this.#ended());
  }

  /** How many of the messages it has. */
  get received(): number {
    return this.#received;
  }

  /** Begins the closing handshake. */
  close(): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#socket.write(clientFrame(CLOSE, closeBytes(1000)));
  }

  /** Drops the connection without a word. */
  destroy(): void {
    this.#state = "closed";
    this.#socket.destroy();
  }

  #fail(why: string): void {
    if (this.#state === "closed") return;
    this.destroy();
    this.#events.failed(this, why);
  }

  #ended(): void {
    if (this.#state === "closed") return;
    if (!this.#goodbye) return this.#fail(`the server ended it while it was ${this.#state}`);
    this.#state = "closed";
    this.#events.closed(this);
  }

  #take(chunk: Buffer): void {
    let at = this.#state === "opening" ? this.#takeHead(chunk) : 0;
    while (at < chunk.length && this.#state !== "closed") {
      at = this.#headerLength < this.#headerSize()
        ? this.#takeHeader(chunk, at)
        : this.#takePayload(chunk, at);
    }
  }

  /** Gives where the frames begin. */
  #takeHead(chunk: Buffer): number {
    const before = this.#head.length;
    this.#head += chunk.toString("latin1");
    const end = this.#head.indexOf("\r\n\r\n");
    if (end === -1) {
      if (this.#head.length > MAX_HEAD) this.#fail("the response has no end");
      return chunk.length;
    }
    const [status] = this.#head.split("\r\n", 1);
    this.#head = "";
    if (!status.startsWith("HTTP/1.1 101 ")) {
      this.#fail(`it was answered with ${status}`);
      return chunk.length;
    }
    this.#state = "open";
    this.#events.opened(this);
    return end + 4 - before;
  }

  /** How long the header of the frame is, as far as that is known. */
  #headerSize(): number {
    if (this.#headerLength < 2) return 2;
    const short = this.#header[1] & 0x7f;
    return short === 126 ? 4 : short === 127 ? 10 : 2;
  }

  #takeHeader(chunk: Buffer, at: number): number {
    this.#header[this.#headerLength++] = chunk[at];
    if (this.#headerLength === this.#headerSize()) this.#begin();
    return at + 1;
  }

  #begin(): void {
    const [first, second] = this.#header;
    const view = new DataView(this.#header.buffer);
    const length = this.#headerLength === 4
      ? view.getUint16(2)
      : this.#headerLength === 10
      ? Number(view.getBigUint64(2))
      : second;
    this.#opcode = first & 0x0f;
    this.#have = 0;
    if ((first & 0xf0) !== 0x80 || second > 127) {
      return this.#fail(`a frame began with ${first} and ${second}`);
    }
    if (this.#opcode >= CLOSE) {
      this.#payload = Buffer.alloc(length);
    } else {
      const expected = EXPECTED[this.#received];
      if (expected === undefined) return this.#fail("it got more messages than were sent");
      if (this.#opcode !== expected.opcode || length !== expected.payload.length) {
        return this.#fail(
          `instead of message ${this.#received} it got opcode ${this.#opcode}, ${length} bytes`,
        );
      }
      this.#payload = expected.payload;
    }
    if (length === 0) this.#complete();
  }

  #takePayload(chunk: Buffer, at: number): number {
    const length = Math.min(chunk.length - at, this.#payload.length - this.#have);
    const end = this.#have + length;
    if (this.#opcode >= CLOSE) {
      chunk.copy(this.#payload, this.#have, at, at + length);
    } else if (!this.#payload.subarray(this.#have, end).equals(chunk.subarray(at, at + length))) {
      this.#fail(`message ${this.#received} came changed`);
      return chunk.length;
    }
    this.#have = end;
    if (end === this.#payload.length) this.#complete();
    return at + length;
  }

  #complete(): void {
    this.#headerLength = 0;
    const payload = this.#payload;
    this.#payload = EMPTY;
    if (this.#opcode < CLOSE) {
      this.#events.received(this, this.#received++);
    } else if (this.#opcode === PING) {
      this.#socket.write(clientFrame(10, payload));
    } else if (this.#opcode === CLOSE) {
      const code = payload.length < 2 ? 1005 : payload.readUInt16BE();
      if (this.#state !== "closing" || code !== 1000) {
        return this.#fail(`it got a Close frame with ${code}`);
      }
      this.#goodbye = true;
      // Who closes the TCP connection first is not everywhere the server.
      this.#socket.end();
    }
  }
}

const EMPTY = Buffer.alloc(0);
