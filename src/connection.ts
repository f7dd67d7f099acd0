import { Buffer } from "node:buffer";
import { ConnectionEvents, handlerTable } from "./connection_events.ts";
import { Delivery, type DeliveryOwner } from "./delivery.ts";
import { WebSocketError } from "./errors.ts";
import type { Handshake, Rejection } from "./handshake.ts";
import { closePayload, MAX_CONTROL_PAYLOAD } from "./protocol/mod.ts";
import type { Channel, Peer, SharedMessage } from "./transport/transport.ts";

/** What a connection is made of; what `onAccept` is given. */
export interface ConnectionInit<Server = unknown> {
  /** The server that accepted it. */
  readonly server: Server;
  /** What the runtime calls it: a socket, or on its HTTP server the request. */
  readonly socket: unknown;
  /** The subprotocols that the server speaks. */
  readonly subprotocol: readonly string[];
}

/** What a connection needs of the server. */
export interface ConnectionHost {
  readonly maxRecvSize: number;
  readonly maxSendSize: number;
  readonly compressionThreshold: number;
  readonly highWaterMark: number;
  readonly maxBufferedAmount: number;
  /** Whether pings are answered by the transport's engine. */
  readonly enginePongs: boolean;
  /** Whether pings can be sent. */
  readonly canPing: boolean;
  opened(connection: WebSocketConnection): void;
  closed(connection: WebSocketConnection): void;
  report(error: Error, connection: WebSocketConnection): void;
}

/** What the server does with a connection, beyond the public API. */
export interface ConnectionControl {
  readonly delivery: Delivery;
  /** Whether it was told to end before it was open. */
  readonly aborted: boolean;
  handshake: Handshake | undefined;
  subprotocol: string | undefined;
  extensions: readonly string[];
  /** The channel, from the opening to the end. */
  readonly channel: Channel | null;
  open(channel: Channel): void;
  sendShared(message: SharedMessage): boolean;
  /** Sends a ping to hear whether the peer is there, where that can be done. */
  probe(): void;
}

let attach: (
  connection: WebSocketConnection,
  host: ConnectionHost,
  peer: Peer,
) => ConnectionControl;

/**
 * Puts a connection object to work for a peer.
 *
 * @param connection The object.
 * @param host The server.
 * @param peer The peer.
 * @returns What the server steers it with.
 */
export function attachConnection(
  connection: WebSocketConnection,
  host: ConnectionHost,
  peer: Peer,
): ConnectionControl {
  return attach(connection, host, peer);
}

type State = "connecting" | "ready" | "disconnecting" | "disconnected";

const DEFAULT_PONG = (connection: WebSocketConnection, payload: Uint8Array): boolean =>
  connection.pong(payload);

/**
 * One client. The server makes it when a peer comes, gives it to `onConnect`, where handlers are
 * set, and tells it `ready` when the opening handshake is done. Subclasses may add state and
 * methods; the server's `connectionClass` names them.
 *
 * @example A subclass with a method of its own
 * ```ts
 * import { WebSocketConnection, WebSocketServer } from "@duet/websocket";
 *
 * class Player extends WebSocketConnection {
 *   score = 0;
 *   award(points: number) {
 *     this.score += points;
 *     return this.sendUtf8(JSON.stringify({ score: this.score }));
 *   }
 * }
 *
 * const server = new WebSocketServer({
 *   connectionClass: Player,
 *   onConnect: (_server, player) => void player.on({ utf8: (player) => player.award(1) }),
 * });
 * ```
 */
export class WebSocketConnection extends ConnectionEvents {
  /** The user's own; the library leaves it alone. */
  data: unknown = undefined;
  readonly #init: ConnectionInit;
  readonly #delivery: Delivery;
  #host!: ConnectionHost;
  #peer!: Peer;
  // Set while messages can be sent.
  #channel: Channel | null = null;
  // The same channel, for as long as it lives.
  #live: Channel | null = null;
  #state: State = "connecting";
  #handshake: Handshake | undefined;
  #subprotocol: string | undefined;
  #extensions: readonly string[] = [];
  #error: WebSocketError | undefined;
  #doPong: ((connection: this, payload: Uint8Array) => unknown) | null = DEFAULT_PONG;
  #maxRecvSize = 0;
  #maxSendSize = 0;
  #compressionThreshold = 0;
  #nodelay = true;
  #overflowed = false;
  #drained: { promise: Promise<void>; resolve: () => void } | undefined;

  static {
    attach = (connection, host, peer) => connection.#attach(host, peer);
  }

  /**
   * Made by the server, or by a subclass.
   *
   * @param init What `onAccept` is given.
   */
  constructor(init: ConnectionInit) {
    super();
    this.#init = init;
    this.#delivery = new Delivery(handlerTable(this), this.#owner());
  }

  #owner(): DeliveryOwner {
    return {
      connection: this,
      answerPing: (payload) => this.#answerPing(payload),
      drained: () => this.#isDrained(),
      closing: () => this.#closing(),
      closed: () => this.#closed(),
      report: (error) => this.#report(error),
    };
  }

  #attach(host: ConnectionHost, peer: Peer): ConnectionControl {
    this.#host = host;
    this.#peer = peer;
    this.#maxRecvSize = host.maxRecvSize;
    this.#maxSendSize = host.maxSendSize;
    this.#compressionThreshold = host.compressionThreshold;
    // deno-lint-ignore no-this-alias -- the accessors below have a `this` of their own
    const connection = this;
    return {
      delivery: this.#delivery,
      get aborted() {
        return connection.#state !== "connecting";
      },
      get handshake() {
        return connection.#handshake;
      },
      set handshake(handshake) {
        connection.#handshake = handshake;
      },
      get subprotocol() {
        return connection.#subprotocol;
      },
      set subprotocol(subprotocol) {
        connection.#subprotocol = subprotocol;
      },
      get extensions() {
        return connection.#extensions;
      },
      set extensions(extensions) {
        connection.#extensions = extensions;
      },
      get channel() {
        return connection.#live;
      },
      open: (channel) => this.#open(channel),
      sendShared: (message) => this.#sendShared(message),
      probe: () => this.#host.canPing && this.ping(),
    };
  }

  #open(channel: Channel): void {
    this.#state = "ready";
    this.#channel = this.#live = channel;
    channel.maxRecvSize = this.#maxRecvSize;
    channel.compressionThreshold = this.#compressionThreshold;
    if (!this.#nodelay) channel.setNoDelay(false);
    this.#host.opened(this);
    this.#delivery.open(channel);
  }

  // Who it is.

  /** The client's IP address. */
  get ip(): string {
    return this.#peer.remote.ip;
  }

  /** The client's port. */
  get port(): number {
    return this.#peer.remote.port;
  }

  /** What the runtime calls this connection: a socket, or on its HTTP server the request. */
  get socket(): unknown {
    return this.#init.socket;
  }

  /** The server. */
  get server(): unknown {
    return this.#init.server;
  }

  /** The opening handshake, from the `handshake` event on. */
  get handshake(): Handshake | undefined {
    return this.#handshake;
  }

  /** The subprotocol agreed on, if there is one. */
  get subprotocol(): string | undefined {
    return this.#subprotocol;
  }

  /** The names of the extensions agreed on. */
  get extensions(): readonly string[] {
    return this.#extensions;
  }

  /** The protocol version, once the handshake has been read. */
  get version(): number | undefined {
    return this.#handshake?.request.version.number;
  }

  /** The last error of this connection, else undefined. */
  get error(): WebSocketError | undefined {
    return this.#error;
  }

  // How far it has come.

  /** Whether messages can be sent. */
  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** Whether the closing handshake is under way. */
  get disconnecting(): boolean {
    return this.#state === "disconnecting";
  }

  /** Whether it has ended. */
  get disconnected(): boolean {
    return this.#state === "disconnected";
  }

  // Sending.

  /**
   * Sends a text message.
   *
   * @param data The text.
   * @returns false when it should wait for `drain` before it sends more, or when nothing was sent
   * since the connection is not open.
   * @throws {TypeError} When the text has a lone surrogate; nothing is sent.
   * @throws {RangeError} When it has over `maxSendSize` bytes; nothing is sent.
   */
  sendUtf8(data: string): boolean {
    const channel = this.#channel;
    if (channel === null) return false;
    if (typeof data !== "string") throw wrongData("sendUtf8", "a string");
    if (data.length * 3 > this.#maxSendSize) this.#checkSize(Buffer.byteLength(data));
    return channel.sendText(data) <= this.#host.highWaterMark || this.#overflow();
  }

  /**
   * Sends a binary message.
   *
   * @param data The bytes. Leave them alone until they have gone out: large ones are not copied.
   * @returns false when it should wait for `drain` before it sends more, or when nothing was sent
   * since the connection is not open.
   * @throws {RangeError} When it has over `maxSendSize` bytes; nothing is sent.
   */
  sendBinary(data: Uint8Array): boolean {
    const channel = this.#channel;
    if (channel === null) return false;
    if (!(data instanceof Uint8Array)) throw wrongData("sendBinary", "a Uint8Array");
    if (data.length > this.#maxSendSize) this.#checkSize(data.length);
    return channel.sendBinary(data) <= this.#host.highWaterMark || this.#overflow();
  }

  /**
   * Sends a message of the kind that the data is, a string as text.
   *
   * @param data The message.
   * @returns As {@linkcode WebSocketConnection.sendUtf8}.
   */
  send(data: string | Uint8Array): boolean;
  /**
   * Sends a message or a control frame by the name of its kind.
   *
   * @param type What to send.
   * @param data The message or payload.
   * @returns As {@linkcode WebSocketConnection.sendUtf8}.
   */
  send(type: "utf8", data: string): boolean;
  /**
   * Sends a message or a control frame by the name of its kind.
   *
   * @param type What to send.
   * @param data The message or payload.
   * @returns As {@linkcode WebSocketConnection.sendUtf8}.
   */
  send(type: "binary" | "ping" | "pong", data: Uint8Array): boolean;
  send(first: string | Uint8Array, second?: string | Uint8Array): boolean {
    if (second === undefined) {
      return typeof first === "string" ? this.sendUtf8(first) : this.sendBinary(first);
    }
    switch (first) {
      case "utf8":
        return this.sendUtf8(second as string);
      case "binary":
        return this.sendBinary(second as Uint8Array);
      case "ping":
        return this.ping(second as Uint8Array);
      case "pong":
        return this.pong(second as Uint8Array);
      default:
        throw new WebSocketError(
          "ERR_INVALID_ARGUMENT",
          `Cannot send a ${JSON.stringify(first)}: use "utf8", "binary", "ping" or "pong"`,
        );
    }
  }

  /**
   * Sends a Ping frame (RFC 6455 §5.5.2).
   *
   * @param payload At most 125 bytes, or a text of as many.
   * @returns As {@linkcode WebSocketConnection.sendUtf8}.
   * @throws {RangeError} When the payload is longer.
   * @throws {WebSocketError} ERR_UNSUPPORTED on `deno_http`.
   */
  ping(payload: string | Uint8Array = NO_BYTES): boolean {
    const bytes = controlPayload(payload);
    this.#channel?.ping(bytes);
    return this.#sent();
  }

  /**
   * Sends a Pong frame (RFC 6455 §5.5.3).
   *
   * @param payload At most 125 bytes, or a text of as many.
   * @returns As {@linkcode WebSocketConnection.sendUtf8}.
   * @throws {RangeError} When the payload is longer.
   * @throws {WebSocketError} ERR_UNSUPPORTED on `deno_http`.
   */
  pong(payload: string | Uint8Array = NO_BYTES): boolean {
    const bytes = controlPayload(payload);
    this.#channel?.pong(bytes);
    return this.#sent();
  }

  #sendShared(message: SharedMessage): boolean {
    const channel = this.#channel;
    if (channel === null) return false;
    if (channel.sendShared(message) > this.#host.highWaterMark) this.#overflow();
    return true;
  }

  #sent(): boolean {
    const channel = this.#channel;
    return channel !== null &&
      (channel.bufferedAmount <= this.#host.highWaterMark || this.#overflow());
  }

  #checkSize(size: number): void {
    if (size <= this.#maxSendSize) return;
    throw new RangeError(
      `Cannot send a message of ${size} bytes: maxSendSize is ${this.#maxSendSize}`,
    );
  }

  /** More waits than should: asks for `drain`, or gives the peer up. Returns what `send…` does. */
  #overflow(): false {
    const channel = this.#channel!;
    if (!this.#overflowed) {
      this.#overflowed = true;
      channel.notifyDrained();
    }
    if (channel.bufferedAmount > this.#host.maxBufferedAmount) {
      this.#report(
        new WebSocketError(
          "ERR_TOO_SLOW",
          `Cannot hold more than ${this.#host.maxBufferedAmount} bytes for a peer that does not read them: dropped (1013)`,
        ),
      );
      this.terminate();
    }
    return false;
  }

  /** How many bytes wait to be taken by the operating system. */
  get bufferedAmount(): number {
    return this.#channel?.bufferedAmount ?? 0;
  }

  /**
   * Waits until all that was sent has been taken by the operating system.
   *
   * @returns Settled at once when nothing waits, and when the connection ends.
   */
  drained(): Promise<void> {
    const channel = this.#channel;
    if (channel === null || channel.bufferedAmount === 0) return Promise.resolve();
    if (this.#drained === undefined) {
      this.#drained = Promise.withResolvers<void>();
      channel.notifyDrained();
    }
    return this.#drained.promise;
  }

  #isDrained(): boolean {
    this.#drained?.resolve();
    this.#drained = undefined;
    const { handlers } = handlerTable(this);
    const wanted = this.#overflowed && handlers.drain !== undefined;
    this.#overflowed = false;
    return wanted;
  }

  // Receiving.

  /**
   * Waits for the next message, instead of handlers for `utf8`, `binary` and `message`. While nobody
   * waits, the socket is not read. Call it first in `ready`: messages that come before are lost.
   *
   * @returns The message, or null when the connection has ended.
   * @throws {WebSocketError} ERR_STATE on a connection that has handlers for messages.
   */
  recv(): Promise<string | Uint8Array | null> {
    return this.#delivery.pull();
  }

  /**
   * Goes through the messages until the connection ends, as {@linkcode WebSocketConnection.recv}.
   *
   * @returns The messages.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<string | Uint8Array, void, void> {
    for (let data = await this.recv(); data !== null; data = await this.recv()) yield data;
  }

  /** Stops to read: no message is told until {@linkcode WebSocketConnection.resume}. */
  pause(): void {
    this.#delivery.pause();
  }

  /** Reads on after {@linkcode WebSocketConnection.pause}. */
  resume(): void {
    this.#delivery.resume();
  }

  /**
   * What answers pings: by default a pong with the same payload; null sends none.
   *
   * @throws {WebSocketError} ERR_UNSUPPORTED when set where the runtime's engine answers by itself.
   */
  get doPong(): ((connection: this, payload: Uint8Array) => unknown) | null {
    return this.#doPong;
  }

  set doPong(answer: ((connection: this, payload: Uint8Array) => unknown) | null) {
    if (this.#host.enginePongs && answer !== DEFAULT_PONG) {
      throw new WebSocketError(
        "ERR_UNSUPPORTED",
        'Cannot set doPong: the runtime\'s own engine answers pings. Use transport: "tcp".',
      );
    }
    this.#doPong = answer;
  }

  #answerPing(payload: Uint8Array): unknown {
    return this.#host.enginePongs ? undefined : this.#doPong?.(this, payload);
  }

  // Ending.

  /**
   * Starts the closing handshake (RFC 6455 §7.1.2); before the handshake is done, drops the client.
   *
   * @param code 1000 to 1003, 1007 to 1014 or 3000 to 4999; by default none is sent.
   * @param reason At most 123 bytes of UTF-8.
   * @throws {RangeError} When one of them may not be sent; nothing is sent then.
   */
  disconnect(code?: number, reason = ""): void {
    closePayload(code, reason);
    if (this.#state === "connecting") {
      this.#state = "disconnecting";
      this.#peer.drop();
    } else {
      this.#channel?.close(code, reason);
    }
  }

  /** Drops the connection at once, without a closing handshake. */
  terminate(): void {
    if (this.#state === "connecting") this.disconnect();
    else this.#live?.terminate();
  }

  /**
   * Refuses the handshake with an HTTP response; before `ready` only.
   *
   * @param status The status: 300 to 599.
   * @param rejection The body and header fields to answer with.
   * @throws {WebSocketError} ERR_STATE without a handshake that could be refused.
   */
  httpError(status: number, rejection: Rejection = {}): void {
    if (this.#handshake === undefined || this.#state !== "connecting") {
      throw new WebSocketError(
        "ERR_STATE",
        "Cannot answer with an HTTP error now: do so in the handshake event",
      );
    }
    this.#handshake.reject(status, rejection);
  }

  #closing(): void {
    if (this.#state === "ready") this.#state = "disconnecting";
    this.#channel = null;
  }

  #closed(): void {
    this.#state = "disconnected";
    this.#channel = null;
    this.#live = null;
    this.#drained?.resolve();
    this.#host.closed(this);
  }

  #report(error: WebSocketError): void {
    this.#error = error;
    this.#host.report(error, this);
  }

  // Limits.

  /** The most bytes of a message that is taken, after decompression; over it: close code 1009. */
  get maxRecvSize(): number {
    return this.#maxRecvSize;
  }

  set maxRecvSize(bytes: number) {
    this.#maxRecvSize = bytes;
    if (this.#channel !== null) this.#channel.maxRecvSize = bytes;
  }

  /** The most bytes of a message that is sent. */
  get maxSendSize(): number {
    return this.#maxSendSize;
  }

  set maxSendSize(bytes: number) {
    this.#maxSendSize = bytes;
  }

  /** Messages of fewer bytes are not compressed. */
  get compressionThreshold(): number {
    return this.#compressionThreshold;
  }

  set compressionThreshold(bytes: number) {
    this.#compressionThreshold = bytes;
    if (this.#channel !== null) this.#channel.compressionThreshold = bytes;
  }

  /** Whether small packets are sent at once (TCP_NODELAY); default true. */
  get nodelay(): boolean {
    return this.#nodelay;
  }

  set nodelay(on: boolean) {
    this.#channel?.setNoDelay(on);
    this.#nodelay = on;
  }
}

const NO_BYTES = new Uint8Array(0);

function controlPayload(payload: string | Uint8Array): Uint8Array {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  if (bytes.length > MAX_CONTROL_PAYLOAD) {
    throw new RangeError(
      `Cannot send a control frame of ${bytes.length} bytes: it takes at most ${MAX_CONTROL_PAYLOAD}`,
    );
  }
  return bytes;
}

function wrongData(method: string, wanted: string): WebSocketError {
  return new WebSocketError("ERR_INVALID_ARGUMENT", `Cannot ${method}() this: it takes ${wanted}`);
}
