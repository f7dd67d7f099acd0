import { Buffer } from "node:buffer";
import { clientFrame } from "../support/client_frame.ts";
import { RawClient } from "../support/raw_client.ts";

/**
 * So many of a client's messages may be without their echo: enough for the server always to have some to
 * read. Deno looks at its sockets once in 61 immediates, so without a bound a client would write for a
 * second there, over 20 MB with the others, before it read again.
 */
const UNANSWERED = 128;
const SIZE = 500;

/** A client that sends as fast as it can and checks that what comes has no gap. */
export class BusyClient {
  readonly name: string;
  /** How many echoes have come, and the numbers of the first broadcast and of the one that is next. */
  echoes = 0;
  firstBroadcast: number | undefined;
  nextBroadcast = 0;
  /** How many large messages have come. */
  pieces = 0;
  /** What came that should not have. */
  failure: string | undefined;
  /** The code of the server's Close frame; null when the connection ended without one. */
  readonly ended: Promise<number | null>;
  readonly #client: RawClient;
  #sent = 0;
  #closed = false;

  private constructor(name: string, client: RawClient) {
    this.name = name;
    this.#client = client;
    this.ended = this.#read();
  }

  static async open(url: string, name: string): Promise<BusyClient> {
    return new BusyClient(name, await RawClient.open(`${url}/${name}`));
  }

  /** Whether the server has sent its Close frame, or hung up. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Sends as many messages as may be without their echo. */
  pump(): void {
    const frames: Uint8Array[] = [];
    while (!this.#closed && this.#sent - this.echoes < UNANSWERED) {
      const message = Buffer.alloc(SIZE, this.#sent);
      message.writeUInt32BE(this.#sent++);
      frames.push(clientFrame(2, message));
    }
    if (frames.length > 0) this.#client.write(Buffer.concat(frames));
  }

  /** Sends a text, which is an order. */
  order(what: string): void {
    this.#client.write(clientFrame(1, what));
  }

  /** Reads no more, or reads on. */
  read(on: boolean): void {
    if (on) this.#client.socket.resume();
    else this.#client.socket.pause();
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }

  async #read(): Promise<number | null> {
    let frame = await this.#client.frame();
    for (; frame !== null && frame.opcode !== 8; frame = await this.#client.frame()) {
      const failure = this.#take(frame.opcode, frame.payload);
      this.failure ??= failure;
    }
    this.#closed = true;
    if (frame === null) return null;
    this.#client.write(clientFrame(8, frame.payload));
    await this.#client.end();
    return frame.payload.readUInt16BE();
  }

  #take(opcode: number, payload: Buffer): string | undefined {
    if (opcode === 9) {
      this.#client.write(clientFrame(10, payload));
    } else if (opcode === 1) {
      const index = parseInt(payload.toString());
      if (this.firstBroadcast === undefined) this.firstBroadcast = this.nextBroadcast = index;
      if (index !== this.nextBroadcast++) return `broadcast ${index} is out of order`;
    } else if (payload.length > SIZE) {
      const right = payload.equals(Buffer.alloc(payload.length, this.pieces));
      this.pieces++;
      if (!right) return `piece ${this.pieces} is out of order`;
    } else if (payload.readUInt32BE() !== this.echoes++) {
      return `echo ${payload.readUInt32BE()} is out of order`;
    }
    return undefined;
  }
}
