import { Buffer } from "node:buffer";
import {
  CloseCode,
  closePayload,
  MAX_CLOSE_REASON,
  type NegotiatedExtension,
  Opcode,
  OutputQueue,
  ProtocolError,
  Receiver,
  type ReceiverEvents,
  Sender,
} from "../protocol/mod.ts";
import type { ByteSink, ByteSocket } from "./byte_socket.ts";
import { ControlFrameRate } from "./control_frame_rate.ts";
import { cancelDeadline, type Expiring, startDeadline } from "./deadlines.ts";
import { scheduleFlush } from "./flush.ts";
import { Lingering } from "./lingering.ts";
import { FRAMES_A_TURN, Turn } from "./turn.ts";
import type {
  Channel,
  ChannelEvents,
  FrameTrace,
  Opening,
  SharedMessage,
  TransportHost,
  TransportLimits,
} from "./transport.ts";

/** From here on what is corked is written even before the read under way has been dealt with. */
const CORK_LIMIT = 64 * 1024;

/** How far a connection has come; the order counts. */
const State = {
  OPEN: 0,
  /** This side has sent its Close frame and waits for the peer's. */
  CLOSING: 1,
  /** Close frames are done with; the socket is about to go. */
  ENDING: 2,
  CLOSED: 3,
} as const;
type State = (typeof State)[keyof typeof State];

/** A channel made of the protocol core over a byte socket. */
export class FrameChannel implements Channel, ByteSink, ReceiverEvents, Expiring {
  heard = true;
  readonly #socket: ByteSocket;
  readonly #events: ChannelEvents;
  readonly #limits: TransportLimits;
  readonly #extensions: readonly NegotiatedExtension[];
  readonly #trace: FrameTrace | null;
  readonly #output = new OutputQueue();
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  // Made when it is first needed.
  #turn: Turn | null = null;
  #paused = false;
  #state: State = State.OPEN;
  #corked = false;
  #writing = false;
  #flushDue = false;
  #drainWanted = false;
  // Set when reading waits for what has been written to be taken.
  #blocked = false;
  // Set when the socket waits for resume() to read on.
  #stalled = false;
  // Set when nothing is looked at any more, and the socket is about to go.
  #lingering: Lingering | null = null;
  // Set when both sides have sent their Close frames.
  #clean = false;
  #code: number = CloseCode.ABNORMAL_CLOSURE;
  #reason = "";
  #deadline = 0;
  // Made when the first ping or pong comes.
  #controlFrames: ControlFrameRate | null = null;

  constructor(
    socket: ByteSocket,
    events: ChannelEvents,
    host: TransportHost,
    extensions: readonly NegotiatedExtension[],
  ) {
    const { limits } = host;
    this.#socket = socket;
    this.#events = events;
    this.#limits = limits;
    this.#extensions = extensions;
    this.#trace = host.trace;
    this.#sender = new Sender(this.#output, extensions, limits.compressionThreshold);
    this.#receiver = new Receiver(this, {
      maxMessageSize: limits.maxRecvSize,
      maxFragments: limits.maxFragments,
      maxReserve: limits.maxReserve,
      framesPerTurn: FRAMES_A_TURN,
      shareBuffers: socket.sharesBuffers,
      extensions,
    });
  }

  /**
   * Begins, once the connection can hear of events.
   *
   * @param head The response head, which goes out together with the first messages.
   * @param opening Told that the connection is open.
   * @param rest What came behind the request head.
   */
  start(head: Uint8Array, opening: Opening, rest: Uint8Array): boolean {
    this.#corked = true;
    this.#output.push(head);
    opening.opened(this);
    this.#corked = false;
    if (rest.length > 0) return this.data(rest);
    this.#flush();
    return true;
  }

  // What the connection asks for.

  get native(): unknown {
    return this.#socket.native;
  }

  get bufferedAmount(): number {
    return this.#output.length + this.#socket.unwritten;
  }

  get compressionThreshold(): number {
    return this.#sender.threshold;
  }

  set compressionThreshold(bytes: number) {
    this.#sender.threshold = bytes;
  }

  get maxRecvSize(): number {
    return this.#receiver.maxMessageSize;
  }

  set maxRecvSize(bytes: number) {
    this.#receiver.maxMessageSize = bytes;
  }

  sendText(data: string): number {
    this.#sender.text(data);
    if (this.#trace !== null) this.#traceSent(Opcode.TEXT, data);
    return this.#queued();
  }

  sendBinary(data: Uint8Array): number {
    this.#sender.binary(data);
    if (this.#trace !== null) this.#traceSent(Opcode.BINARY, data);
    return this.#queued();
  }

  sendShared(message: SharedMessage): number {
    const { data } = message;
    if (this.#extensions.length > 0 && data.length >= this.#sender.threshold / 3) {
      return typeof data === "string" ? this.sendText(data) : this.sendBinary(data);
    }
    const frame = message.frame();
    if (this.#trace !== null) {
      this.#traceSent(typeof data === "string" ? Opcode.TEXT : Opcode.BINARY, data);
    }
    this.#output.push(frame);
    return this.#queued();
  }

  ping(payload: Uint8Array): void {
    this.#control(Opcode.PING, payload);
  }

  pong(payload: Uint8Array): void {
    this.#control(Opcode.PONG, payload);
  }

  close(code: number | undefined, reason: string): void {
    if (this.#state !== State.OPEN) return;
    this.#control(Opcode.CLOSE, closePayload(code, reason));
    this.#state = State.CLOSING;
    this.#events.closing();
    // Megabytes may lie between here and the peer's answer, and nobody wants them any more.
    this.#receiver.ignoreMessages();
    // A receiver that waits for a slow handler would never see the peer's answer.
    this.resume();
    this.#startTimer();
  }

  terminate(): void {
    if (this.#state === State.CLOSED) return;
    this.#socket.destroy();
  }

  pause(): void {
    if (this.#state !== State.OPEN) return;
    this.#paused = true;
    this.#receiver.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#turn?.resting) return;
    this.#cork(() => this.#receiver.resume());
    this.#readOn();
  }

  /** Apart from where it is used, so that a message does not pay for the scope of the function. */
  #takeTurns(): Turn {
    return this.#turn ??= new Turn(() => {
      if (!this.#paused && this.#state !== State.CLOSED) this.resume();
    });
  }

  notifyDrained(): void {
    this.#drainWanted = true;
  }

  setNoDelay(on: boolean): void {
    this.#socket.setNoDelay(on);
  }

  // What the socket tells.

  data(chunk: Uint8Array): boolean {
    if (this.#lingering !== null) {
      this.#lingering.take(chunk.length);
      return true;
    }
    this.heard = true;
    this.#corked = true;
    this.#turn?.begin();
    this.#receiver.push(chunk);
    this.#corked = false;
    if (!this.#writing) this.#flush();
    if (this.bufferedAmount > this.#limits.highWaterMark) this.#blocked = true;
    this.#stalled = this.#blocked || !this.#receiver.idle;
    return !this.#stalled;
  }

  written(): void {
    this.#writing = false;
    this.#output.done();
    this.#flush();
  }

  end(): void {
    // The peer's closing handshake would have come before: whatever is left cannot be completed.
    this.#socket.destroy();
  }

  closed(): void {
    if (this.#state === State.CLOSED) return;
    if (this.#state === State.OPEN) this.#events.closing();
    this.#state = State.CLOSED;
    if (this.#deadline > 0) cancelDeadline(this, this.#deadline);
    this.#receiver.end();
    this.#output.clear();
    for (const { session } of this.#extensions) session.close?.();
    this.#events.close(this.#code, this.#reason);
  }

  // What the receiver tells.

  onText(data: string): void {
    if (this.#trace !== null) this.#traceReceived(Opcode.TEXT, data);
    if (this.#extensions.length > 0) this.#inflated(data.length);
    if (this.#state === State.OPEN) this.#events.text(data);
  }

  onBinary(data: Uint8Array): void {
    if (this.#trace !== null) this.#traceReceived(Opcode.BINARY, data);
    if (this.#extensions.length > 0) this.#inflated(data.length);
    if (this.#state === State.OPEN) this.#events.binary(data);
  }

  /** A message may have been inflated. */
  #inflated(size: number): void {
    const turn = this.#turn ?? this.#takeTurns();
    if (turn.inflated(size)) this.#receiver.pause();
  }

  /** Of what has come there is more than is looked at in one turn. */
  onTurnEnd(): void {
    this.#takeTurns().end();
  }

  /** A Ping of the peer's; the connection answers it. */
  onPing(payload: Uint8Array): void {
    if (this.#trace !== null) this.#traceReceived(Opcode.PING, payload);
    if (this.#countControlFrame() && this.#state === State.OPEN) this.#events.ping(payload);
  }

  onPong(payload: Uint8Array): void {
    if (this.#trace !== null) this.#traceReceived(Opcode.PONG, payload);
    if (this.#countControlFrame() && this.#state === State.OPEN) this.#events.pong(payload);
  }

  onClose(code: number, reason: string): void {
    if (this.#trace !== null) this.#traceReceived(Opcode.CLOSE, `${code} ${reason}`);
    this.#code = code;
    this.#reason = reason;
    if (this.#state === State.OPEN) {
      this.#control(
        Opcode.CLOSE,
        closePayload(code === CloseCode.NO_STATUS_RECEIVED ? undefined : code),
      );
      this.#events.closing();
    }
    this.#clean = true;
    this.#finish();
  }

  onFailure(error: ProtocolError): void {
    if (this.#state === State.OPEN) {
      const { message } = error;
      const fits = message.isWellFormed() && Buffer.byteLength(message) <= MAX_CLOSE_REASON;
      this.#control(Opcode.CLOSE, closePayload(error.closeCode, fits ? message : ""));
      this.#events.closing();
    }
    this.#events.error(error);
    this.#finish();
  }

  #countControlFrame(): boolean {
    const { maxControlFrames } = this.#limits;
    this.#controlFrames ??= new ControlFrameRate();
    if (this.#controlFrames.take(maxControlFrames)) return true;
    if (this.#state !== State.OPEN) return false;
    this.#receiver.end();
    this.onFailure(
      new ProtocolError(
        CloseCode.POLICY_VIOLATION,
        `Cannot take over ${maxControlFrames} pings and pongs a second`,
        "maxControlFrames",
      ),
    );
    return false;
  }

  // Writing.

  #control(opcode: Opcode, payload: Uint8Array): void {
    if (this.#state !== State.OPEN) return;
    this.#sender.control(opcode, payload);
    if (this.#trace !== null) this.#traceSent(opcode, payload);
    this.#queued();
  }

  #cork(act: () => void): void {
    const corked = this.#corked;
    this.#corked = true;
    act();
    this.#corked = corked;
    if (!corked) this.#flush();
  }

  /** Sees to it that what has just been queued goes out. */
  #queued(): number {
    const { length } = this.#output;
    if (!this.#corked) this.#flushLater();
    else if (length >= CORK_LIMIT) this.#flush();
    else return this.#writing ? length + this.#socket.unwritten : length;
    return this.bufferedAmount;
  }

  #flushLater(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    scheduleFlush(this);
  }

  /** Writes what waits, at the end of the turn. */
  flush(): void {
    this.#flushDue = false;
    if (this.#state !== State.CLOSED) this.#flush();
  }

  #flush(): void {
    const output = this.#output;
    while (!this.#writing) {
      const piece = output.next();
      if (piece === undefined) {
        this.#allWritten();
        return;
      }
      this.#write(piece);
    }
  }

  #write(piece: Uint8Array): void {
    if (this.#socket.write(piece)) this.#output.done();
    else this.#writing = true;
  }

  #allWritten(): void {
    if (this.#state === State.ENDING) this.#endSocket();
    if (this.#drainWanted) {
      this.#drainWanted = false;
      this.#events.drain();
    }
    if (this.#blocked) {
      this.#blocked = false;
      this.#readOn();
    }
  }

  #readOn(): void {
    if (!this.#stalled || this.#blocked || !this.#receiver.idle) return;
    this.#stalled = false;
    this.#socket.resume();
  }

  // Ending.

  /** Close frames are done with: RFC 6455 §7.1.1 wants the server to close the TCP connection first. */
  #finish(): void {
    if (this.#state >= State.ENDING) return;
    this.#state = State.ENDING;
    this.#lingering = new Lingering(this.#socket);
    this.#receiver.end();
    this.#startTimer();
    if (!this.#corked) this.#flush();
    this.#blocked = false;
    this.#readOn();
  }

  /**
   * After a clean handshake nothing can come any more. A peer that was failed may be in the midst of
   * sending: what still comes is read and dropped until it has closed too, since closing with unread
   * bytes would reset the connection and could take our last frame with it.
   */
  #endSocket(): void {
    if (this.#clean) this.#socket.end();
    else this.#socket.closeWrite();
  }

  #startTimer(): void {
    if (this.#deadline > 0) cancelDeadline(this, this.#deadline);
    this.#deadline = this.#limits.closeTimeout;
    startDeadline(this, this.#deadline);
  }

  expired(): void {
    this.terminate();
  }

  #traceSent(opcode: number, payload: string | Uint8Array): void {
    this.#trace!(this.#socket.remote, ">", opcode, payload.length, payload);
  }

  #traceReceived(opcode: number, payload: string | Uint8Array): void {
    this.#trace!(this.#socket.remote, "<", opcode, payload.length, payload);
  }
}
