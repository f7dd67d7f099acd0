import { setImmediate } from "node:timers";
import { checkWellFormed, CloseCode, frameHeaderLength, Opcode } from "../../protocol/mod.ts";
import type { BunServerWebSocket } from "../bun_api.ts";
import type { Channel, LifeListener, MessageListener, SharedMessage } from "../channel.ts";
import { cancelDeadline, type Expiring, startDeadline } from "../deadlines.ts";
import { FlushLater } from "../flush.ts";
import type { Address, ChannelHost, FrameTrace, Opening, TransportHost } from "../transport.ts";
import { engineFailure } from "./engine_failure.ts";
import { messageTooBig, sizeOf } from "./message_size.ts";

/** With so many bytes, messages that others are sent too are not held back any longer. */
const MOST_HELD = 64 * 1024;
/** Stands for no messages, so that an idle connection holds no array. */
const NONE: SharedMessage[] = [];
/** What is held goes out once everything has been looked at that had come. */
const turnEnd = new FlushLater(setImmediate);

/**
 * A WebSocket of `Bun.serve`. Outside of its own message handler, the engine writes each message to the
 * operating system by itself, which costs more than all else. So messages that others are sent too, as in
 * a busy room, are held until the end of the turn, and go out together. Whatever else is sent goes out
 * behind them.
 */
export class BunHttpChannel implements Channel, Expiring {
  heard = true;
  compressionThreshold: number;
  maxRecvSize: number;
  // Set until the engine says that the handshake is done.
  #opening: Opening | null;
  readonly #messages: MessageListener;
  readonly #life: LifeListener;
  readonly #host: ChannelHost;
  readonly #remote: Address;
  readonly #trace: FrameTrace | null;
  readonly #compresses: boolean;
  #socket!: BunServerWebSocket<unknown>;
  #ended = false;
  #closing = false;
  #drainWanted = false;
  // Set when the engine has not taken all that it was given.
  #congested = false;
  // What is held until the end of the turn, and how many bytes that is on the wire.
  #held: SharedMessage[] = NONE;
  #heldSize = 0;
  #flushDue = false;
  // What the Close frame is to hold that goes out when nothing waits before it.
  #pendingClose: readonly [code: number, reason: string] | null = null;
  #deadline = 0;

  constructor(opening: Opening, host: TransportHost, remote: Address) {
    const { limits, trace, extensions } = host;
    this.#opening = opening;
    this.#messages = opening.messages;
    this.#life = opening.life;
    this.#host = host;
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
    this.#host.traffic.bytesReceived += sizeOf(message);
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
    if (this.#socket.getBufferedAmount() > 0) return;
    this.#congested = false;
    if (this.#heldSize > 0) return;
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
    this.#held = NONE;
    this.#heldSize = 0;
    if (this.#deadline > 0) cancelDeadline(this, this.#deadline);
    this.#life.close(code, lost ? "" : reason);
  }

  // What the connection asks for.

  get native(): unknown {
    return this.#socket;
  }

  get bufferedAmount(): number {
    return this.#ended ? 0 : this.#socket.getBufferedAmount() + this.#heldSize;
  }

  get progress(): number {
    return -this.bufferedAmount;
  }

  sendText(data: string): number {
    checkWellFormed(data);
    if (this.#trace !== null) this.#traceMessage(">", data);
    if (this.#heldSize > 0) this.#sendHeld();
    return this.#give(data, sizeOf(data));
  }

  sendBinary(data: Uint8Array): number {
    if (this.#trace !== null) this.#traceMessage(">", data);
    if (this.#heldSize > 0) this.#sendHeld();
    return this.#give(data, data.length);
  }

  #give(data: string | Uint8Array, size: number): number {
    this.#host.traffic.bytesSent += size;
    const compress = this.#compresses && size >= this.compressionThreshold;
    const taken = typeof data === "string"
      ? this.#socket.sendText(data, compress)
      : this.#socket.sendBinary(data, compress);
    // Above 0 it has all been taken; asking for the amount each time would cost more than sending.
    if (taken > 0) return 0;
    this.#congested = true;
    return this.bufferedAmount;
  }

  sendShared(message: SharedMessage): number {
    const { data, size } = message;
    if (this.#trace !== null) this.#traceMessage(">", data);
    if (this.#held === NONE) this.#held = [message];
    else this.#held.push(message);
    this.#heldSize += frameHeaderLength(size) + size;
    if (!this.#flushDue) {
      this.#flushDue = true;
      turnEnd.add(this);
    }
    if (this.#heldSize >= MOST_HELD) this.#sendHeld();
    return this.#congested ? this.bufferedAmount : this.#heldSize;
  }

  /** The end of the turn. */
  flush(): void {
    this.#flushDue = false;
    if (this.#ended) return;
    this.#sendHeld();
    // The engine tells only of what it has not taken at once.
    if (this.#drainWanted && !this.#congested) this.drained();
  }

  #sendHeld(): void {
    const held = this.#held;
    this.#held = NONE;
    this.#heldSize = 0;
    if (held.length === 1) this.#give(held[0].data, held[0].size);
    else if (held.length > 0) {
      corked = this;
      corkedMessages = held;
      this.#socket.cork(BunHttpChannel.#giveCorked);
      // What was corked counts as taken until it is written.
      this.#congested = this.#socket.getBufferedAmount() > 0;
    }
  }

  /** Gives the engine all that goes out together; one function for all connections. */
  static #giveCorked(this: void): void {
    const channel = corked!;
    for (const { data, size } of corkedMessages) channel.#give(data, size);
  }

  ping(payload: Uint8Array): void {
    this.#trace?.(this.#remote, ">", Opcode.PING, payload.length, payload);
    if (this.#heldSize > 0) this.#sendHeld();
    this.#socket.ping(payload);
  }

  pong(payload: Uint8Array): void {
    this.#trace?.(this.#remote, ">", Opcode.PONG, payload.length, payload);
    if (this.#heldSize > 0) this.#sendHeld();
    this.#socket.pong(payload);
  }

  close(code: number | undefined, reason: string): void {
    if (this.#closing || this.#ended) return;
    this.#sendHeld();
    this.#closing = true;
    this.#life.closing();
    // While paused, it would not read the peer's answer.
    this.#socket.resume();
    // Left out, Bun would send 1000.
    this.#pendingClose = [code ?? CloseCode.NO_STATUS_RECEIVED, reason];
    // Bun tells of the end at once, though megabytes may wait, and the process may end then.
    if (this.bufferedAmount === 0) this.#sendClose();
    if (!this.#ended) {
      startDeadline(this, this.#deadline = this.#host.limits.closeTimeout);
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

// Whose messages are being given to the engine, corked.
let corked: BunHttpChannel | null = null;
let corkedMessages: SharedMessage[] = NONE;
