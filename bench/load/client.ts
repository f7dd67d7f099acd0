// One raw connection to what is measured: the opening handshake, then prepared frames out and counted replies in.

import { createHash } from "node:crypto";
import type { Job } from "../job.ts";
import { type ReplyCounter, replyCounter } from "./reply_counter.ts";
import { SOCKET_IO_PATH, SocketIoOpening } from "./socket_io.ts";
import type { Traffic } from "./traffic.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
/** The answer to KEY that RFC 6455 §1.3 gives. */
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/** What RFC 6455 §1.3 joins to a key. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** A masked Close frame with code 1000. */
const CLOSE = Uint8Array.of(0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xe8 ^ 2);
/** Both sides forget the window after each message, so that prepared compressed frames stay valid. */
const DEFLATE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

const decoder = new TextDecoder("latin1");

/** What the measurement does when replies have come. */
export type OnReplies = (client: Client, messages: number) => void;

export class Client {
  /** Messages sent and replies counted. */
  sent = 0;
  received = 0;
  receivedBytes = 0;
  /** When the last message left, in nanoseconds; the measurement sets it. */
  sentAt = 0;
  readonly counter: ReplyCounter;
  onReplies: OnReplies = () => {};
  onClose: (() => void) | undefined;
  readonly #traffic: Traffic;
  #socket: Bun.Socket<Client> | undefined;
  #opened: ((error?: Error) => void) | undefined;
  #head = "";
  #upgraded = false;
  #deflate = false;
  #serves = false;
  #socketIo: SocketIoOpening | undefined;
  /** Bytes of frames that may be written and have not been, and where in the ring they begin. */
  #owed = 0;
  #at = 0;

  constructor(traffic: Traffic) {
    this.#traffic = traffic;
    this.counter = replyCounter(traffic);
  }

  /** Resolves when messages can be sent. */
  open(
    port: number,
    protocol: Job["protocol"],
    deflate: boolean,
    path = "/",
  ): Promise<void> {
    this.#deflate = deflate;
    return new Promise((resolve, reject) => {
      this.#opened = (error) => {
        this.#opened = undefined;
        if (error) reject(error);
        else resolve();
      };
      const host = `127.0.0.1:${port}`;
      Bun.connect<Client>({ hostname: "127.0.0.1", port, data: this, socket: handlers }).then(
        (socket) => {
          this.#socket = socket;
          if (protocol === "tcp") return this.#opened?.();
          if (protocol === "socket.io") {
            this.#socketIo = new SocketIoOpening((bytes) => void socket.write(bytes));
            path = SOCKET_IO_PATH;
          }
          socket.write(
            `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
              `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n` +
              (deflate ? `Sec-WebSocket-Extensions: ${DEFLATE}\r\n\r\n` : "\r\n"),
          );
        },
        (error) => this.#opened?.(new Error(`could not connect to ${host}: ${error}`)),
      );
    });
  }

  /** The same from the other end: answers a client that has connected, which is what is measured then. */
  serve(socket: Bun.Socket<Client>, deflate: boolean): Promise<void> {
    this.#deflate = deflate;
    this.#serves = true;
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      this.#opened = (error) => {
        this.#opened = undefined;
        if (error) reject(error);
        else resolve();
      };
    });
  }

  /** Sends the next messages of the ring, in one write where the socket takes them. */
  send(messages: number): void {
    const { sentSizes, count } = this.#traffic;
    for (let i = 0; i < messages; i++) this.#owed += sentSizes[(this.sent + i) % count]!;
    this.sent += messages;
    this.flush();
  }

  flush(): void {
    const { sent, sentRing } = this.#traffic;
    while (this.#owed > 0) {
      const length = Math.min(this.#owed, sent.length - this.#at);
      const written = this.#socket!.write(sent, this.#at, length);
      if (written < 0) {
        throw new Error("the server closed a connection while it was being measured");
      }
      this.#at = (this.#at + written) % sentRing;
      this.#owed -= written;
      if (written < length) return;
    }
  }

  receive(chunk: Uint8Array): void {
    if (this.#opened) {
      const rest = this.#open(chunk);
      if (rest === undefined || rest.length === 0) return;
      chunk = rest;
    }
    if (this.onClose) return;
    this.receivedBytes += chunk.length;
    const messages = this.counter.take(chunk);
    this.received += messages;
    this.onReplies(this, messages);
  }

  /** Starts the closing handshake; resolves when the server has closed the socket. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.onClose = resolve;
      this.#socket!.write(CLOSE);
    });
  }

  closed(): void {
    if (this.onClose) this.onClose();
    else this.failed(new Error("the server closed a connection"));
  }

  /** What is thrown here ends the load process, so that no figure comes of a run that went wrong. */
  failed(error: Error): void {
    if (this.#opened) this.#opened(error);
    else throw error;
  }

  /** The bytes after all that opens the connection, or undefined while that is not complete. */
  #open(chunk: Uint8Array): Uint8Array | undefined {
    const rest = this.#upgraded ? chunk : this.#handshake(chunk);
    if (rest === undefined || !this.#upgraded) return rest;
    const after = this.#socketIo === undefined ? rest : this.#socketIo.take(rest);
    if (after !== undefined) this.#opened!();
    return after;
  }

  /** The bytes after the response's head, or undefined while the head is not complete. */
  #handshake(chunk: Uint8Array): Uint8Array | undefined {
    const before = this.#head.length;
    this.#head += decoder.decode(chunk);
    const end = this.#head.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const head = this.#head.slice(0, end);
    this.#head = "";
    if (this.#serves) this.#answer(head);
    else if (!head.startsWith("HTTP/1.1 101") || !head.includes(ACCEPT)) {
      this.#opened!(new Error(`the server refused the handshake:\n${head}`));
    } else if (this.#deflate && !/server_no_context_takeover/i.test(head)) {
      this.#opened!(new Error(`the server did not agree to compression:\n${head}`));
    } else {
      this.#upgraded = true;
    }
    return chunk.subarray(end + 4 - before);
  }

  #answer(request: string): void {
    const key = /^sec-websocket-key: *(\S+)/im.exec(request)?.[1];
    if (key === undefined || (this.#deflate && !request.includes("permessage-deflate"))) {
      this.#opened!(new Error(`the client did not ask for what it was told to:\n${request}`));
      return;
    }
    const accept = createHash("sha1").update(key + GUID).digest("base64");
    this.#socket!.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept}\r\n` +
        (this.#deflate ? `Sec-WebSocket-Extensions: ${DEFLATE}\r\n\r\n` : "\r\n"),
    );
    this.#opened!();
  }
}

export const handlers: Bun.SocketHandler<Client> = {
  data: (socket, chunk) => socket.data.receive(chunk),
  drain: (socket) => socket.data.flush(),
  close: (socket) => socket.data.closed(),
  error: (socket, error) => socket.data.failed(error),
};
