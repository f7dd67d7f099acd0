import { Buffer } from "node:buffer";
import {
  CloseCode,
  closePayload,
  MAX_CLOSE_REASON,
  type NegotiatedExtension,
  Opcode,
  ProtocolError,
  Receiver,
  type ReceiverEvents,
  Sender,
} from "../../protocol/mod.ts";
import type {
  Channel,
  ChannelOpening,
  LifeListener,
  MessageListener,
  SharedMessage,
} from "../channel.ts";
import { cancelDeadline, type Expiring, startDeadline } from "../deadlines.ts";
import type { ChannelHost, FrameTrace } from "../transport.ts";
import type { ByteSink, ByteSocket } from "./byte_socket.ts";
import { State } from "./channel_state.ts";
import { ControlFrameRate } from "./control_frame_rate.ts";
import { Lingering } from "./lingering.ts";
import { SocketWriter } from "./socket_writer.ts";
import { FRAMES_A_TURN, Turn } from "./turn.ts";

/** A channel made of the protocol core over a byte socket. */
export class FrameChannel implements Channel, ByteSink, ReceiverEvents, Expiring {
  heard = true;
  readonly #socket: ByteSocket;
  readonly #messages: MessageListener;
  readonly #life: LifeListener;
  readonly host: ChannelHost;
  readonly #extensions: readonly NegotiatedExtension[];
  readonly #trace: FrameTrace | null;
  readonly #writer: SocketWriter;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  // Made when it is first needed.
  #turn: Turn | null = null;
  #paused = false;
  #state: State = State.OPEN;
  // Set until a Close frame has come or gone, or the connection has failed: messages are told of.
  #listening = true;
  #drainWanted = false;
  // Set when reading waits for what has been written to be taken.
  #blocked = false;
  // Set when the socket waits for resume() to read on.
  #stalled = false;
  // Set when nothing is looked at any more, and the socket is about to go.
  #lingering: Lingering | null = null;
  #code: number = CloseCode.ABNORMAL_CLOSURE;
  #reason = "";
  #deadline = 0;
  // Set on a client until the server, which has to do so first, has ended the TCP connection.
  #waitsForEnd: boolean;
  // Set when the end has been told of.
  #ended = false;
  // Made when the first ping or pong comes.
  #controlFrames: ControlFrameRate | null = null;

  constructor(
    socket: ByteSocket,
    opening: ChannelOpening,
    host: ChannelHost & { readonly trace: FrameTrace | null },
    extensions: readonly NegotiatedExtension[],
    client = false,
  ) {
    const { limits } = host;
    this.#socket = socket;
    this.#messages = opening.messages;
    this.#life = opening.life;
    this.host = host;
    this.#extensions = extensions;
    this.#trace = host.trace;
    this.#writer = new SocketWriter(socket, this);
    this.#waitsForEnd = client;
    this.#sender = new Sender(this.#writer.output, extensions, limits.compressionThreshold, client);
    this.#receiver = new Receiver(this, {
      maxMessageSize: limits.maxRecvSize,
      maxFragments: limits.maxFragments,
      maxReserve: limits.maxReserve,
      framesPerTurn: FRAMES_A_TURN,
      shareBuffers: socket.sharesBuffers,
      ownsChunks: socket.givesChunks,
      fromServer: client,
      extensions,
    });
  }

  /** Begins: the response head goes out with the first messages; `rest` is what came behind the head of the peer. */
  start(head: Uint8Array, opening: ChannelOpening, rest: Uint8Array): boolean {
    const writer = this.#writer;
    writer.corked = true;
    if (head.length > 0) writer.output.push(head);
    opening.opened(this);
    writer.corked = false;
    if (rest.length > 0) return this.data(rest);
    writer.flush();
    return true;
  }

  // What the connection asks for.

  get native(): unknown {
    return this.#socket.native;
  }

  get bufferedAmount(): number {
    return this.#writer.unwritten;
  }

  get progress(): number {
    return this.#writer.progress;
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
    return this.#send(Opcode.TEXT, data);
  }

  sendBinary(data: Uint8Array): number {
    return this.#send(Opcode.BINARY, data);
  }

  #send(opcode: Opcode, data: string | Uint8Array): number {
    try {
      if (typeof data === "string") this.#sender.text(data);
      else this.#sender.binary(data);
    } catch (error) {
      return this.#sendFailed(error);
    }
    if (this.#trace !== null) this.#traceFrame(">", opcode, data);
    return this.#writer.queued();
  }

  /** An extension that throws fails the connection; what the caller did wrong is the caller's to hear. */
  #sendFailed(error: unknown): number {
    if (!(error instanceof ProtocolError)) throw error;
    this.#receiver.end();
    this.onFailure(error);
    return this.bufferedAmount;
  }

  sendShared(message: SharedMessage): number {
    const { data } = message;
    const opcode = typeof data === "string" ? Opcode.TEXT : Opcode.BINARY;
    const session = this.#sender.sessionFor(message.size);
    if (session === undefined) return this.#send(opcode, data);
    const frame = message.frame(session);
    if (this.#trace !== null) this.#traceFrame(">", opcode, data);
    this.#writer.output.push(frame);
    return this.#writer.queued(true);
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
    this.#listening = false;
    this.#life.closing();
    // Megabytes may lie between here and the peer's answer, and nobody wants them any more.
    this.#receiver.ignoreMessages();
    // A receiver that waits for a slow handler would never see the peer's answer.
    this.resume();
    this.#startTimer();
  }

  terminate(): void {
    this.#listening = false;
    if (this.#state === State.CLOSED) this.#endIfDone();
    else this.#socket.destroy();
  }

  pause(): void {
    if (!this.#listening) return;
    this.#paused = true;
    this.#receiver.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#turn?.resting) this.#resumeReceiver();
  }

  #resumeReceiver(): void {
    const writer = this.#writer;
    const { corked } = writer;
    writer.corked = true;
    this.#receiver.resume();
    writer.corked = corked;
    if (this.#state === State.CLOSED) {
      this.#endIfDone();
    } else {
      if (!corked) writer.flush();
      this.#readOn();
    }
  }

  /** Apart from where it is used, so that a message does not pay for the scope of the function. */
  #takeTurns(): Turn {
    return this.#turn ??= new Turn(() => {
      if (!this.#paused) this.resume();
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
    this.host.traffic.bytesReceived += chunk.length;
    const writer = this.#writer;
    writer.corked = true;
    this.#turn?.begin();
    this.#receiver.push(chunk);
    writer.corked = false;
    writer.flush();
    if (this.bufferedAmount > this.host.limits.highWaterMark) this.#blocked = true;
    this.#stalled = this.#blocked || !this.#receiver.idle;
    return !this.#stalled;
  }

  written(): void {
    this.#writer.written();
  }

  /** The peer has ended its half of the stream: what was sent to it before still goes out. */
  end(): void {
    this.#waitsForEnd = false;
    if (this.#state < State.ENDING) {
      if (this.#state === State.OPEN) this.#life.closing();
      this.#finish();
    } else if (!this.#writer.busy) {
      this.#socket.end();
    }
  }

  closed(): void {
    if (this.#state === State.CLOSED) return;
    if (this.#state === State.OPEN) this.#life.closing();
    this.#state = State.CLOSED;
    this.#writer.close();
    if (this.#deadline > 0) cancelDeadline(this, this.#deadline);
    // Messages that had come before the socket was lost are told of first, for a while.
    if (!this.#receiver.idle && this.#listening) this.#startTimer();
    this.#endIfDone();
  }

  /** The socket is gone: once all that came has been looked at, so is the channel. */
  #endIfDone(): void {
    if (this.#ended || (this.#listening && !this.#receiver.idle)) return;
    this.#ended = true;
    if (this.#deadline > 0) cancelDeadline(this, this.#deadline);
    this.#receiver.end();
    const failure = this.#sender.close();
    if (failure !== undefined) this.#life.failed(failure);
    this.#life.close(this.#code, this.#reason);
  }

  // What the receiver tells.

  onText(data: string): void {
    if (this.#trace !== null) this.#traceFrame("<", Opcode.TEXT, data);
    if (this.#extensions.length > 0) this.#countInflated(data.length);
    if (this.#listening) this.#messages.text(data);
  }

  onBinary(data: Uint8Array): void {
    if (this.#trace !== null) this.#traceFrame("<", Opcode.BINARY, data);
    if (this.#extensions.length > 0) this.#countInflated(data.length);
    if (this.#listening) this.#messages.binary(data);
  }

  #countInflated(size: number): void {
    if (this.#takeTurns().inflated(size)) this.#receiver.pause();
  }

  /** Of what has come there is more than is looked at in one turn. */
  onTurnEnd(): void {
    this.#takeTurns().end();
  }

  /** A Ping of the peer's; the connection answers it. */
  onPing(payload: Uint8Array): void {
    if (this.#countControlFrame(Opcode.PING, payload)) this.#messages.ping(payload);
  }

  onPong(payload: Uint8Array): void {
    if (this.#countControlFrame(Opcode.PONG, payload)) this.#messages.pong(payload);
  }

  /** Gives whether the frame is to be told of. */
  #countControlFrame(opcode: Opcode, payload: Uint8Array): boolean {
    if (this.#trace !== null) this.#traceFrame("<", opcode, payload);
    if (!this.#listening) return false;
    this.#controlFrames ??= new ControlFrameRate();
    const failure = this.#controlFrames.take(this.host.limits.maxControlFrames);
    if (failure === undefined) return true;
    this.#receiver.end();
    this.onFailure(failure);
    return false;
  }

  onClose(code: number, reason: string): void {
    if (this.#trace !== null) this.#traceFrame("<", Opcode.CLOSE, `${code} ${reason}`);
    this.#code = code;
    this.#reason = reason;
    this.#listening = false;
    if (this.#state === State.OPEN) {
      this.#control(
        Opcode.CLOSE,
        closePayload(code === CloseCode.NO_STATUS_RECEIVED ? undefined : code),
      );
      this.#life.closing();
    }
    this.#finish();
  }

  onFailure(error: ProtocolError): void {
    this.#listening = false;
    if (this.#state === State.OPEN) {
      const { message } = error;
      const fits = message.isWellFormed() && Buffer.byteLength(message) <= MAX_CLOSE_REASON;
      this.#control(Opcode.CLOSE, closePayload(error.closeCode, fits ? message : ""));
      this.#life.closing();
    }
    this.#life.failed(error);
    this.#finish();
  }

  #control(opcode: Opcode, payload: Uint8Array): void {
    if (this.#state !== State.OPEN) return;
    this.#sender.control(opcode, payload);
    if (this.#trace !== null) this.#traceFrame(">", opcode, payload);
    this.#writer.queued();
  }

  allWritten(): void {
    if (this.#state === State.ENDING && !this.#waitsForEnd) this.#socket.end();
    if (this.#drainWanted) {
      this.#drainWanted = false;
      this.#life.drain();
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

  /** Nothing more is sent. RFC 6455 §7.1.1 has the server end the TCP connection first: a client waits. */
  #finish(): void {
    if (this.#state >= State.ENDING) return;
    this.#state = State.ENDING;
    this.#lingering = new Lingering(this.#socket);
    this.#receiver.end();
    this.#startTimer();
    if (!this.#writer.corked) this.#writer.flush();
    this.#blocked = false;
    this.#readOn();
  }

  #startTimer(): void {
    if (this.#deadline > 0) cancelDeadline(this, this.#deadline);
    this.#deadline = this.host.limits.closeTimeout;
    startDeadline(this, this.#deadline);
  }

  expired(): void {
    this.terminate();
  }

  #traceFrame(direction: "<" | ">", opcode: number, payload: string | Uint8Array): void {
    this.#trace!(this.#socket.remote, direction, opcode, payload.length, payload);
  }
}
