import { handlerError, messageOf, WebSocketError } from "../base/errors.ts";
import type { BeginWatch, Watch } from "./watch_events.ts";

/** Called for a watched stream. */
// deno-lint-ignore no-explicit-any -- each public method has its own types for it
type Callback = (...args: any[]) => unknown;

interface Entry {
  readonly callback: Callback;
  readonly begin: BeginWatch;
  /** Set while the stream is watched. */
  watch: Watch | null;
}

/** What a watch list needs of the server. */
export interface WatchListHost {
  /** The first argument of every callback. */
  readonly server: unknown;
  /** Logs a warning. */
  warn(message: string): void;
  /** Reports an error that is nobody's to catch. */
  report(error: unknown): void;
}

/** The streams of one kind that a server watches, with their callbacks. */
export class WatchList<Stream extends object> {
  readonly #prepare: (stream: Stream) => BeginWatch;
  readonly #host: WatchListHost;
  readonly #entries = new Map<Stream, Entry>();
  #running = false;

  /**
   * Makes an empty list.
   *
   * @param prepare Gives what starts to watch a stream; throws when a stream cannot be watched.
   * @param host The server.
   */
  constructor(prepare: (stream: Stream) => BeginWatch, host: WatchListHost) {
    this.#prepare = prepare;
    this.#host = host;
  }

  /**
   * Adds streams. One that is in the list already keeps its callback, and a warning is logged.
   *
   * @param pairs The streams, each followed by its callback.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT when one cannot be watched, ERR_STATE when one is locked.
   * Then none is added.
   */
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
    const begun: Stream[] = [];
    try {
      for (const [stream, entry] of added) {
        if (this.#entries.has(stream)) {
          this.#host.warn("Cannot watch a stream twice: the second callback is ignored");
          continue;
        }
        this.#entries.set(stream, entry);
        begun.push(stream);
        if (this.#running) this.#begin(stream, entry);
      }
    } catch (error) {
      this.remove(begun);
      throw error;
    }
  }

  /**
   * Releases streams and takes them off the list. A chunk of a web stream that had been read by then is
   * still handed to its callback, since no other reader could get it.
   *
   * @param streams The streams; those that are not in the list are ignored.
   */
  remove(streams: readonly unknown[]): void {
    for (const stream of streams as Stream[]) {
      const watch = this.#entries.get(stream)?.watch;
      this.#entries.delete(stream);
      watch?.stop();
    }
  }

  /**
   * Gives the callback of a stream.
   *
   * @param stream The stream.
   * @returns Its callback, or undefined when it is not in the list.
   */
  callback(stream: unknown): Callback | undefined {
    return this.#entries.get(stream as Stream)?.callback;
  }

  /**
   * Gives all streams.
   *
   * @returns Each stream with its callback, in the order in which they were added.
   */
  pairs(): [Stream, Callback][] {
    return Array.from(this.#entries, ([stream, { callback }]) => [stream, callback]);
  }

  /** Starts to watch the streams added so far, and reports those that are locked by now. */
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

  /** Releases and forgets all streams; one that throws keeps no other from it, and is reported. */
  stop(): void {
    this.#running = false;
    for (const stream of [...this.#entries.keys()]) {
      try {
        this.remove([stream]);
      } catch (error) {
        this.#host.report(error);
      }
    }
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
  const why = messageOf(cause);
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
