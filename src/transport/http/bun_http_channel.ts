import { checkWellFormed, CloseCode, Opcode } from "../../protocol/mod.ts";
import type { BunServerWebSocket } from "../bun_api.ts";
import type { Channel, LifeListener, MessageListener, SharedMessage } from "../channel.ts";
import { cancelDeadline, type Expiring, startDeadline } from "../deadlines.ts";
import type { Address, FrameTrace, Opening, TransportHost, TransportLimits } from "../transport.ts";
import { engineFailure } from "./engine_failure.ts";
import { messageTooBig } from "./message_size.ts";

/** A WebSocket of `Bun.serve`. */
export class BunHttpChannel implements Channel, Expiring {
  heard = true;
  compressionThreshold: number;
  maxRecvSize: number;
  // Set until the engine says that the handshake is done.
  #opening: Opening | null;
  readonly #messages: MessageListener;
  readonly #life: LifeListener;
  readonly #limits: TransportLimits;
  readonly #remote: Address;
  readonly #trace: FrameTrace | null;
  readonly #compresses: boolean;
  #socket!: BunServerWebSocket<unknown>;
  #ended = false;
  #closing = false;
  #drainWanted = false;
  // What the Close frame is to hold that goes out when nothing waits before it.
  #pendingClose: readonly [code: number, reason: string] | null = null;
  #deadline = 0;

  constructor(opening: Opening, host: TransportHost, remote: Address) {
    const { limits, trace, extensions } = host;
    this.#opening = opening;
    this.#messages = opening.messages;
    this.#life = opening.life;
    this.#limits = limits;
    this.#remote = remote;
    this.#trace = trace;
    this.#compresses = extensions.length > 0;
    this.compressionThreshold = limits.compressionThreshold;
    this.maxRecvSize = limits.maxRecvSize;
  }

  // What Bun tells.

  /** The handshake is done; `extended` tells whether the engine has the extensions that were agreed on. */
  open(socket: BunServerWebSocket<unknown>, extended: boolean): void {
    this.#socket = socket;
    // A Buffer would do much that a Uint8Array does not, and making one of the other is not cheap.
    socket.binaryType = "uint8array";
    const opening = this.#opening;
    this.#opening = null;
    opening?.opened(this, extended);
  }

  message(message: string | Uint8Array): void {
    this.heard = true;
    if (this.#trace !== null) this.#traceMessage("<", message);
    if (this.#closing) return;
    const failure = messageTooBig(message, this.maxRecvSize);
    if (failure !== undefined) {
      this.#life.failed(failure);
      this.close(failure.closeCode, "");
    } else if (typeof message === "string") this.#messages.text(message);
    else this.#messages.binary(message);
  }

  pinged(payload: Uint8Array): void {
    this.heard = true;
    this.#trace?.(this.#remote, "<", Opcode.PING, payload.length, payload);
    if (!this.#closing) this.#messages.ping(new Uint8Array(payload));
  }

  ponged(payload: Uint8Array): void {
    this.heard = true;
    this.#trace?.(this.#remote, "<", Opcode.PONG, payload.length, payload);
    if (!this.#closing) this.#messages.pong(new Uint8Array(payload));
  }

  drained(): void {
    if (this.bufferedAmount > 0) return;
    if (this.#pendingClose !== null) this.#sendClose();
    if (!this.#drainWanted) return;
    this.#drainWanted = false;
    this.#life.drain();
  }

  closed(code: number, reason: string): void {
    if (this.#ended || this.#opening !== null) return;
    const lost = code === CloseCode.ABNORMAL_CLOSURE;
    // With this code only the engine itself gives a reason.
    const failure = lost && reason !== "" && !this.#closing ? engineFailure(reason) : undefined;
    if (failure !== undefined) this.#life.failed(failure);
    if (!this.#closing) this.#life.closing();
    this.#ended = true;
    this.#closing = true;
    if (this.#deadline > 0) cancelDeadline(this, this.#deadline);
    this.#life.close(code, lost ? "" : reason);
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
    this.#life.closing();
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
    if (this.#ended) return;
    this.#socket.terminate();
    this.closed(1006, "");
  }

  pause(): void {
    if (!this.#ended && !this.#closing) this.#socket.pause();
  }

  resume(): void {
    if (!this.#ended) this.#socket.resume();
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
