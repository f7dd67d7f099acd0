import { checkWellFormed, Opcode } from "../protocol/mod.ts";
import { cancelDeadline, type Expiring, startDeadline } from "./deadlines.ts";
import { ACCEPT_RETRY_MS, acceptFailure } from "./accept_failure.ts";
import { denoApi, type DenoHttpServer, type DenoServeInfo } from "./deno_api.ts";
import { addressOf } from "./deno_tcp.ts";
import { engineFailure } from "./engine_failure.ts";
import { type Accepted, decide, type Decision } from "./http_upgrade.ts";
import { Inbox } from "./inbox.ts";
import { unsupported } from "./unsupported.ts";
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

/** `Deno.serve` with `Deno.upgradeWebSocket`. */
export class DenoHttpTransport implements Transport {
  readonly name = "deno_http";
  readonly capabilities: Capabilities = {
    compression: false,
    extensions: false,
    ping: false,
    enginePongs: true,
    pause: false,
    socket: false,
    mount: true,
  };
  readonly #host: TransportHost;
  #server: DenoHttpServer | null = null;
  #stopped = false;

  constructor(host: TransportHost) {
    this.#host = host;
  }

  get listener(): unknown {
    return this.#server;
  }

  listen(options: ListenOptions): Promise<ListeningAddress> {
    const { addr } = this.#serve(options);
    return Promise.resolve({ ...addressOf(addr), secure: options.tls !== undefined });
  }

  #serve(options: ListenOptions): DenoHttpServer {
    const { hostname, port, tls } = options;
    const server = denoApi().serve(
      {
        hostname,
        port,
        ...tls,
        onListen: () => {},
        onError: (error) => {
          this.#host.report(error);
          return new Response("Internal Server Error\n", { status: 500 });
        },
      },
      (request, info) => this.#stopped ? unavailable() : this.upgrade(request, info),
    );
    this.#server = server;
    server.finished.catch((error) => {
      if (this.#stopped) return;
      this.#host.report(acceptFailure(error));
      void this.#serveAgain({ ...options, port: addressOf(server.addr).port });
    });
    return server;
  }

  /** Deno's server is done for once it could not accept a connection; its WebSockets live on. */
  async #serveAgain(options: ListenOptions): Promise<void> {
    for (let serving = false; !serving && !this.#stopped;) {
      await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      try {
        if (!this.#stopped) this.#serve(options);
        serving = true;
      } catch {
        // Reported before; it fails for as long as what made accepting fail does.
      }
    }
  }

  stop(): Promise<void> {
    // Deno's own shutdown would end the WebSockets too, before the server has taken leave of them.
    this.#stopped = true;
    return Promise.resolve();
  }

  async end(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    try {
      await server?.shutdown();
    } catch (error) {
      this.#host.report(error);
    }
  }

  upgrade(request: Request, info: unknown): Response | Promise<Response> {
    const { remoteAddr, completed } = info as DenoServeInfo;
    const remote = addressOf(remoteAddr);
    const decision = decide(this.#host, request, remote);
    if (decision instanceof Response) return decision;
    return decision instanceof Promise
      ? this.#openLater(request, completed, remote, decision)
      : this.#open(request, completed, remote, decision);
  }

  async #openLater(
    request: Request,
    completed: Promise<void> | undefined,
    remote: Address,
    decision: Promise<Decision>,
  ): Promise<Response> {
    const decided = await decision;
    return decided instanceof Response ? decided : this.#open(request, completed, remote, decided);
  }

  #open(
    request: Request,
    completed: Promise<void> | undefined,
    remote: Address,
    { opening, answer }: Accepted,
  ): Response {
    try {
      const { socket, response } = denoApi().upgradeWebSocket(request, {
        idleTimeout: this.#host.limits.silenceMax,
      });
      // The subprotocol too: Deno's own option for it fails when an offer has no blank after the comma.
      for (const [name, value] of answer.headers) response.headers.append(name, value);
      const channel = new DenoHttpChannel(socket, opening, this.#host, remote);
      const answered = () => channel.answered();
      completed?.then(answered, answered);
      return response;
    } catch (error) {
      opening.failed();
      this.#host.report(error);
      return new Response("Cannot open a WebSocket\n", { status: 400 });
    }
  }
}

function unavailable(): Response {
  return new Response("Cannot serve requests any more: shutting down\n", { status: 503 });
}

/** How long after its response a WebSocket that is ever to open may take: it does so at once. */
const OPENING_SECONDS = 2;

/** How often the amount that waits is looked at while somebody wants to know when it is gone. */
const DRAIN_POLL_MS = 10;

/** How the engine words that a peer is gone, which is nobody's error. */
const LOSS = /unexpected eof|os error|close_notify|no response from ping/i;

/** What an engine's WebSocket tells of. */
const EVENTS = ["open", "message", "close", "error"] as const;

/** Listens to its WebSocket as an object: a function for each event would take 3 KB a connection. */
class DenoHttpChannel implements Channel, Expiring, EventListenerObject {
  heard = true;
  compressionThreshold = Infinity;
  maxRecvSize: number;
  readonly #socket: WebSocket;
  readonly #events: ChannelEvents;
  readonly #limits: TransportLimits;
  readonly #remote: Address;
  readonly #trace: FrameTrace | null;
  readonly #inbox: Inbox;
  #ended = false;
  #closing = false;
  #draining: ReturnType<typeof setInterval> | undefined;
  // Set until the engine says that the handshake is done.
  #opening: Opening | null;
  #deadline = 0;

  constructor(socket: WebSocket, opening: Opening, host: TransportHost, remote: Address) {
    const { limits } = host;
    this.#socket = socket;
    this.#opening = opening;
    this.#events = opening.events;
    this.#limits = limits;
    this.#remote = remote;
    this.#trace = host.trace;
    this.#inbox = new Inbox(opening.events, limits);
    this.maxRecvSize = limits.maxRecvSize;
    socket.binaryType = "arraybuffer";
    // Of a peer that goes before it has the response, the engine tells nothing at all.
    startDeadline(this, this.#deadline = limits.handshakeTimeout);
    for (const name of EVENTS) socket.addEventListener(name, this);
  }

  handleEvent(event: Event): void {
    switch (event.type) {
      case "message":
        this.#message((event as MessageEvent<string | ArrayBuffer>).data);
        break;
      case "open":
        this.#opened();
        break;
      case "close": {
        const { code, reason, wasClean } = event as CloseEvent;
        // Without a closing handshake the code is the engine's own: 0, or 1001 when the peer was silent.
        this.#end(wasClean ? code : 1006, wasClean ? reason : "");
        break;
      }
      case "error": {
        const { message } = event as ErrorEvent;
        if (this.#opening !== null || this.#ended || LOSS.test(message)) return;
        this.#events.error(engineFailure(message));
      }
    }
  }

  /** The response has gone out, or cannot. */
  answered(): void {
    if (this.#opening === null || this.#ended) return;
    cancelDeadline(this, this.#deadline);
    startDeadline(this, this.#deadline = Math.min(OPENING_SECONDS, this.#deadline));
  }

  #opened(): void {
    cancelDeadline(this, this.#deadline);
    this.#socket.removeEventListener("open", this);
    const opening = this.#opening;
    this.#opening = null;
    opening?.opened(this);
  }

  expired(): void {
    if (this.#opening === null) this.terminate();
    else this.#end(1006, "");
  }

  #message(data: string | ArrayBuffer): void {
    this.heard = true;
    if (this.#closing) return;
    const message = typeof data === "string" ? data : new Uint8Array(data);
    if (this.#trace !== null) this.#traceMessage("<", message);
    const failure = this.#inbox.take(message, this.maxRecvSize);
    if (failure === undefined) return;
    this.#events.error(failure);
    this.close(failure.closeCode, "");
  }

  get native(): unknown {
    return this.#socket;
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  sendText(data: string): number {
    checkWellFormed(data);
    if (this.#trace !== null) this.#traceMessage(">", data);
    this.#socket.send(data);
    return this.#socket.bufferedAmount;
  }

  sendBinary(data: Uint8Array): number {
    if (this.#trace !== null) this.#traceMessage(">", data);
    this.#socket.send(data as Uint8Array<ArrayBuffer>);
    return this.#socket.bufferedAmount;
  }

  sendShared({ data }: SharedMessage): number {
    return typeof data === "string" ? this.sendText(data) : this.sendBinary(data);
  }

  ping(): void {
    throw unsupported("send a ping", "deno_http", "its engine pings by itself");
  }

  pong(): void {
    throw unsupported("send a pong", "deno_http", "its engine answers pings by itself");
  }

  close(code: number | undefined, reason: string): void {
    if (this.#closing || this.#ended) return;
    this.#closing = true;
    this.#inbox.clear();
    this.#events.closing();
    this.#socket.close(code, reason);
    startDeadline(this, this.#deadline = this.#limits.closeTimeout);
  }

  terminate(): void {
    this.#inbox.clear();
    if (this.#ended) return;
    // Deno has no way to drop the TCP connection; the engine does when its own time is up.
    if (!this.#closing) this.#socket.close();
    this.#end(1006, "");
  }

  pause(): void {
    this.#inbox.pause();
  }

  resume(): void {
    this.#inbox.resume();
  }

  notifyDrained(): void {
    this.#draining ??= setInterval(() => {
      if (this.bufferedAmount > 0) return;
      this.#stopDraining();
      this.#events.drain();
    }, DRAIN_POLL_MS);
  }

  setNoDelay(): void {
    // It is on, and the connection does not ask to have it off here.
  }

  #traceMessage(direction: "<" | ">", data: string | Uint8Array): void {
    const opcode = typeof data === "string" ? Opcode.TEXT : Opcode.BINARY;
    this.#trace!(this.#remote, direction, opcode, data.length, data);
  }

  #stopDraining(): void {
    clearInterval(this.#draining);
    this.#draining = undefined;
  }

  #end(code: number, reason: string): void {
    if (this.#ended) return;
    if (!this.#closing) this.#events.closing();
    this.#ended = true;
    this.#closing = true;
    cancelDeadline(this, this.#deadline);
    this.#stopDraining();
    this.#letGo();
    this.#inbox.end(() => this.#events.close(code, reason));
  }

  /** Deno keeps the WebSocket of a peer that was lost, for ever: it must not keep a connection too. */
  #letGo(): void {
    const socket = this.#socket;
    for (const name of EVENTS) socket.removeEventListener(name, this);
    if (this.#opening !== null) socket.onopen = () => socket.close();
  }
}
