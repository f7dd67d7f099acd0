import type { Readable, Writable } from "node:stream";

/** A source that can be watched: a stream of Node or of the web, or an object that has one. */
export type ReadableSource = Readable | ReadableStream | { readonly readable: ReadableStream };

/** A sink that can be watched: a stream of Node or of the web, or an object that has one. */
export type WritableSink = Writable | WritableStream | { readonly writable: WritableStream };

/** Writes to a watched web stream. A stream of Node is written to directly. */
export interface WatchedWriter {
  /**
   * Writes to the stream.
   *
   * @param chunk What to write.
   * @returns Resolves when the sink has taken the chunk, and rejects when it cannot.
   */
  write(chunk: unknown): Promise<void>;
}
