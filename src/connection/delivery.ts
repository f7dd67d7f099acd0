import { messageOf, WebSocketError } from "../base/errors.ts";
import { signalOf, type WaitOptions } from "../base/signal.ts";
import { isThenable } from "../base/thenable.ts";
import { CloseCode, ProtocolError } from "../protocol/mod.ts";
import type { Channel, MessageListener } from "../transport/channel.ts";
import type { Traffic } from "../transport/traffic.ts";
import { type ConnectionHandlers, MESSAGE_EVENTS } from "./handlers.ts";
import { Inbox, type Message } from "./inbox.ts";
import { Pulls } from "./pulls.ts";
import { BusyHandlers, type BusyHandlersOwner } from "./busy_handlers.ts";

/** What a delivery needs of its connection. */
export interface DeliveryOwner {
  /** The first argument of every handler. */
  readonly connection: object;
  readonly host: {
    /** The bounds on what waits, in bytes. */
    readonly highWaterMark: number;
    readonly maxBufferedAmount: number;
    /** How many messages may be with handlers at once; 1 for one after the other. */
    readonly maxConcurrentMessages: number;
    warn(message: string, connection: object): void;
    readonly traffic: Traffic;
  };
  /** Answers a Ping frame. */
  answerPing(payload: Uint8Array): unknown;
  /** All that had come has been told of. */
  delivered(): void;
  /** Fails the connection, of which more has come than may wait. */
  fail(error: ProtocolError): void;
  report(error: WebSocketError): void;
}

/**
 * Tells handlers, or those who pull with `recv()`, of the messages that come: in order, and as many at a
 * time as may be. While nobody can take one, messages wait in an {@linkcode Inbox}; when enough do, the channel is not
 * read any more. Pings and pongs overtake what waits.
 */
export class Delivery implements MessageListener, BusyHandlersOwner {
  /** The connection's handlers by event. */
  readonly handlers: ConnectionHandlers<unknown> = {};
  readonly #owner: DeliveryOwner;
  #channel: Channel | null = null;
  // Set while messages are not to be told of at once; everything below decides on it.
  #holding = false;
  // Made when a handler returns a promise for the first time.
  #busy: BusyHandlers | null = null;
  #paused = false;
  // Set until somebody has said how the messages are to be taken.
  #unclaimed = false;
  // Made when the first message has to wait, and when somebody pulls for the first time.
  #inbox: Inbox | null = null;
  #pulls: Pulls | null = null;
  // Set while the channel is not read, since enough waits.
  #full = false;
  #emptying = false;
  // Set when the connection has ended.
  #ended = false;

  constructor(owner: DeliveryOwner) {
    this.#owner = owner;
  }

  /** Whether messages wait that have not been told of. */
  get waits(): boolean {
    return this.#inbox !== null && !this.#inbox.empty;
  }

  /** Whether the channel is not read, since enough waits: then its silence says nothing of the peer. */
  get full(): boolean {
    return this.#full;
  }

  /** Whether no message waits or is being dealt with. */
  get idle(): boolean {
    if (this.waits) return false;
    return this.#pulls === null ? this.#busy?.idle ?? true : !this.#pulls.empty;
  }

  /** What bounds the handlers that run. */
  get host(): DeliveryOwner["host"] {
    return this.#owner.host;
  }

  /** An event of messages that has a handler. */
  get #handled(): string | undefined {
    return MESSAGE_EVENTS.find((name) => this.handlers[name] !== undefined);
  }

  /** Handlers hold the connection; where messages are pulled, none does. */
  heldUp(seconds: number): void {
    // Where nobody takes messages, none is kept from anybody.
    if (this.#pulls !== null || this.#handled === undefined) return;
    const advice = this.host.maxConcurrentMessages === 1
      ? 'Where it waits for a later message, as for the answer to a question, use messageOrder: "concurrent"'
      : "Have them settle sooner, or raise maxConcurrentMessages";
    this.host.warn(
      `Cannot deliver messages for ${seconds} s now: no promise of a handler that runs has settled. ${advice}`,
      this.#owner.connection,
    );
  }

  // What the channel tells.

  text(data: string): void {
    this.#owner.host.traffic.messagesReceived++;
    if (this.#holding) this.#hold(data);
    else this.#tellText(data);
  }

  binary(data: Uint8Array): void {
    this.#owner.host.traffic.messagesReceived++;
    if (this.#holding) this.#hold(data);
    else this.#tellBinary(data);
  }

  ping(payload: Uint8Array): void {
    try {
      this.#settle(this.#owner.answerPing(payload));
    } catch (error) {
      this.#failed(error);
    }
    this.call(this.handlers.ping, payload);
  }

  pong(payload: Uint8Array): void {
    this.call(this.handlers.pong, payload);
  }

  #tellText(data: string): void {
    const { utf8, message } = this.handlers;
    const { connection } = this.#owner;
    try {
      if (utf8 !== undefined) this.#settle(utf8(connection, data), data);
      if (message !== undefined) this.#settle(message(connection, data), data);
    } catch (error) {
      this.#failed(error);
    }
  }

  #tellBinary(data: Uint8Array): void {
    const { binary, message } = this.handlers;
    const { connection } = this.#owner;
    try {
      if (binary !== undefined) this.#settle(binary(connection, data), data);
      if (message !== undefined) this.#settle(message(connection, data), data);
    } catch (error) {
      this.#failed(error);
    }
  }

  // What waits.

  /** Whether nobody can take a message now. A handler that pulls, as `ready` may, must not wait for itself. */
  get #blocked(): boolean {
    return this.#paused || this.#unclaimed ||
      (this.#pulls === null ? this.#busy?.full === true : this.#pulls.empty);
  }

  /** From here on the channel is not read. */
  get #most(): number {
    const { highWaterMark, maxBufferedAmount } = this.#owner.host;
    return Math.min(highWaterMark, maxBufferedAmount);
  }

  #hold(data: Message): void {
    if (this.#pulls !== null && !this.#blocked && !this.waits) {
      this.#pulls.give(data);
      return;
    }
    const inbox = this.#inbox ??= new Inbox();
    inbox.add(data);
    if (inbox.size <= this.#most) return;
    if (!this.#full) {
      this.#full = true;
      this.#channel?.pause();
    } else if (inbox.size > this.#owner.host.maxBufferedAmount) {
      // Not every engine can stop to read.
      this.#owner.fail(
        new ProtocolError(
          CloseCode.TRY_AGAIN_LATER,
          "Cannot hold more messages for a handler that is too slow",
          "maxBufferedAmount",
        ),
      );
    }
  }

  /** Tells of what waits for as long as somebody can take it, and reads on. */
  #empty(): void {
    if (this.#emptying) return;
    this.#emptying = true;
    const inbox = this.#inbox;
    if (inbox !== null) {
      while (!inbox.empty && !this.#blocked) this.#tell(inbox.take()!);
    }
    this.#emptying = false;
    this.#holding = this.#pulls !== null || this.#blocked || this.waits;
    if (this.#full && (inbox === null || inbox.size <= this.#most / 2)) {
      this.#full = false;
      this.#channel?.resume();
    }
    if (this.waits || this.#channel !== null || this.#ended) return;
    // Those who pull see the last message before they hear of the end.
    if (this.#pulls === null) this.#owner.delivered();
    else setTimeout(() => this.#owner.delivered(), 0);
  }

  #tell(data: Message): void {
    if (this.#pulls !== null) this.#pulls.give(data);
    else if (typeof data === "string") this.#tellText(data);
    else this.#tellBinary(data);
  }

  /** Drops what waits: nobody is to be told of it any more. */
  drop(): void {
    this.#inbox?.clear();
    this.#empty();
  }

  // What the connection asks for.

  /** Messages may come from now on. */
  open(channel: Channel): void {
    this.#channel = channel;
    this.call(this.handlers.ready);
  }

  /** Has messages wait until there is a handler for them, or somebody who pulls. */
  awaitClaim(): void {
    this.#unclaimed = this.#holding = true;
    this.claim();
  }

  /** Handlers were set: where they take messages, none waits for them any longer. */
  claim(): void {
    if (!this.#unclaimed || this.#handled === undefined) return;
    this.#unclaimed = false;
    this.#empty();
  }

  /** The channel is gone: nothing more comes, but something may wait. */
  close(): void {
    this.#channel = null;
  }

  /** The connection has ended. What waits is there for those who pull, and for nobody else. */
  end(): void {
    this.#channel = null;
    this.#ended = true;
    this.#busy?.stop();
    if (this.#pulls === null) {
      this.#inbox?.clear();
      return;
    }
    // A pause ends with the connection: nobody would wait for less.
    this.resume();
    if (!this.waits) this.#pulls.end();
  }

  pause(): void {
    this.#paused = true;
    this.#holding = true;
  }

  resume(): void {
    this.#paused = false;
    this.#empty();
  }

  /** The next message, for those who pull; null at the end. */
  pull(options?: WaitOptions): Promise<Message | null> {
    let signal: AbortSignal | undefined;
    let pulls: Pulls;
    try {
      signal = signalOf("recv()", options);
      signal?.throwIfAborted();
      pulls = this.claimPulls("recv()");
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#ended && !this.waits) return Promise.resolve(null);
    const next = pulls.wait(signal);
    this.#empty();
    return next;
  }

  /** Ends a wait of those who pull. */
  giveUp(waiting: Promise<Message | null>): void {
    this.#pulls?.giveUp(waiting);
  }

  /** Keeps messages for those who pull from now on; throws where handlers take them. */
  claimPulls(call: string): Pulls {
    const handled = this.#handled;
    if (handled !== undefined) throw conflict(call, handled);
    this.#unclaimed = false;
    this.#holding = true;
    return this.#pulls ??= new Pulls();
  }

  /** Throws when handlers for messages are set on a connection whose messages are pulled. */
  check(handlers: ConnectionHandlers<unknown>): void {
    if (this.#pulls === null) return;
    const name = MESSAGE_EVENTS.find((name) => handlers[name] !== undefined);
    if (name !== undefined) throw conflict(`set a handler for "${name}"`);
  }

  /** Calls a handler, if there is one; never throws. */
  call<Arguments extends unknown[]>(
    handler: ((connection: unknown, ...args: Arguments) => unknown) | undefined,
    ...args: Arguments
  ): void {
    if (handler === undefined) return;
    try {
      this.#settle(handler(this.#owner.connection, ...args));
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Looks at what a handler has returned. */
  #settle(result: unknown, data?: Message): void {
    if (isThenable(result)) this.#await(result, data?.length ?? 0);
  }

  /** Has the promise of a handler count until it has settled, and holds messages back where that is enough. */
  #await(result: PromiseLike<unknown>, size: number): void {
    const busy = this.#busy ??= new BusyHandlers(this);
    // After the end, a handler holds up nobody.
    if (this.#ended) busy.stop();
    busy.begin(size);
    if (busy.full) this.#holding = true;
    const settled = () => {
      busy.end(size);
      this.#empty();
    };
    // Of the application's own: `then` may throw, or call back more than once.
    Promise.resolve(result).then(settled, (error) => {
      this.#failed(error);
      settled();
    });
  }

  #failed(cause: unknown): void {
    const why = messageOf(cause);
    this.#owner.report(
      new WebSocketError("ERR_HANDLER", `A connection's handler failed: ${why}`, cause),
    );
  }
}

function conflict(what: string, handled?: string): WebSocketError {
  return new WebSocketError(
    "ERR_STATE",
    handled === undefined
      ? `Cannot ${what} on a connection that is read with recv() or as a stream: use one or the other`
      : `Cannot ${what} on a connection that has a handler for "${handled}": use one or the other`,
  );
}
