import { Buffer } from "node:buffer";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A data frame as it went over the wire. */
export interface SeenFrame {
  readonly opcode: number;
  readonly compressed: boolean;
  /** Bytes of its payload. */
  readonly length: number;
}

/** One direction of a connection: its HTTP head, then its frames. */
class Direction {
  head = "";
  readonly frames: SeenFrame[] = [];
  #bytes: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (this.head === "") {
      const end = this.#bytes.indexOf("\r\n\r\n");
      if (end === -1) return;
      this.head = this.#bytes.toString("latin1", 0, end);
      this.#bytes = this.#bytes.subarray(end + 4);
    }
    while (this.#takeFrame());
  }

  #takeFrame(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    let length = bytes[1] & 0x7f;
    const lengthBytes = length === 126 ? 2 : length === 127 ? 8 : 0;
    const header = 2 + lengthBytes + ((bytes[1] & 0x80) === 0 ? 0 : 4);
    if (bytes.length < header) return false;
    if (lengthBytes > 0) {
      length = bytes.readUIntBE(2 + Math.max(0, lengthBytes - 6), Math.min(lengthBytes, 6));
    }
    if (bytes.length < header + length) return false;
    this.#bytes = bytes.subarray(header + length);
    const opcode = bytes[0] & 0x0f;
    if (opcode < 8) this.frames.push({ opcode, compressed: (bytes[0] & 0x40) !== 0, length });
    return true;
  }
}

/** Lies between a client and a server, passes everything on and notes what it was. */
export class WireTap {
  readonly fromClient: Direction = new Direction();
  readonly fromServer: Direction = new Direction();
  readonly #server: Server;
  readonly #sockets: Socket[] = [];

  private constructor(port: number) {
    this.#server = createServer((client) => {
      const server = connect(port, "127.0.0.1");
      this.#sockets.push(client, server);
      client.on("data", (chunk: Buffer) => this.fromClient.push(chunk));
      server.on("data", (chunk: Buffer) => this.fromServer.push(chunk));
      client.pipe(server).pipe(client);
      for (const [one, other] of [[client, server], [server, client]]) {
        // A client that exits may reset its connection: then the other side goes too.
        one.on("error", () => other.destroy());
      }
    });
  }

  /** Listens for the clients of a server. */
  static async before(port: number): Promise<WireTap> {
    const tap = new WireTap(port);
    tap.#server.listen(0, "127.0.0.1");
    await once(tap.#server, "listening");
    return tap;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
