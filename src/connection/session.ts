import { Buffer } from "node:buffer";
import type { WebSocketConnection } from "./connection.ts";
import type { ConnectionHandlers } from "./handlers.ts";
import { Delivery, type DeliveryOwner } from "./delivery.ts";
import { WebSocketError } from "../base/errors.ts";
import { Handshake, HandshakeRequest, type Rejection } from "./handshake.ts";
import { CloseCode, closePayload, MAX_CONTROL_PAYLOAD, type RequestHead } from "../protocol/mod.ts";
import type { Channel, SharedMessage } from "../transport/channel.ts";
import type { Address, Peer, Transport, TransportKind } from "../transport/transport.ts";
import { unsupported } from "../transport/unsupported.ts";

/** What a connection needs of the server. */
export interface ConnectionHost {
  readonly maxRecvSize: number;
  readonly maxSendSize: number;
  readonly compressionThreshold: number;
  readonly highWaterMark: number;
  readonly maxBufferedAmount: number;
  /** Whether pings are answered by the transport's engine. */
  readonly enginePongs: boolean;
  /** Whether pings can be sent, and are told of. */
  readonly canPing: boolean;
  readonly transport: TransportKind & Pick<Transport, "maxPayload">;
  opened(connection: WebSocketConnection): void;
  closed(connection: WebSocketConnection): void;
  report(error: Error, connection: WebSocketConnection): void;
}

/** What answers a ping. */
export type PingAnswer = (connection: WebSocketConnection, payload: Uint8Array) => unknown;

/** The answer to a ping that RFC 6455 §5.5.3 asks for. */
export const DEFAULT_PONG: PingAnswer = (connection, payload) => connection.pong(payload);

/** The state of one connection and what is done with it, behind the public API. */
export class ConnectionCore implements DeliveryOwner {
  readonly connection: WebSocketConnection;
  readonly delivery: Delivery;
  host!: ConnectionHost;
  remote: Address = NOWHERE;
  secure = false;
  // The peer, until it has become a channel.
  #peer: Peer | null = null;
  /** Set while messages can be sent. */
  channel: Channel | null = null;
  /** The same channel, from the opening to the end. */
  live: Channel | null = null;
  state: "connecting" | "ready" | "disconnecting" | "disconnected" = "connecting";
  /** The request of the opening handshake, once it has come. */
  head: RequestHead | null = null;
  /** What {@linkcode ConnectionCore.handshake} has given, if anybody has asked for it. */
  knownHandshake: Handshake | undefined = undefined;
  subprotocol: string | undefined = undefined;
  extensions: readonly string[] = NO_EXTENSIONS;
  error: WebSocketError | undefined = undefined;
  maxSendSize = UNSET;
  /** How many checks in a row found that nothing had come. */
  silentChecks = 0;
  #doPong: PingAnswer | null = DEFAULT_PONG;
  #maxRecvSize = UNSET;
  #compressionThreshold = UNSET;
  #nodelay = true;
  #overflowed = false;
  #drained: { promise: Promise<void>; resolve: () => void } | undefined = undefined;

  constructor(connection: WebSocketConnection) {
    this.connection = connection;
    this.delivery = new Delivery(this);
  }

  /** Whether it has, or had, a peer. */
  get attached(): boolean {
    return this.remote !== NOWHERE;
  }

  /** Puts the connection to work for a peer. */
  attach(host: ConnectionHost, peer: Peer): void {
    this.host = host;
    this.#peer = peer;
    this.remote = peer.remote;
    this.secure = peer.secure;
    // The constructor of a subclass may have set some of these.
    if (this.#maxRecvSize === UNSET) this.#maxRecvSize = host.maxRecvSize;
    if (this.maxSendSize === UNSET) this.maxSendSize = host.maxSendSize;
    if (this.#compressionThreshold === UNSET) {
      this.#compressionThreshold = host.compressionThreshold;
    }
    this.#checkPong(this.#doPong);
    this.#checkNoDelay(this.#nodelay);
    this.#checkRecvSize(this.#maxRecvSize);
    this.checkEvents(this.delivery.handlers);
  }

  /** Throws for handlers of events that the transport's engine does not tell of. */
  checkEvents(handlers: ConnectionHandlers<unknown>): void {
    if (!this.attached || this.host.canPing) return;
    for (const event of ["ping", "pong"] as const) {
      if (handlers[event] !== undefined) throw this.#unsupported(`tell of a ${event}`, KEEPS_PINGS);
    }
  }

  /** What the runtime calls this connection. */
  get native(): unknown {
    return this.live?.native ?? this.#peer?.native;
  }

  /** Whether it was told to end before it was open. */
  get aborted(): boolean {
    return this.state !== "connecting";
  }

  /** The opening handshake; made when somebody asks, since most never do. */
  get handshake(): Handshake | undefined {
    if (this.head === null) return undefined;
    return this.knownHandshake ??= new Handshake(new HandshakeRequest(this.head, this.secure));
  }

  /** The opening handshake is done. */
  open(channel: Channel): void {
    if (this.aborted) {
      // It was told to end between the answer and now.
      this.live = channel;
      channel.terminate();
      return;
    }
    this.state = "ready";
    this.channel = this.live = channel;
    this.#peer = null;
    channel.maxRecvSize = this.#maxRecvSize;
    channel.compressionThreshold = this.#compressionThreshold;
    if (!this.#nodelay) channel.setNoDelay(false);
    this.host.opened(this.connection);
    this.delivery.open(channel);
  }

  // Sending; each returns whether more may be sent at once.

  sendText(data: string): boolean {
    const { channel } = this;
    if (channel === null) return false;
    if (typeof data !== "string") throw wrongData("sendUtf8", "a string");
    if (data.length * 3 > this.maxSendSize) this.#checkSize(Buffer.byteLength(data));
    return channel.sendText(data) <= this.host.highWaterMark || this.#overflow();
  }

  sendBinary(data: Uint8Array): boolean {
    const { channel } = this;
    if (channel === null) return false;
    if (!(data instanceof Uint8Array)) throw wrongData("sendBinary", "a Uint8Array");
    if (data.length > this.maxSendSize) this.#checkSize(data.length);
    return channel.sendBinary(data) <= this.host.highWaterMark || this.#overflow();
  }

  /** Sends a message that goes to others too; returns whether the connection was open. */
  sendShared(message: SharedMessage): boolean {
    const { channel } = this;
    if (channel === null) return false;
    if (channel.sendShared(message) > this.host.highWaterMark) this.#overflow();
    return true;
  }

  sendControl(kind: "ping" | "pong", payload: string | Uint8Array): boolean {
    const bytes = controlPayload(kind, payload);
    const { channel } = this;
    if (channel === null) return false;
    channel[kind](bytes);
    return channel.bufferedAmount <= this.host.highWaterMark || this.#overflow();
  }

  /** Sends a ping to hear whether the peer is there, where that can be done. */
  probe(): void {
    if (this.host.canPing) this.sendControl("ping", NO_BYTES);
  }

  #checkSize(size: number): void {
    if (size <= this.maxSendSize) return;
    throw new RangeError(
      `Cannot send a message of ${size} bytes: maxSendSize is ${this.maxSendSize}`,
    );
  }

  /** More waits than should: asks for `drain`, or gives the peer up. */
  #overflow(): false {
    const channel = this.channel!;
    if (!this.#overflowed) {
      // Not yet told to wait, nobody is too slow, however large this one message is.
      this.#overflowed = true;
      channel.notifyDrained();
    } else if (channel.bufferedAmount > this.host.maxBufferedAmount) {
      this.report(
        new WebSocketError(
          "ERR_TOO_SLOW",
          `Cannot hold more than ${this.host.maxBufferedAmount} bytes for a peer that does not read them: dropped (1013)`,
        ),
      );
      this.terminate();
    }
    return false;
  }

  whenDrained(): Promise<void> {
    const { channel } = this;
    if (channel === null || channel.bufferedAmount === 0) return Promise.resolve();
    if (this.#drained === undefined) {
      this.#drained = Promise.withResolvers<void>();
      channel.notifyDrained();
    }
    return this.#drained.promise;
  }

  // Ending.

  disconnect(code: number | undefined, reason: string): void {
    closePayload(code, reason);
    if (this.state === "connecting") {
      this.state = "disconnecting";
      this.#peer?.destroy();
    } else {
      this.channel?.close(code, reason);
    }
  }

  terminate(): void {
    if (this.state === "connecting") this.disconnect(undefined, "");
    else this.live?.terminate();
  }

  /** Drops the connection and counts it as gone, also where the runtime would tell of that later. */
  abandon(): void {
    this.terminate();
    this.delivery.close(CloseCode.ABNORMAL_CLOSURE, "");
  }

  httpError(status: number, rejection: Rejection): void {
    const { handshake } = this;
    if (handshake === undefined || this.state !== "connecting") {
      throw new WebSocketError(
        "ERR_STATE",
        "Cannot answer with an HTTP error now: do so in the handshake event",
      );
    }
    handshake.reject(status, rejection);
  }

  // What the delivery tells.

  answerPing(payload: Uint8Array): unknown {
    return this.host.enginePongs ? undefined : this.#doPong?.(this.connection, payload);
  }

  drained(): boolean {
    this.#drained?.resolve();
    this.#drained = undefined;
    const overflowed = this.#overflowed;
    this.#overflowed = false;
    return overflowed;
  }

  closing(): void {
    if (this.state === "ready") this.state = "disconnecting";
    this.channel = null;
  }

  closed(): void {
    this.state = "disconnected";
    this.channel = this.live = this.#peer = null;
    this.#drained?.resolve();
    this.host.closed(this.connection);
  }

  report(error: WebSocketError): void {
    this.error = error;
    this.host.report(error, this.connection);
  }

  // Settings.

  get doPong(): PingAnswer | null {
    return this.#doPong;
  }

  set doPong(answer: PingAnswer | null) {
    if (this.attached) this.#checkPong(answer);
    this.#doPong = answer;
  }

  #checkPong(answer: PingAnswer | null): void {
    if (this.host.enginePongs && answer !== DEFAULT_PONG) {
      throw this.#unsupported("set doPong", "its engine answers pings by itself");
    }
  }

  get maxRecvSize(): number {
    return this.#maxRecvSize;
  }

  set maxRecvSize(bytes: number) {
    if (this.attached) this.#checkRecvSize(bytes);
    this.#maxRecvSize = bytes;
    if (this.channel !== null) this.channel.maxRecvSize = bytes;
  }

  #checkRecvSize(bytes: number): void {
    const { maxPayload = Infinity } = this.host.transport;
    if (bytes > maxPayload) {
      throw this.#unsupported(
        `set maxRecvSize to ${bytes}`,
        `its engine takes no more than the server's maxRecvSize, which is ${maxPayload}`,
      );
    }
  }

  get compressionThreshold(): number {
    return this.#compressionThreshold;
  }

  set compressionThreshold(bytes: number) {
    this.#compressionThreshold = bytes;
    if (this.channel !== null) this.channel.compressionThreshold = bytes;
  }

  get nodelay(): boolean {
    return this.#nodelay;
  }

  set nodelay(on: boolean) {
    if (this.attached) this.#checkNoDelay(on);
    this.channel?.setNoDelay(on);
    this.#nodelay = on;
  }

  #checkNoDelay(on: boolean): void {
    if (!on && !this.host.transport.capabilities.socket) {
      throw this.#unsupported("turn nodelay off", "the runtime owns the socket");
    }
  }

  #unsupported(what: string, why: string): WebSocketError {
    return unsupported(what, this.host.transport.name, why);
  }
}

/** A size that the server's option decides on. */
const UNSET = -1;
const KEEPS_PINGS = "its engine keeps pings and pongs to itself";
const NO_EXTENSIONS: readonly string[] = [];
const NOWHERE: Address = { ip: "", port: 0 };
const NO_BYTES = new Uint8Array(0);

function controlPayload(kind: "ping" | "pong", payload: string | Uint8Array): Uint8Array {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  if (!(bytes instanceof Uint8Array)) throw wrongData(kind, "a string or a Uint8Array");
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
