// How a client of socket.io comes in: what is said on its WebSocket before the first message.

/** The path that the server waits for, with the version of its protocol. */
export const SOCKET_IO_PATH = "/socket.io/?EIO=4&transport=websocket";

/** "40", a packet that joins the main namespace, as a frame masked with zeros. */
const JOIN = Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30);

const decoder = new TextDecoder("latin1");

/** The two frames that the server sends first; both are short enough for a header of two or four bytes. */
export class SocketIoOpening {
  readonly #write: (bytes: Uint8Array) => void;
  #bytes = new Uint8Array(0);

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  /** Takes what has come; gives the bytes after the opening, or undefined while it is not over. */
  take(chunk: Uint8Array): Uint8Array | undefined {
    const joined = new Uint8Array(this.#bytes.length + chunk.length);
    joined.set(this.#bytes);
    joined.set(chunk, this.#bytes.length);
    this.#bytes = joined;
    for (;;) {
      const bytes = this.#bytes;
      const long = bytes[1] === 126;
      const from = long ? 4 : 2;
      if (bytes.length < from) return undefined;
      const end = from + (long ? bytes[2]! << 8 | bytes[3]! : bytes[1]!);
      if (bytes.length < end) return undefined;
      const packet = decoder.decode(bytes.subarray(from, end));
      this.#bytes = bytes.slice(end);
      if (packet.startsWith("40")) return this.#bytes;
      if (!packet.startsWith("0")) throw new Error(`the server refused to be joined: ${packet}`);
      this.#write(JOIN);
    }
  }
}
