import { checkWellFormed, Opcode } from "../../protocol/mod.ts";
import type { Channel, LifeListener, MessageListener, SharedMessage } from "../channel.ts";
import { cancelDeadline, type Expiring, startDeadline } from "../deadlines.ts";
import type { Address, ChannelHost, FrameTrace, Opening, TransportHost } from "../transport.ts";
import { unsupported } from "../unsupported.ts";
import { engineFailure } from "./engine_failure.ts";
import { messageTooBig, sizeOf } from "./message_size.ts";

/** How long after its response a WebSocket that is ever to open may take: it does so at once. */
const OPENING_SECONDS = 2;

/** How often the amount that waits is looked at while somebody wants to know when it is gone. */
const DRAIN_POLL_MS = 10;

/** What an engine's WebSocket tells of. */
const EVENTS = ["open", "message", "close", "error"] as const;

/** Listens to its WebSocket as an object: a function for each event would take 3 KB a connection. */
export class DenoHttpChannel implements Channel, Expiring, EventListenerObject {
  heard = true;
  compressionThreshold = Infinity;
  maxRecvSize: number;
  readonly #socket: WebSocket;
  readonly #messages: MessageListener;
  readonly #life: LifeListener;
  readonly #host: ChannelHost;
  readonly #remote: Address;
  readonly #trace: FrameTrace | null;
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
    this.#messages = opening.messages;
    this.#life = opening.life;
    this.#host = host;
    this.#remote = remote;
    this.#trace = host.trace;
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
        if (this.#opening !== null || this.#ended) return;
        const failure = engineFailure((event as ErrorEvent).message);
        if (failure !== undefined) this.#life.failed(failure);
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
    this.#host.traffic.bytesReceived += sizeOf(message);
    if (this.#trace !== null) this.#traceMessage("<", message);
    const failure = messageTooBig(message, this.maxRecvSize);
    if (failure !== undefined) {
      this.#life.failed(failure);
      this.close(failure.closeCode, "");
    } else if (typeof message === "string") this.#messages.text(message);
    else this.#messages.binary(message);
  }

  get native(): unknown {
    return this.#socket;
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  get progress(): number {
    return -this.#socket.bufferedAmount;
  }

  sendText(data: string): number {
    checkWellFormed(data);
    if (this.#trace !== null) this.#traceMessage(">", data);
    this.#host.traffic.bytesSent += sizeOf(data);
    this.#socket.send(data);
    return this.#socket.bufferedAmount;
  }

  sendBinary(data: Uint8Array): number {
    if (this.#trace !== null) this.#traceMessage(">", data);
    this.#host.traffic.bytesSent += data.length;
    // A WebSocket of the web takes no memory that is shared.
    const own = data.buffer instanceof ArrayBuffer ? data : new Uint8Array(data);
    this.#socket.send(own as Uint8Array<ArrayBuffer>);
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
    this.#life.closing();
    this.#socket.close(code, reason);
    startDeadline(this, this.#deadline = this.#host.limits.closeTimeout);
  }

  terminate(): void {
    if (this.#ended) return;
    // Deno has no way to drop the TCP connection; the engine does when its own time is up.
    if (!this.#closing) this.#socket.close();
    this.#end(1006, "");
  }

  pause(): void {
    // Deno reads on: what has come is bounded by whoever keeps it.
  }

  resume(): void {}

  notifyDrained(): void {
    this.#draining ??= setInterval(() => {
      if (this.bufferedAmount > 0) return;
      this.#stopDraining();
      this.#life.drain();
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
    if (!this.#closing) this.#life.closing();
    this.#ended = true;
    this.#closing = true;
    cancelDeadline(this, this.#deadline);
    this.#stopDraining();
    this.#letGo();
    this.#life.close(code, reason);
  }

  /** Deno keeps the WebSocket of a peer that was lost, for ever: it must not keep a connection too. */
  #letGo(): void {
    const socket = this.#socket;
    for (const name of EVENTS) socket.removeEventListener(name, this);
    if (this.#opening !== null) socket.onopen = () => socket.close();
  }
}
