import type { Readable, Writable } from "node:stream";
import type { Watch, WatchEvents } from "./watch_events.ts";

/** Watches a stream of Node: `readable` or `drain` says that there is something to do. */
export class NodeWatch implements Watch {
  readonly #stream: Readable & Writable;
  readonly #event: "readable" | "drain";
  readonly #events: WatchEvents;
  #busy = false;
  #again = false;
  #stopped = false;
  // Set while the end of a stream that was over from the start is to be told.
  #ending: ReturnType<typeof setTimeout> | undefined;

  /**
   * Starts to watch.
   *
   * @param stream The stream.
   * @param event The event to act on.
   * @param events Told of what happens.
   */
  constructor(stream: Readable & Writable, event: "readable" | "drain", events: WatchEvents) {
    this.#stream = stream;
    this.#event = event;
    this.#events = events;
    stream.on(event, this.#act);
    for (const name of this.#ends) stream.on(name, this.#end);
    // Whoever starts the watch does not hold it before this constructor returns.
    queueMicrotask(() => this.#begin());
  }

  get #ends(): string[] {
    return [this.#event === "readable" ? "end" : "finish", "close", "error"];
  }

  get #unread(): number {
    return this.#event === "readable" ? this.#stream.readableLength : 0;
  }

  #begin(): void {
    if (this.#stopped) return;
    const stream = this.#stream;
    const over = this.#event === "readable" ? stream.readableEnded : stream.writableFinished;
    if (over || stream.closed) {
      // Events that the stream has already scheduled come first.
      this.#ending = setTimeout(() => this.#end(stream.errored));
    } else if (this.#event === "drain" && !stream.writableNeedDrain) {
      this.#act();
    }
  }

  readonly #act = (): void => {
    if (this.#busy) this.#again = true;
    else if (this.#stopped) return;
    else if (this.#event === "drain" || this.#unread > 0) void this.#run();
    // "readable" is also emitted at the end of the stream; "end" follows once somebody reads.
    else this.#stream.read(0);
  };

  async #run(): Promise<void> {
    this.#busy = true;
    const before = this.#unread;
    await this.#events.act(undefined);
    this.#busy = false;
    // Node emits no second event for what a callback left unread. One that read nothing waits for more.
    const left = this.#unread > 0 && this.#unread < before;
    if (!this.#again && !left) return;
    this.#again = false;
    this.#act();
  }

  readonly #end = (error?: unknown): void => {
    if (this.#stopped) return;
    this.stop();
    this.#events.ended(error instanceof Error ? error : undefined);
  };

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#ending);
    this.#stream.off(this.#event, this.#act);
    for (const name of this.#ends) this.#stream.off(name, this.#end);
  }
}
