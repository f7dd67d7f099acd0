import type { ChannelEvents } from "./transport.ts";

/**
 * Holds back what a runtime's own engine delivers while its connection does not want any, since an
 * engine delivers what it has read even after it has been told to pause, if it can be told at all.
 */
export class Inbox {
  readonly #events: ChannelEvents;
  #waiting: (string | Uint8Array)[] = [];
  #paused = false;
  /** Roughly how many bytes are held. */
  size = 0;

  constructor(events: ChannelEvents) {
    this.#events = events;
  }

  /** Hands a message over, now or when resumed. */
  deliver(data: string | Uint8Array): void {
    if (this.#paused || this.#waiting.length > 0) {
      this.#waiting.push(data);
      this.size += data.length;
    } else if (typeof data === "string") this.#events.text(data);
    else this.#events.binary(data);
  }

  pause(): void {
    this.#paused = true;
  }

  /** Hands over what waits, as long as nobody pauses again. */
  resume(): void {
    this.#paused = false;
    while (!this.#paused && this.#waiting.length > 0) {
      const data = this.#waiting.shift()!;
      this.size -= data.length;
      if (typeof data === "string") this.#events.text(data);
      else this.#events.binary(data);
    }
  }

  clear(): void {
    this.#waiting = [];
    this.size = 0;
  }
}
