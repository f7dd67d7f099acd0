import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { patiently } from "./patience.ts";
import { cert } from "./transports.ts";

/** A frame as the server sent it. */
export interface ServerFrame {
  readonly fin: boolean;
  readonly rsv: number;
  readonly opcode: number;
  readonly masked: boolean;
  readonly payload: Buffer;
}

/** An HTTP response as the server sent it. */
export interface RawResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

interface TcpHandle {
  readStop(): void;
  readStart(): void;
  reset(done: () => void): void;
}

/**
 * A client that sends just the bytes it is told to and shows just the bytes it got, for what no proper
 * client would do.
 */
export class RawClient {
  readonly socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #ended = false;
  #changed: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#notify();
    });
    // A reset is one of the ends that a test may be waiting for.
    socket.on("error", () => this.#end());
    socket.on("end", () => this.#end());
    socket.on("close", () => this.#end());
  }

  /** Connects to a `ws:` or `wss:` URL's host, and sends nothing; trusts one certificate. */
  static async connect(url: string, ca: string = cert): Promise<RawClient> {
    const { hostname, port, protocol } = new URL(url);
    const secure = protocol === "wss:";
    const socket = secure
      ? connectTls({ host: hostname, port: Number(port), ca })
      : connect({ host: hostname, port: Number(port) });
    await once(socket, secure ? "secureConnect" : "connect");
    socket.setNoDelay(true);
    return new RawClient(socket);
  }

  /** Connects and does the opening handshake, with further header fields. */
  static async open(
    url: string,
    headers: Record<string, string> = {},
    ca: string = cert,
  ): Promise<RawClient> {
    const client = await RawClient.connect(url, ca);
    client.write(upgradeRequest(headers, new URL(url).pathname));
    const { status } = await client.response(true);
    if (status !== 101) throw new Error(`the handshake was answered with ${status}`);
    return client;
  }

  /** Sends a request on a connection of its own and waits for the head of the response, or all of it. */
  static async ask(url: string, request: string | Uint8Array): Promise<RawResponse> {
    using client = await RawClient.connect(url);
    client.write(request);
    const head = typeof request === "string" && request.startsWith("HEAD ");
    return await client.response(head);
  }

  write(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  /** Whether the server has ended the connection. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Everything that has come and has not been taken. */
  get received(): Buffer {
    return this.#bytes;
  }

  /** Waits until the server has ended the connection. */
  async end(): Promise<void> {
    while (!this.#ended) await this.#change();
  }

  /** Waits for a response; its body is what Content-Length says. */
  async response(headOnly = false): Promise<RawResponse> {
    const end = await this.#until(() => this.#bytes.indexOf("\r\n\r\n"), (at) => at !== -1);
    const [first, ...lines] = this.#bytes.toString("latin1", 0, end).split("\r\n");
    const headers = new Headers(
      lines.map((line) => line.split(/: ?(.*)/s).slice(0, 2) as [string, string]),
    );
    const length = headOnly ? 0 : Number(headers.get("content-length") ?? 0);
    await this.#until(() => this.#bytes.length, (have) => have >= end + 4 + length);
    const body = this.#bytes.toString("utf8", end + 4, end + 4 + length);
    this.#bytes = this.#bytes.subarray(end + 4 + length);
    return { status: Number(first.split(" ")[1]), headers, body };
  }

  /** Waits for the next frame; null when the connection ended instead. */
  async frame(): Promise<ServerFrame | null> {
    for (;;) {
      const frame = this.#takeFrame();
      if (frame !== undefined) return frame;
      if (this.#ended) return null;
      await this.#change();
    }
  }

  /** Waits for the Close frame, past any other, and gives its code; null when none came. */
  async closeCode(): Promise<number | null> {
    for (let frame = await this.frame(); frame !== null; frame = await this.frame()) {
      if (frame.opcode === 8) {
        return frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(0);
      }
    }
    return null;
  }

  /** Drops the connection with a reset. */
  reset(): void {
    // Of a TLS socket Deno can reset only the one under it.
    const handle = this.#handle;
    if (handle === undefined) this.socket.resetAndDestroy();
    else handle.reset(() => this.socket.destroy());
  }

  /** Reads no more for now. */
  pause(): void {
    this.socket.pause();
    // A paused TLS socket is read on under Deno.
    this.#handle?.readStop();
  }

  /** Reads on. */
  resume(): void {
    this.#handle?.readStart();
    this.socket.resume();
  }

  /** The TCP handle under a TLS socket, where there is one. */
  get #handle(): TcpHandle | undefined {
    const handle = (this.socket as { _handle?: { _parent?: TcpHandle } | null })._handle?._parent;
    return typeof handle?.readStop === "function" ? handle : undefined;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #takeFrame(): ServerFrame | undefined {
    const bytes = this.#bytes;
    if (bytes.length < 2) return undefined;
    const masked = (bytes[1] & 0x80) !== 0;
    let length = bytes[1] & 0x7f;
    let at = 2;
    if (length === 126) {
      if (bytes.length < 4) return undefined;
      length = bytes.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (bytes.length < 10) return undefined;
      length = Number(bytes.readBigUInt64BE(2));
      at = 10;
    }
    if (bytes.length < at + length) return undefined;
    this.#bytes = bytes.subarray(at + length);
    return {
      fin: (bytes[0] & 0x80) !== 0,
      rsv: bytes[0] & 0x70,
      opcode: bytes[0] & 0x0f,
      masked,
      payload: bytes.subarray(at, at + length),
    };
  }

  async #until<T>(look: () => T, found: (value: T) => boolean): Promise<T> {
    for (;;) {
      const value = look();
      if (found(value)) return value;
      if (this.#ended) throw new Error("the server ended the connection before it had answered");
      await this.#change();
    }
  }

  #change(): Promise<void> {
    const changed = new Promise<void>((resolve) => this.#changed.push(resolve));
    return patiently(changed, "what a raw client waits for");
  }

  #end(): void {
    this.#ended = true;
    this.#notify();
  }

  #notify(): void {
    const changed = this.#changed;
    this.#changed = [];
    for (const resolve of changed) resolve();
  }
}

/** A right opening handshake, but for the header fields given: "" leaves one out. */
export function upgradeRequest(headers: Record<string, string> = {}, target = "/"): string {
  const fields: Record<string, string> = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
    "Sec-WebSocket-Version": "13",
    ...headers,
  };
  const lines = Object.entries(fields).filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}: ${value}`);
  return [`GET ${target} HTTP/1.1`, ...lines, "", ""].join("\r\n");
}
