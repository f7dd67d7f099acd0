import { WebSocketError } from "./errors.ts";
import type { Watch, WatchEvents } from "./watch.ts";

/** Called for a watched stream. */
// deno-lint-ignore no-explicit-any -- each public method gives it the types of its own
type Callback = (...args: any[]) => unknown;

/** What a watch list needs of the server. */
export interface WatchListHost {
  /** The first argument of every callback. */
  readonly server: unknown;
  warn(message: string): void;
  report(error: unknown): void;
}

/** The streams of one kind that a server watches, with their callbacks. */
export class WatchList<Stream extends object> {
  readonly #watch: (stream: Stream, events: WatchEvents) => Watch;
  readonly #host: WatchListHost;
  readonly #entries = new Map<Stream, { callback: Callback; watch: Watch | null }>();
  #running = false;

  /**
   * @param watch Begins to watch a stream.
   * @param host The server.
   */
  constructor(watch: (stream: Stream, events: WatchEvents) => Watch, host: WatchListHost) {
    this.#watch = watch;
    this.#host = host;
  }

  /** Adds streams, each followed by its callback; one that is watched already stays as it is. */
  add(pairs: readonly unknown[]): void {
    if (pairs.length % 2 !== 0) throw badPairs();
    for (let i = 0; i < pairs.length; i += 2) {
      const [stream, callback] = pairs.slice(i, i + 2) as [Stream, Callback];
      if (typeof stream !== "object" || stream === null || typeof callback !== "function") {
        throw badPairs();
      }
      if (this.#entries.has(stream)) {
        this.#host.warn("Cannot watch a stream twice: the second callback is ignored");
        continue;
      }
      const entry = { callback, watch: null as Watch | null };
      this.#entries.set(stream, entry);
      if (this.#running) entry.watch = this.#begin(stream, callback);
    }
  }

  remove(streams: readonly unknown[]): void {
    for (const stream of streams as Stream[]) {
      this.#entries.get(stream)?.watch?.stop();
      this.#entries.delete(stream);
    }
  }

  callback(stream: unknown): Callback | undefined {
    return this.#entries.get(stream as Stream)?.callback;
  }

  pairs(): [Stream, Callback][] {
    return Array.from(this.#entries, ([stream, { callback }]) => [stream, callback]);
  }

  /** Begins with the streams added so far. */
  run(): void {
    this.#running = true;
    for (const [stream, entry] of this.#entries) {
      entry.watch ??= this.#begin(stream, entry.callback);
    }
  }

  /** Lets all streams go. */
  stop(): void {
    this.#running = false;
    this.remove([...this.#entries.keys()]);
  }

  #begin(stream: Stream, callback: Callback): Watch | null {
    try {
      return this.#watch(stream, {
        act: async (detail) => {
          try {
            await callback(this.#host.server, stream, detail);
          } catch (error) {
            this.#host.report(error);
          }
        },
        ended: (error) => {
          this.#entries.delete(stream);
          if (error !== undefined) this.#host.report(error);
        },
      });
    } catch (error) {
      this.#entries.delete(stream);
      throw error;
    }
  }
}

function badPairs(): WebSocketError {
  return new WebSocketError(
    "ERR_INVALID_ARGUMENT",
    "Cannot watch these: give streams, each followed by its callback",
  );
}
