import { checkWellFormed, CloseCode, Opcode, PermessageDeflate } from "../protocol/mod.ts";
import {
  bunApi,
  type BunHttpServer,
  type BunServerWebSocket,
  type BunWebSocketHandlers,
} from "./bun_api.ts";
import { cancelDeadline, type Expiring, startDeadline } from "./deadlines.ts";
import { engineFailure } from "./engine_failure.ts";
import { type Accepted, decide, type Decision } from "./http_upgrade.ts";
import { Inbox } from "./inbox.ts";
import type {
  Address,
  Capabilities,
  Channel,
  ChannelEvents,
  FrameTrace,
  ListeningAddress,
  ListenOptions,
  Opening,
  SharedMessage,
  Transport,
  TransportHost,
  TransportLimits,
} from "./transport.ts";

/** `Bun.serve` with its `websocket` handlers. */
export class BunHttpTransport implements Transport {
  readonly name = "bun_http";
  readonly capabilities: Capabilities = {
    compression: true,
    extensions: false,
    ping: true,
    enginePongs: true,
    pause: true,
    socket: false,
    mount: true,
  };
  readonly #host: TransportHost;
  #server: BunHttpServer<BunHttpChannel> | null = null;
  /** Bun has answered an upgrade by itself, and does not look at what is returned. */
  readonly #upgraded = new Response(null);

  constructor(host: TransportHost) {
    this.#host = host;
  }

  get listener(): unknown {
    return this.#server;
  }

  listen({ hostname = "0.0.0.0", port, tls }: ListenOptions): Promise<ListeningAddress> {
    const server = bunApi().serve({
      hostname,
      port,
      tls: tls && { cert: tls.cert, key: tls.key },
      fetch: (request, server) => this.upgrade(request, server),
      error: (error) => {
        this.#host.report(error);
        return new Response("Internal Server Error\n", { status: 500 });
      },
      websocket: this.websocket,
    });
    this.#server = server;
    return Promise.resolve({
      ip: server.hostname ?? "",
      port: server.port ?? 0,
      secure: tls !== undefined,
    });
  }

  stop(): Promise<void> {
    const stopping = this.#server?.stop(false);
    stopping?.catch((error) => this.#host.report(error));
    this.#server = null;
    return Promise.resolve();
  }

  upgrade(request: Request, info: unknown): Response | Promise<Response> {
    const server = info as BunHttpServer<BunHttpChannel>;
    const address = server.requestIP(request);
    const remote: Address = { ip: address?.address ?? "", port: address?.port ?? 0 };
    const decision = decide(this.#host, request, remote);
    if (decision instanceof Response) return decision;
    return decision instanceof Promise
      ? this.#openLater(request, server, remote, decision)
      : this.#open(request, server, remote, decision);
  }

  async #openLater(
    request: Request,
    server: BunHttpServer<BunHttpChannel>,
    remote: Address,
    decision: Promise<Decision>,
  ): Promise<Response> {
    const decided = await decision;
    return decided instanceof Response ? decided : this.#open(request, server, remote, decided);
  }

  #open(
    request: Request,
    server: BunHttpServer<BunHttpChannel>,
    remote: Address,
    { opening, answer }: Accepted,
  ): Response {
    const { headers } = request;
    // Bun would answer with the client's first offer, and serves the drafts, which are the same on the
    // wire, only by this number.
    if (answer.subprotocol === undefined) headers.delete("sec-websocket-protocol");
    if (answer.extensions.length === 0) headers.delete("sec-websocket-extensions");
    if (headers.get("sec-websocket-version") !== "13") headers.set("sec-websocket-version", "13");
    const data = new BunHttpChannel(opening, this.#host, remote);
    const added = answer.headers.length > 0 ? answer.headers : undefined;
    if (server.upgrade(request, { headers: added, data })) return this.#upgraded;
    opening.failed();
    return new Response("Cannot open a WebSocket\n", { status: 400 });
  }

  get maxPayload(): number {
    return this.#host.limits.maxRecvSize;
  }

  get websocket(): BunWebSocketHandlers<BunHttpChannel> {
    const { limits, extensions } = this.#host;
    const deflate = extensions.find((it) => it instanceof PermessageDeflate);
    const window = deflate?.options.contextTakeover ? "dedicated" : "shared";
    return {
      maxPayloadLength: this.maxPayload,
      // Ours to act on; the engine's own limit only has to lie beyond it.
      backpressureLimit: Math.min(limits.maxBufferedAmount * 2, 0x7fffffff),
      closeOnBackpressureLimit: false,
      idleTimeout: 0,
      sendPings: false,
      perMessageDeflate: deflate === undefined ? false : { compress: window, decompress: window },
      open: (socket) => socket.data.open(socket),
      message: (socket, message) => socket.data.message(message),
      ping: (socket, payload) => socket.data.pinged(payload),
      pong: (socket, payload) => socket.data.ponged(payload),
      drain: (socket) => socket.data.drained(),
      close: (socket, code, reason) => socket.data.closed(code, reason),
    };
  }
}

class BunHttpChannel implements Channel, Expiring {
  heard = true;
  compressionThreshold: number;
  maxRecvSize: number;
  // Set until the engine says that the handshake is done.
  #opening: Opening | null;
  readonly #events: ChannelEvents;
  readonly #limits: TransportLimits;
  readonly #remote: Address;
  readonly #trace: FrameTrace | null;
  readonly #compresses: boolean;
  readonly #inbox: Inbox;
  #socket!: BunServerWebSocket<BunHttpChannel>;
  #ended = false;
  #closing = false;
  #drainWanted = false;
  // What the Close frame is to hold that goes out when nothing waits before it.
  #pendingClose: readonly [code: number, reason: string] | null = null;
  #deadline = 0;

  constructor(opening: Opening, host: TransportHost, remote: Address) {
    const { limits, trace, extensions } = host;
    this.#opening = opening;
    this.#events = opening.events;
    this.#limits = limits;
    this.#remote = remote;
    this.#trace = trace;
    this.#compresses = extensions.length > 0;
    this.#inbox = new Inbox(opening.events, limits);
    this.compressionThreshold = limits.compressionThreshold;
    this.maxRecvSize = limits.maxRecvSize;
  }

  // What Bun tells.

  open(socket: BunServerWebSocket<BunHttpChannel>): void {
    this.#socket = socket;
    // A Buffer would do much that a Uint8Array does not, and making one of the other is not cheap.
    socket.binaryType = "uint8array";
    const opening = this.#opening;
    this.#opening = null;
    opening?.opened(this);
  }

  message(message: string | Uint8Array): void {
    this.heard = true;
    if (this.#trace !== null) this.#traceMessage("<", message);
    if (this.#closing) return;
    const failure = this.#inbox.take(message, this.maxRecvSize);
    if (failure !== undefined) {
      this.#events.error(failure);
      this.close(failure.closeCode, "");
    } else if (!this.#inbox.empty) this.#socket.pause();
  }

  pinged(payload: Uint8Array): void {
    this.heard = true;
    this.#trace?.(this.#remote, "<", Opcode.PING, payload.length, payload);
    if (!this.#closing) this.#events.ping(new Uint8Array(payload));
  }

  ponged(payload: Uint8Array): void {
    this.heard = true;
    this.#trace?.(this.#remote, "<", Opcode.PONG, payload.length, payload);
    if (!this.#closing) this.#events.pong(new Uint8Array(payload));
  }

  drained(): void {
    if (this.bufferedAmount > 0) return;
    if (this.#pendingClose !== null) this.#sendClose();
    if (!this.#drainWanted) return;
    this.#drainWanted = false;
    this.#events.drain();
  }

  closed(code: number, reason: string): void {
    if (this.#ended) return;
    const lost = code === CloseCode.ABNORMAL_CLOSURE;
    // With this code only the engine itself gives a reason.
    if (lost && reason !== "" && !this.#closing) this.#events.error(engineFailure(reason));
    if (!this.#closing) this.#events.closing();
    this.#ended = true;
    this.#closing = true;
    if (this.#deadline > 0) cancelDeadline(this, this.#deadline);
    this.#inbox.end(() => this.#events.close(code, lost ? "" : reason));
  }

  // What the connection asks for.

  get native(): unknown {
    return this.#socket;
  }

  get bufferedAmount(): number {
    return this.#ended ? 0 : this.#socket.getBufferedAmount();
  }

  sendText(data: string): number {
    checkWellFormed(data);
    if (this.#trace !== null) this.#traceMessage(">", data);
    const compress = this.#compresses && data.length >= this.compressionThreshold;
    // Above 0 it has all been taken; asking for the amount each time would cost more than sending.
    return this.#socket.sendText(data, compress) > 0 ? 0 : this.bufferedAmount;
  }

  sendBinary(data: Uint8Array): number {
    if (this.#trace !== null) this.#traceMessage(">", data);
    const compress = this.#compresses && data.length >= this.compressionThreshold;
    return this.#socket.sendBinary(data, compress) > 0 ? 0 : this.bufferedAmount;
  }

  sendShared({ data }: SharedMessage): number {
    return typeof data === "string" ? this.sendText(data) : this.sendBinary(data);
  }

  ping(payload: Uint8Array): void {
    this.#trace?.(this.#remote, ">", Opcode.PING, payload.length, payload);
    this.#socket.ping(payload);
  }

  pong(payload: Uint8Array): void {
    this.#trace?.(this.#remote, ">", Opcode.PONG, payload.length, payload);
    this.#socket.pong(payload);
  }

  close(code: number | undefined, reason: string): void {
    if (this.#closing || this.#ended) return;
    this.#closing = true;
    this.#inbox.clear();
    this.#events.closing();
    // While paused, it would not read the peer's answer.
    this.#socket.resume();
    // Left out, Bun would send 1000.
    this.#pendingClose = [code ?? CloseCode.NO_STATUS_RECEIVED, reason];
    // Bun tells of the end at once, though megabytes may wait, and the process may end then.
    if (this.bufferedAmount === 0) this.#sendClose();
    if (!this.#ended) {
      startDeadline(this, this.#deadline = this.#limits.closeTimeout);
    }
  }

  #sendClose(): void {
    const [code, reason] = this.#pendingClose!;
    this.#pendingClose = null;
    this.#socket.close(code, reason);
  }

  expired(): void {
    this.terminate();
  }

  terminate(): void {
    this.#inbox.clear();
    if (this.#ended) return;
    this.#socket.terminate();
    this.closed(1006, "");
  }

  pause(): void {
    this.#inbox.pause();
  }

  resume(): void {
    const held = !this.#inbox.empty;
    this.#inbox.resume();
    if (held && this.#inbox.empty && !this.#ended) this.#socket.resume();
  }

  notifyDrained(): void {
    this.#drainWanted = true;
  }

  setNoDelay(): void {
    // It is on, and the connection does not ask to have it off here.
  }

  #traceMessage(direction: "<" | ">", data: string | Uint8Array): void {
    const opcode = typeof data === "string" ? Opcode.TEXT : Opcode.BINARY;
    this.#trace!(this.#remote, direction, opcode, data.length, data);
  }
}
