import { WebSocketError } from "../base/errors.ts";
import type { WatchedWriter } from "./watch.ts";
import type { Watch, WatchEvents } from "./watch_events.ts";

function unlocked<Stream extends { readonly locked: boolean }>(stream: Stream): Stream {
  if (!stream.locked) return stream;
  throw new WebSocketError(
    "ERR_STATE",
    "Cannot watch a stream that is locked: release its reader or writer first",
  );
}

/** Watches a `ReadableStream`: reads it and hands over each chunk. */
export class WebReadableWatch implements Watch {
  readonly #reader: Pick<ReadableStreamDefaultReader, "read" | "releaseLock">;
  readonly #events: WatchEvents;
  #stopped = false;

  /**
   * Starts to watch.
   *
   * @param stream The stream.
   * @param events Told of what happens.
   * @throws {WebSocketError} ERR_STATE when the stream is locked.
   */
  constructor(stream: ReadableStream, events: WatchEvents) {
    this.#reader = unlocked(stream).getReader();
    this.#events = events;
    void this.#run();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopped) {
        const { done, value } = await this.#reader.read();
        if (done) break;
        // Also after a stop: no other reader can get a chunk that this one has read.
        await this.#events.act(value);
      }
      this.#end();
    } catch (error) {
      // stop() rejects a pending read; #end() ignores that.
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

/** Watches a `WritableStream`: hands over its writer each time it can take data. */
export class WebWritableWatch implements Watch, WatchedWriter {
  readonly #writer: WritableStreamDefaultWriter;
  readonly #events: WatchEvents;
  #stopped = false;
  #waiting = false;

  /**
   * Starts to watch.
   *
   * @param stream The stream.
   * @param events Told of what happens.
   * @throws {WebSocketError} ERR_STATE when the stream is locked.
   */
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
      // `closed` rejects with the same error, and its handler reports it.
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
