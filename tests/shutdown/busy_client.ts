import { Buffer } from "node:buffer";
import { clientFrame } from "../support/client_frame.ts";
import { RawClient } from "../support/raw_client.ts";

/** How much may wait in a client: enough for its socket never to wait. */
const WAITING = 65_536;
const BATCH = 8;
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

  /** Sends some messages, if the socket takes more. */
  pump(): void {
    const { socket } = this.#client;
    for (let i = 0; i < BATCH && !this.#closed && socket.writableLength < WAITING; i++) {
      const message = Buffer.alloc(SIZE, this.#sent);
      message.writeUInt32BE(this.#sent++);
      this.#client.write(clientFrame(2, message));
    }
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
      const right = payload.every((byte) => byte === (this.pieces & 0xff));
      this.pieces++;
      if (!right) return `piece ${this.pieces} is out of order`;
    } else if (payload.readUInt32BE() !== this.echoes++) {
      return `echo ${payload.readUInt32BE()} is out of order`;
    }
    return undefined;
  }
}
