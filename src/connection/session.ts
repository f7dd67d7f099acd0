import { WebSocketError } from "../base/errors.ts";
import { CloseCode, closePayload, ProtocolError, type RequestHead } from "../protocol/mod.ts";
import type { Channel, LifeListener, SharedMessage } from "../transport/channel.ts";
import type { Traffic } from "../transport/traffic.ts";
import { cancelDeadline, type Expiring, startDeadline } from "../transport/deadlines.ts";
import { incomingOf } from "../transport/incoming.ts";
import type {
  Address,
  ClientAddress,
  Peer,
  Transport,
  TransportKind,
} from "../transport/transport.ts";
import type { End } from "./closed_error.ts";
import { Delivery, type DeliveryOwner } from "./delivery.ts";
import { type ConnectionHandlers, readHandlers } from "./handlers.ts";
import { Handshake, HandshakeRequest, type Rejection } from "./handshake.ts";
import type { MessageStreams, StreamSession } from "./message_streams.ts";
import { Outbox, type OutboxOwner, UNSET } from "./outbox.ts";
import type { ConnectionSubscriptions, ConnectionTopics, Position } from "./subscribing.ts";
import type { TopicSession } from "./topic_members.ts";
import { checkEvents, DEFAULT_PONG, Tuning } from "./tuning.ts";

/** What a connection needs of the server. */
export interface ConnectionHost {
  readonly maxRecvSize: number;
  readonly maxSendSize: number;
  readonly compressionThreshold: number;
  readonly highWaterMark: number;
  readonly maxBufferedAmount: number;
  readonly maxConcurrentMessages: number;
  /** Seconds. */
  readonly closeTimeout: number;
  readonly transport: TransportKind & Pick<Transport, "maxPayload">;
  readonly topics: ConnectionTopics<Session>;
  readonly traffic: Traffic;
  opened(connection: object): void;
  /** The application, or what bounds its sending, has ended it. */
  left?(connection: object): void;
  /** It has ended; with code 1006 and no reason where it never was open. */
  closed(connection: object, code: number, reason: string): void;
  /** Its peer takes less than it is sent, or with `dropped` was given up for that or for its silence. */
  slow(connection: object, dropped: boolean): void;
  report(error: Error, connection: object): void;
  /** Logs what the application should know. */
  warn(message: string, connection: object): void;
}

/** The state of one connection from its accept to its end, behind the public API. */
export class Session
  implements LifeListener, DeliveryOwner, OutboxOwner, StreamSession, TopicSession, Expiring {
  readonly connection: object;
  /** What made the connection: a server, or nothing where it is a client's. */
  readonly server: unknown;
  /** The parameters of its route, if it came by one. */
  params: Readonly<Record<string, string | undefined>> | null = null;
  readonly delivery: Delivery;
  readonly outbox: Outbox;
  #tuning: Tuning | null = null;
  host!: ConnectionHost;
  remote: ClientAddress = NOWHERE;
  secure = false;
  // The peer, until it has become a channel.
  #peer: Peer | null = null;
  /** The channel, from the opening of the WebSocket until it is gone. */
  live: Channel | null = null;
  state: "connecting" | "ready" | "disconnecting" | "disconnected" = "connecting";
  /** The request of the opening handshake, once it has come. */
  head: RequestHead | null = null;
  /** What {@linkcode Session.handshake} has given, if anybody has asked for it. */
  knownHandshake: Handshake | undefined = undefined;
  subprotocol: string | undefined = undefined;
  extensions: readonly string[] = NO_EXTENSIONS;
  error: WebSocketError | undefined = undefined;
  /** The topics that it is subscribed to; made with the first. */
  subscriptions: ConnectionSubscriptions | null = null;
  /** How many checks in a row found that nothing had come. */
  silentChecks = 0;
  /** The channel's progress at the last of them. */
  progress = 0;
  /** How it has ended, from the end of its channel on: messages that came before may still be told of. */
  ended: End | null = null;
  // How long they may.
  #deadline = 0;
  // Set when what waits has waited for too long before the channel was gone.
  #late = false;
  /** Made when somebody asks for a stream. */
  streams: MessageStreams | null = null;
  // Made when somebody asks for the signal.
  #controller: AbortController | null = null;

  constructor(connection: object, server: unknown) {
    this.connection = connection;
    this.server = server;
    this.delivery = new Delivery(this);
    this.outbox = new Outbox(this);
  }

  // From the accept to the opening.

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
    if (this.outbox.maxSendSize === UNSET) this.outbox.maxSendSize = host.maxSendSize;
    this.#tuning?.attach();
    checkEvents(this.delivery.handlers, host.transport);
  }

  /** Sets handlers, all or none. */
  on(handlers: ConnectionHandlers<unknown>): void {
    const read = readHandlers(handlers);
    if (this.attached) checkEvents(read, this.host.transport);
    this.delivery.check(read);
    Object.assign(this.delivery.handlers, read);
    this.delivery.claim();
  }

  /** What may be set on this connection; most are left as they are. */
  get tuning(): Tuning {
    return this.#tuning ??= new Tuning(this);
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
    return this.knownHandshake ??= new Handshake(
      new HandshakeRequest(this.head, this.secure, incomingOf(this.native), this.remote),
      () => this.state === "ready",
    );
  }

  /** The opening handshake is done. */
  open(channel: Channel): void {
    this.live = channel;
    if (this.aborted) {
      // It was told to end between the answer and now.
      channel.terminate();
      return;
    }
    this.state = "ready";
    this.outbox.channel = channel;
    this.#peer = null;
    if (this.#tuning === null) {
      channel.maxRecvSize = this.host.maxRecvSize;
      channel.compressionThreshold = this.host.compressionThreshold;
    } else {
      this.#tuning.apply(channel);
    }
    this.host.opened(this.connection);
    this.delivery.open(channel);
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

  // Ending.

  /** Aborts when nothing can be sent any more. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.state === "disconnecting" || this.state === "disconnected") this.#abort();
    return this.#controller.signal;
  }

  #abort(): void {
    if (this.#controller?.signal.aborted !== false) return;
    this.#controller.abort(
      new WebSocketError("ERR_CLOSED", "Cannot go on: the connection has ended"),
    );
  }

  disconnect(code: number | undefined, reason: string): void {
    closePayload(code, reason);
    if (this.state === "connecting") {
      this.state = "disconnecting";
      this.#peer?.destroy();
      return;
    }
    this.host.left?.(this.connection);
    this.outbox.channel?.close(code, reason);
    // Whoever ends a connection wants no more of it.
    this.delivery.drop();
  }

  terminate(): void {
    if (this.state === "connecting") {
      this.disconnect(undefined, "");
      return;
    }
    this.host.left?.(this.connection);
    this.live?.terminate();
    this.delivery.drop();
  }

  /** Drops the connection and counts it as gone, also where the runtime would tell of that later. */
  abandon(): void {
    this.terminate();
    if (this.ended === null) this.close(CloseCode.ABNORMAL_CLOSURE, "");
    else this.expired();
  }

  /** Sends a ping to hear whether the peer is there, where that can be done. */
  probe(): void {
    if (this.host.transport.capabilities.ping) this.outbox.sendControl("ping", NO_BYTES);
  }

  // What the channel tells.

  drain(): void {
    const told = this.outbox.drained();
    // Before a handler can fill what has become free, or publications that wait might do so for ever.
    this.subscriptions?.flush();
    if (told) this.delivery.call(this.delivery.handlers.drain);
  }

  failed(error: Error): void {
    // With this code it is our own side that failed, as when an extension threw.
    const code = !(error instanceof ProtocolError)
      ? "ERR_STATE"
      : error.closeCode === CloseCode.INTERNAL_ERROR
      ? "ERR_HANDLER"
      : "ERR_PROTOCOL";
    this.report(new WebSocketError(code, error.message, error));
  }

  closing(): void {
    if (this.state === "ready") {
      this.state = "disconnecting";
      if (this.delivery.waits) this.#startDeadline();
    }
    this.outbox.channel = null;
    // From here on nothing is sent, so that positions must not move on.
    this.subscriptions?.end(this.error?.code === "ERR_TOO_SLOW");
    this.#abort();
  }

  close(code: number, reason: string): void {
    if (this.ended !== null) return;
    this.ended = [code, reason];
    this.closing();
    this.live = null;
    // Nothing goes out any more, whatever is still to be told of.
    this.outbox.end();
    this.streams?.end();
    if (!this.delivery.waits) {
      this.#finish(this.ended);
      return;
    }
    this.delivery.close();
    if (this.#late) this.expired();
    else if (this.#deadline === 0) this.#startDeadline();
  }

  /** What waits may do so for `closeTimeout`, from the first sign of the end on. */
  #startDeadline(): void {
    startDeadline(this, this.#deadline = this.host.closeTimeout);
  }

  // What topics ask for.

  /** How many bytes wait to be taken by the operating system. */
  get bufferedAmount(): number {
    return this.outbox.channel?.bufferedAmount ?? 0;
  }

  /** Over so many waiting bytes it counts as slow. */
  get highWaterMark(): number {
    return this.host.highWaterMark;
  }

  /** Sends a publication. */
  deliver(message: SharedMessage): void {
    this.outbox.sendShared(message);
  }

  /** Asks for one {@linkcode Session.drain}. */
  notifyDrained(): void {
    this.outbox.channel?.notifyDrained();
  }

  /** Publications were lost on the way to this server. */
  interrupted(topic: string, position: Position): void {
    this.delivery.call(this.delivery.handlers.interrupted, topic, position);
  }

  /** More waits for it than may. */
  overflowed(topic: string): void {
    this.outbox.giveUp(`publications to ${JSON.stringify(topic)} with so many keys`);
  }

  slow(dropped: boolean): void {
    this.host.slow(this.connection, dropped);
  }

  // What the delivery tells.

  answerPing(payload: Uint8Array): unknown {
    if (this.host.transport.capabilities.enginePongs) return undefined;
    const answer = this.#tuning === null ? DEFAULT_PONG : this.#tuning.doPong;
    return answer?.(this.connection, payload);
  }

  delivered(): void {
    if (this.ended !== null) this.expired();
  }

  /** What waits is told of, or has waited for too long. */
  expired(): void {
    if (this.ended === null) this.#late = true;
    else if (this.state !== "disconnected") this.#finish(this.ended);
  }

  #finish([code, reason]: End): void {
    this.state = "disconnected";
    if (this.#deadline > 0) cancelDeadline(this, this.#deadline);
    this.live = this.#peer = null;
    this.host.closed(this.connection, code, reason);
    this.delivery.end();
    this.delivery.call(this.delivery.handlers.disconnect, code, reason);
  }

  fail(error: ProtocolError): void {
    this.failed(error);
    this.outbox.channel?.close(error.closeCode, "");
  }

  #isOwn(end: WebSocketError): boolean {
    return end === this.#controller?.signal.reason ||
      this.ended !== null && end === this.streams?.failure;
  }

  report(error: WebSocketError): void {
    // Whoever gives up since the connection has ended has not failed.
    const { cause } = error;
    if (cause instanceof WebSocketError && cause.code === "ERR_CLOSED" && this.#isOwn(cause)) {
      return;
    }
    this.error = error;
    this.host.report(error, this.connection);
  }
}

const NO_EXTENSIONS: readonly string[] = [];
const NOWHERE: Address = { ip: "", port: 0 };
const NO_BYTES = new Uint8Array(0);
