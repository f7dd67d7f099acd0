import type { WebSocketConnection } from "./connection.ts";
import {
  type ConnectionHandlers,
  guardHandlers,
  type HandlerGuard,
  MESSAGE_EVENTS,
} from "./handlers.ts";
import { WebSocketError } from "../base/errors.ts";
import { isThenable } from "../base/thenable.ts";
import { ProtocolError } from "../protocol/mod.ts";
import type { Channel, ChannelEvents } from "../transport/channel.ts";

/** What a delivery tells its connection of, beside the handlers. */
export interface DeliveryOwner {
  readonly connection: WebSocketConnection;
  /** A Ping frame is to be answered. */
  answerPing(payload: Uint8Array): unknown;
  /** Nothing waits any more; returns whether the handler for `drain` is to be called. */
  drained(): boolean;
  closing(): void;
  closed(): void;
  report(error: WebSocketError): void;
  /** Throws for handlers of events that cannot come. */
  checkEvents(handlers: ConnectionHandlers<unknown>): void;
}

/**
 * Hands what comes over a channel to a connection's handlers or to those who pull with `recv()`: in
 * order, one at a time, and with the channel paused while nobody can take more.
 */
export class Delivery implements ChannelEvents, HandlerGuard {
  readonly handlers: ConnectionHandlers<WebSocketConnection>;
  readonly #owner: DeliveryOwner;
  #channel: Channel | null = null;
  // Handlers whose promises have not settled.
  #busy = 0;
  #paused = false;
  #pulls: Pulls | null = null;
  #ended = false;

  constructor(owner: DeliveryOwner) {
    this.handlers = guardHandlers(owner.connection, this) as ConnectionHandlers<
      WebSocketConnection
    >;
    this.#owner = owner;
  }

  /** Whether messages are held back, so that silence says nothing of the peer. */
  get holding(): boolean {
    // A handler that pulls, as `ready` may, must not wait for itself.
    return this.#paused || (this.#pulls === null ? this.#busy > 0 : this.#pulls.full);
  }

  // What the channel tells.

  text(data: string): void {
    if (this.#pulls !== null) {
      this.#pulled(data);
      return;
    }
    const { utf8, message } = this.handlers;
    const connection = this.#owner.connection;
    try {
      if (utf8 !== undefined) this.#settle(utf8(connection, data));
      if (message !== undefined) this.#settle(message(connection, data));
    } catch (error) {
      this.#failed(error);
    }
  }

  binary(data: Uint8Array): void {
    if (this.#pulls !== null) {
      this.#pulled(data);
      return;
    }
    const { binary, message } = this.handlers;
    const connection = this.#owner.connection;
    try {
      if (binary !== undefined) this.#settle(binary(connection, data));
      if (message !== undefined) this.#settle(message(connection, data));
    } catch (error) {
      this.#failed(error);
    }
  }

  ping(payload: Uint8Array): void {
    this.call((_connection) => this.#owner.answerPing(payload));
    this.call(this.handlers.ping, payload);
  }

  pong(payload: Uint8Array): void {
    this.call(this.handlers.pong, payload);
  }

  drain(): void {
    if (this.#owner.drained()) this.call(this.handlers.drain);
  }

  error(error: Error): void {
    const rule = error instanceof ProtocolError;
    this.#owner.report(
      new WebSocketError(rule ? "ERR_PROTOCOL" : "ERR_STATE", error.message, error),
    );
  }

  closing(): void {
    this.#owner.closing();
  }

  close(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#channel = null;
    this.#owner.closed();
    this.#pulls?.end();
    this.call(this.handlers.disconnect, code, reason);
  }

  // What the connection asks for.

  /** Messages may come from now on. */
  open(channel: Channel): void {
    this.#channel = channel;
    if (this.holding) channel.pause();
    this.call(this.handlers.ready);
  }

  pause(): void {
    this.#paused = true;
    this.#channel?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#resumeChannel();
  }

  /** The next message, for those who pull; null at the end. */
  pull(): Promise<string | Uint8Array | null> {
    const name = MESSAGE_EVENTS.find((name) => this.handlers[name] !== undefined);
    if (name !== undefined) {
      throw new WebSocketError(
        "ERR_STATE",
        `Cannot recv() on a connection that has a handler for "${name}": use one or the other`,
      );
    }
    this.#pulls ??= new Pulls();
    if (this.#ended) this.#pulls.end();
    const next = this.#pulls.next();
    this.#resumeChannel();
    return next;
  }

  /** Calls a handler, if there is one; never throws. */
  call<Arguments extends unknown[]>(
    handler: ((connection: WebSocketConnection, ...args: Arguments) => unknown) | undefined,
    ...args: Arguments
  ): void {
    if (handler === undefined) return;
    try {
      this.#settle(handler(this.#owner.connection, ...args));
    } catch (error) {
      this.#failed(error);
    }
  }

  /**
   * Throws when handlers for messages are set on a connection whose messages are pulled, and for events
   * that cannot come.
   */
  check(handlers: ConnectionHandlers<unknown>): void {
    this.#owner.checkEvents(handlers);
    if (this.#pulls === null) return;
    const name = MESSAGE_EVENTS.find((name) => handlers[name] !== undefined);
    if (name === undefined) return;
    throw new WebSocketError(
      "ERR_STATE",
      `Cannot set a handler for "${name}" on a connection that is read with recv(): use one or the other`,
    );
  }

  #pulled(data: string | Uint8Array): void {
    this.#pulls!.add(data);
    if (this.#pulls!.full) this.#channel?.pause();
  }

  /** Holds everything back until a handler's promise has settled. */
  #settle(result: unknown): void {
    if (!isThenable(result)) return;
    this.#busy++;
    if (this.holding) this.#channel?.pause();
    const settled = () => {
      this.#busy--;
      this.#resumeChannel();
    };
    result.then(settled, (error) => {
      this.#failed(error);
      settled();
    });
  }

  #resumeChannel(): void {
    if (!this.holding) this.#channel?.resume();
  }

  #failed(cause: unknown): void {
    const why = cause instanceof Error ? cause.message : String(cause);
    this.#owner.report(
      new WebSocketError("ERR_HANDLER", `A connection's handler failed: ${why}`, cause),
    );
  }
}

/** Messages that wait to be pulled, and pulls that wait for messages; never both. */
class Pulls {
  #messages: (string | Uint8Array)[] = [];
  #waiting: ((data: string | Uint8Array | null) => void)[] = [];
  #ended = false;

  get full(): boolean {
    return this.#waiting.length === 0;
  }

  add(data: string | Uint8Array): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting(data);
    else this.#messages.push(data);
  }

  next(): Promise<string | Uint8Array | null> {
    const message = this.#messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#ended) return Promise.resolve(null);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end(): void {
    this.#ended = true;
    for (const resolve of this.#waiting) resolve(null);
    this.#waiting = [];
  }
}
