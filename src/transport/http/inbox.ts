import { Buffer } from "node:buffer";
import { CloseCode, ProtocolError } from "../../protocol/mod.ts";
import type { ChannelEvents } from "../channel.ts";
import type { TransportLimits } from "../transport.ts";

/** Stands for no messages, so that a connection that never held any has no array. */
const NONE: (string | Uint8Array)[] = [];

/**
 * Holds back what a runtime's own engine delivers while its connection does not want any, since an
 * engine delivers what it has read even after it has been told to pause, if it can be told at all.
 */
export class Inbox {
  readonly #events: ChannelEvents;
  readonly #limits: TransportLimits;
  #waiting: (string | Uint8Array)[] = NONE;
  #paused = false;
  #end: (() => void) | null = null;
  /** Roughly how many bytes are held. */
  size = 0;

  constructor(events: ChannelEvents, limits: TransportLimits) {
    this.#events = events;
    this.#limits = limits;
  }

  /** Whether anything is held. */
  get empty(): boolean {
    return this.#waiting.length === 0;
  }

  /**
   * Hands a message over, now or when resumed.
   *
   * @param data The message.
   * @param maxSize The most bytes that it may have.
   * @returns The limit to fail the connection with, when one was broken.
   */
  take(data: string | Uint8Array, maxSize: number): ProtocolError | undefined {
    if (data.length * 3 > maxSize && Buffer.byteLength(data) > maxSize) {
      return new ProtocolError(
        CloseCode.MESSAGE_TOO_BIG,
        `Cannot take a message of over ${maxSize} bytes`,
        "maxRecvSize",
      );
    }
    if (!this.#paused && this.empty) {
      this.#hand(data);
      return undefined;
    }
    if (this.empty) this.#waiting = [data];
    else this.#waiting.push(data);
    this.size += data.length;
    if (this.size <= this.#limits.maxBufferedAmount) return undefined;
    return new ProtocolError(
      CloseCode.TRY_AGAIN_LATER,
      "Cannot hold more messages for a handler that is too slow",
      "maxBufferedAmount",
    );
  }

  pause(): void {
    this.#paused = true;
  }

  /** Hands over what waits, as long as nobody pauses again. */
  resume(): void {
    this.#paused = false;
    while (!this.#paused && !this.empty) {
      const data = this.#waiting.shift()!;
      this.size -= data.length;
      this.#hand(data);
    }
    if (this.empty) this.#tellEnd();
  }

  /**
   * Tells of the connection's end once all that waits has been handed over.
   *
   * @param tell Tells of it.
   */
  end(tell: () => void): void {
    this.#end = tell;
    if (this.empty) this.#tellEnd();
  }

  /** Drops what waits. */
  clear(): void {
    this.#waiting = NONE;
    this.size = 0;
    this.#tellEnd();
  }

  #tellEnd(): void {
    const tell = this.#end;
    this.#end = null;
    tell?.();
  }

  #hand(data: string | Uint8Array): void {
    if (typeof data === "string") this.#events.text(data);
    else this.#events.binary(data);
  }
}
