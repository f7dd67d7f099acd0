import type { Readable, Writable } from "node:stream";
import { WebSocketError } from "../base/errors.ts";

/** A source that can be watched: a stream of Node's or of the web, or an object that has one. */
export type ReadableSource = Readable | ReadableStream | { readonly readable: ReadableStream };

/** A sink that can be watched: a stream of Node's or of the web, or an object that has one. */
export type WritableSink = Writable | WritableStream | { readonly writable: WritableStream };

/** What a watched web stream is written with; Node's streams are written themselves. */
export interface WatchedWriter {
  /**
   * Writes to the stream.
   *
   * @param chunk What to write.
   * @returns Settled when it has been taken.
   */
  write(chunk: unknown): Promise<void>;
}

/** A watched stream, which can be let go. */
export interface Watch {
  stop(): void;
}

/** What a watch tells of. */
export interface WatchEvents {
  /** There is something to do; must not reject, and is never called twice at once. */
  act(detail: unknown): Promise<void>;
  /** The stream has ended, or failed with an error. */
  ended(error?: unknown): void;
}

/** Begins to watch; throws when others have the stream. */
export type BeginWatch = (events: WatchEvents) => Watch;

/**
 * Gets ready to watch a source: told each time there is something to read, with the chunk where a web
 * stream hands it over.
 *
 * @param source The source.
 * @returns What begins.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT when it cannot be watched.
 */
export function watchReadable(source: ReadableSource): BeginWatch {
  if (isNodeStream(source, "read")) return (events) => new NodeWatch(source, "readable", events);
  const stream = "readable" in source ? source.readable : source;
  if (stream instanceof ReadableStream) return (events) => new WebReadableWatch(stream, events);
  throw notWatchable("read", "a node:stream Readable, a ReadableStream, or an object with one");
}

/**
 * Gets ready to watch a sink: told once it can take data, and each time again after it was full.
 *
 * @param sink The sink.
 * @returns What begins.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT when it cannot be watched.
 */
export function watchWritable(sink: WritableSink): BeginWatch {
  if (isNodeStream(sink, "write")) return (events) => new NodeWatch(sink, "drain", events);
  const stream = "writable" in sink ? sink.writable : sink;
  if (stream instanceof WritableStream) return (events) => new WebWritableWatch(stream, events);
  throw notWatchable("write", "a node:stream Writable, a WritableStream, or an object with one");
}

function isNodeStream(stream: object, method: string): stream is Readable & Writable {
  return typeof (stream as { on?: unknown }).on === "function" &&
    typeof (stream as Record<string, unknown>)[method] === "function";
}

function notWatchable(what: string, takes: string): WebSocketError {
  return new WebSocketError(
    "ERR_INVALID_ARGUMENT",
    `Cannot watch what can be ${what === "read" ? "read" : "written"} here: give ${takes}`,
  );
}

function unlocked<Stream extends { readonly locked: boolean }>(stream: Stream): Stream {
  if (!stream.locked) return stream;
  throw new WebSocketError(
    "ERR_STATE",
    "Cannot watch a stream that is locked: let go of its reader or writer first",
  );
}

/** A stream of Node's, which tells by events. */
class NodeWatch implements Watch {
  readonly #stream: Readable & Writable;
  readonly #event: "readable" | "drain";
  readonly #events: WatchEvents;
  #busy = false;
  #again = false;
  #stopped = false;

  constructor(stream: Readable & Writable, event: "readable" | "drain", events: WatchEvents) {
    this.#stream = stream;
    this.#event = event;
    this.#events = events;
    stream.on(event, this.#act);
    for (const name of this.#ends) stream.on(name, this.#end);
    // Not at once: whoever starts the watch has not been given it yet.
    queueMicrotask(() => {
      const over = event === "readable" ? stream.readableEnded : stream.writableFinished;
      // What it is about to tell of by itself comes first.
      if (over || stream.closed) setTimeout(() => this.#end(stream.errored));
      else if (event === "drain" && !stream.writableNeedDrain) this.#act();
    });
  }

  get #ends(): string[] {
    return [this.#event === "readable" ? "end" : "finish", "close", "error"];
  }

  get #unread(): number {
    return this.#event === "readable" ? this.#stream.readableLength : 0;
  }

  readonly #act = (): void => {
    if (this.#busy) this.#again = true;
    else if (this.#stopped) return;
    else if (this.#event === "drain" || this.#unread > 0) void this.#run();
    // "readable" also tells of the end, which comes when somebody tries to read on.
    else this.#stream.read(0);
  };

  async #run(): Promise<void> {
    this.#busy = true;
    const before = this.#unread;
    await this.#events.act(undefined);
    this.#busy = false;
    // Of what a callback left unread, Node does not tell again; one that reads nothing waits for more.
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
    this.#stream.off(this.#event, this.#act);
    for (const name of this.#ends) this.#stream.off(name, this.#end);
  }
}

class WebReadableWatch implements Watch {
  readonly #reader: Pick<ReadableStreamDefaultReader, "read" | "releaseLock">;
  readonly #events: WatchEvents;
  #stopped = false;

  constructor(stream: ReadableStream, events: WatchEvents) {
    this.#reader = unlocked(stream).getReader();
    this.#events = events;
    void this.#run();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopped) {
        const { done, value } = await this.#reader.read();
        if (this.#stopped) return;
        if (done) break;
        await this.#events.act(value);
      }
      this.#end();
    } catch (error) {
      // Letting go of the reader rejects the read under way, which is no failure.
      this.#end(error);
    }
  }

  #end(error?: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#events.ended(error);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#reader.releaseLock();
  }
}

class WebWritableWatch implements Watch, WatchedWriter {
  readonly #writer: WritableStreamDefaultWriter;
  readonly #events: WatchEvents;
  #stopped = false;
  #waiting = false;

  constructor(stream: WritableStream, events: WatchEvents) {
    this.#writer = unlocked(stream).getWriter();
    this.#events = events;
    this.#writer.closed.then(() => this.#end(), (error) => this.#end(error));
    void this.#actWhenReady();
  }

  async write(chunk: unknown): Promise<void> {
    const taken = this.#writer.write(chunk);
    if ((this.#writer.desiredSize ?? 0) <= 0) void this.#actWhenReady();
    await taken;
  }

  async #actWhenReady(): Promise<void> {
    if (this.#waiting) return;
    this.#waiting = true;
    try {
      await this.#writer.ready;
    } catch {
      // `closed` rejects with the same error and tells of it.
      return;
    }
    if (!this.#stopped) await this.#events.act(this);
    this.#waiting = false;
    if (!this.#stopped && (this.#writer.desiredSize ?? 0) <= 0) void this.#actWhenReady();
  }

  #end(error?: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#events.ended(error);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#writer.releaseLock();
  }
}
