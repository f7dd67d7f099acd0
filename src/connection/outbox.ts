import { Buffer } from "node:buffer";
import { type BinaryData, bytesOf, isBytes } from "../base/bytes.ts";
import { WebSocketError } from "../base/errors.ts";
import { signalOf, unlessAborted, type WaitOptions } from "../base/signal.ts";
import { checkWellFormed, MAX_CONTROL_PAYLOAD } from "../protocol/mod.ts";
import type { Channel, SharedMessage } from "../transport/channel.ts";
import type { Traffic } from "../transport/traffic.ts";

/** What an outbox needs of its connection. */
export interface OutboxOwner {
  /** The bounds on what waits to be sent, in bytes. */
  readonly host: {
    readonly highWaterMark: number;
    readonly maxBufferedAmount: number;
    readonly traffic: Traffic;
  };
  /** More waits than should; with `dropped`, so much that the peer is given up. */
  slow(dropped: boolean): void;
  report(error: WebSocketError): void;
  terminate(): void;
}

/** A size that the server's option decides on. */
export const UNSET = -1;

/** Sends a connection's messages, and bounds what waits to be sent. */
export class Outbox {
  /** Set while messages can be sent. */
  channel: Channel | null = null;
  /** The most bytes of a message. */
  maxSendSize = UNSET;
  readonly #owner: OutboxOwner;
  // Set from the first `send…` that returned false to the next `drain`.
  #overflowed = false;
  #drained: { promise: Promise<void>; resolve: () => void } | undefined = undefined;

  constructor(owner: OutboxOwner) {
    this.#owner = owner;
  }

  // Each of these returns whether more may be sent at once.

  sendText(data: string): boolean {
    const { channel } = this;
    if (channel === null) return false;
    if (typeof data !== "string") throw noText();
    if (data.length * 3 > this.maxSendSize) this.#checkSize(Buffer.byteLength(data));
    const { host } = this.#owner;
    host.traffic.messagesSent++;
    return channel.sendText(data) <= host.highWaterMark || this.#overflow();
  }

  sendBinary(data: BinaryData): boolean {
    const { channel } = this;
    if (channel === null) return false;
    const bytes = isBytes(data) ? data : bytesOf("sendBinary()", data);
    if (bytes.length > this.maxSendSize) this.#checkSize(bytes.length);
    const { host } = this.#owner;
    host.traffic.messagesSent++;
    return channel.sendBinary(bytes) <= host.highWaterMark || this.#overflow();
  }

  /** Sends a message that goes to others too; returns whether the connection was open. */
  sendShared(message: SharedMessage): boolean {
    const { channel } = this;
    if (channel === null) return false;
    if (message.size > this.maxSendSize) this.#checkSize(message.size);
    const { host } = this.#owner;
    host.traffic.messagesSent++;
    if (channel.sendShared(message) > host.highWaterMark) this.#overflow();
    return true;
  }

  sendControl(kind: "ping" | "pong", payload: string | BinaryData): boolean {
    const bytes = controlPayload(kind, payload);
    const { channel } = this;
    if (channel === null) return false;
    channel[kind](bytes);
    return channel.bufferedAmount <= this.#owner.host.highWaterMark || this.#overflow();
  }

  #checkSize(size: number): void {
    if (size <= this.maxSendSize) return;
    throw new RangeError(
      `Cannot send a message of ${size} bytes: maxSendSize is ${this.maxSendSize}`,
    );
  }

  /** More waits than should: asks for `drain`, or gives the peer up. */
  #overflow(): false {
    const { channel } = this;
    // Sending may have failed the connection.
    if (channel === null) return false;
    const { maxBufferedAmount } = this.#owner.host;
    if (!this.#overflowed) {
      // Not yet told to wait, nobody is too slow, however large this one message is.
      this.#overflowed = true;
      channel.notifyDrained();
      this.#owner.slow(false);
    } else if (channel.bufferedAmount > maxBufferedAmount) {
      this.giveUp(`more than ${maxBufferedAmount} bytes`);
    }
    return false;
  }

  /** Drops a peer that takes less than it is sent. */
  giveUp(held: string): void {
    this.#owner.slow(true);
    this.#owner.report(
      new WebSocketError(
        "ERR_TOO_SLOW",
        `Cannot hold ${held} for a peer that does not read them: dropped (1013)`,
      ),
    );
    this.#owner.terminate();
  }

  /** Settles when nothing waits to be sent, and when nothing can be sent any more. */
  async whenDrained(options?: WaitOptions): Promise<void> {
    await unlessAborted(this.#whenDrained(), signalOf("drained()", options));
  }

  #whenDrained(): Promise<void> {
    const { channel } = this;
    if (channel === null || channel.bufferedAmount === 0) return Promise.resolve();
    if (this.#drained === undefined) {
      this.#drained = Promise.withResolvers<void>();
      channel.notifyDrained();
    }
    return this.#drained.promise;
  }

  /** Nothing waits any more; returns whether somebody was told to wait for that. */
  drained(): boolean {
    this.#drained?.resolve();
    this.#drained = undefined;
    const overflowed = this.#overflowed;
    this.#overflowed = false;
    return overflowed;
  }

  /** The connection has ended: nobody needs to wait any longer. */
  end(): void {
    this.channel = null;
    this.#drained?.resolve();
  }
}

function controlPayload(kind: "ping" | "pong", payload: string | BinaryData): Uint8Array {
  if (typeof payload === "string") checkWellFormed(payload);
  const bytes = typeof payload === "string"
    ? new TextEncoder().encode(payload)
    : bytesOf(`${kind}()`, payload, "a string, ");
  if (bytes.length > MAX_CONTROL_PAYLOAD) {
    throw new RangeError(
      `Cannot send a control frame of ${bytes.length} bytes: it takes at most ${MAX_CONTROL_PAYLOAD}`,
    );
  }
  return bytes;
}

function noText(): WebSocketError {
  return new WebSocketError(
    "ERR_INVALID_ARGUMENT",
    "Cannot sendUtf8() this: it takes a string",
  );
}
