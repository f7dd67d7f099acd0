import { handlerError, WebSocketError } from "../base/errors.ts";
import type { BeginWatch, Watch } from "./watch.ts";

/** Called for a watched stream. */
// deno-lint-ignore no-explicit-any -- each public method gives it the types of its own
type Callback = (...args: any[]) => unknown;

interface Entry {
  readonly callback: Callback;
  readonly begin: BeginWatch;
  /** Set while it is watched. */
  watch: Watch | null;
}

/** What a watch list needs of the server. */
export interface WatchListHost {
  /** The first argument of every callback. */
  readonly server: unknown;
  warn(message: string): void;
  report(error: unknown): void;
}

/** The streams of one kind that a server watches, with their callbacks. */
export class WatchList<Stream extends object> {
  readonly #prepare: (stream: Stream) => BeginWatch;
  readonly #host: WatchListHost;
  readonly #entries = new Map<Stream, Entry>();
  #running = false;

  /**
   * @param prepare Gets ready to watch a stream; throws when that cannot be done.
   * @param host The server.
   */
  constructor(prepare: (stream: Stream) => BeginWatch, host: WatchListHost) {
    this.#prepare = prepare;
    this.#host = host;
  }

  /** Adds streams, each followed by its callback; one that is watched already stays as it is. */
  add(pairs: readonly unknown[]): void {
    if (pairs.length % 2 !== 0) throw badPairs();
    const added: [Stream, Entry][] = [];
    for (let i = 0; i < pairs.length; i += 2) {
      const [stream, callback] = pairs.slice(i, i + 2) as [Stream, Callback];
      if (typeof stream !== "object" || stream === null || typeof callback !== "function") {
        throw badPairs();
      }
      added.push([stream, { callback, begin: this.#prepare(stream), watch: null }]);
    }
    for (const [stream, entry] of added) {
      if (this.#entries.has(stream)) {
        this.#host.warn("Cannot watch a stream twice: the second callback is ignored");
        continue;
      }
      this.#entries.set(stream, entry);
      if (this.#running) this.#begin(stream, entry);
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

  /** Begins with the streams added so far; reports those that others have by now. */
  run(): void {
    this.#running = true;
    for (const [stream, entry] of this.#entries) {
      try {
        this.#begin(stream, entry);
      } catch (error) {
        this.#host.report(error);
      }
    }
  }

  /** Lets all streams go. */
  stop(): void {
    this.#running = false;
    this.remove([...this.#entries.keys()]);
  }

  #begin(stream: Stream, entry: Entry): void {
    try {
      entry.watch = entry.begin({
        act: async (detail) => {
          try {
            await entry.callback(this.#host.server, stream, detail);
          } catch (error) {
            this.#host.report(handlerError("of a watched stream", error));
          }
        },
        ended: (error) => {
          this.#entries.delete(stream);
          if (error !== undefined) this.#host.report(streamError(error));
        },
      });
    } catch (error) {
      this.#entries.delete(stream);
      throw error;
    }
  }
}

function streamError(cause: unknown): WebSocketError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new WebSocketError(
    "ERR_STATE",
    `Cannot watch a stream any longer, since it failed: ${why}`,
    cause,
  );
}

function badPairs(): WebSocketError {
  return new WebSocketError(
    "ERR_INVALID_ARGUMENT",
    "Cannot watch these: give streams, each followed by its callback",
  );
}
