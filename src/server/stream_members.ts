import type { ReadableSource, WritableSink } from "../streams/watch.ts";
import type { ReadableCallbackOf, WritableCallbackOf } from "./options.ts";
import type { AnyParts } from "./properties.ts";

/** What a server `S` does with streams. */
export interface ServerStreamMembers<S> {
  /**
   * Watches sources while the server runs.
   *
   * @param pairs Sources, each followed by its callback. One that is watched already stays as it is,
   * and a warning is logged.
   * @returns The server.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT when one cannot be watched.
   *
   * @example Every line of a child process to every client
   * ```ts ignore
   * server.watchReadable(child.stdout, (server, stdout) => {
   *   for (let data = stdout.read(); data !== null; data = stdout.read()) server.broadcast(data);
   * });
   * ```
   */
  watchReadable<Source extends ReadableSource>(
    source: Source,
    callback: ReadableCallbackOf<S, Source>,
    ...pairs: (ReadableSource | ReadableCallbackOf<S>)[]
  ): this;

  /**
   * Watches sinks while the server runs.
   *
   * @param pairs Sinks, each followed by its callback. One that is watched already stays as it is, and
   * a warning is logged.
   * @returns The server.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT when one cannot be watched.
   */
  watchWritable<Sink extends WritableSink>(
    sink: Sink,
    callback: WritableCallbackOf<S, Sink>,
    ...pairs: (WritableSink | WritableCallbackOf<S>)[]
  ): this;

  /**
   * Gives the callback of a watched source.
   *
   * @param source The source.
   * @returns Its callback, if it is watched; without a source, all sources with their callbacks.
   */
  watchedReadable(source: ReadableSource): ReadableCallbackOf<S> | undefined;
  /**
   * Gives all watched sources.
   *
   * @returns The sources with their callbacks.
   */
  watchedReadable(): [ReadableSource, ReadableCallbackOf<S>][];

  /**
   * Gives the callback of a watched sink.
   *
   * @param sink The sink.
   * @returns Its callback, if it is watched; without a sink, all sinks with their callbacks.
   */
  watchedWritable(sink: WritableSink): WritableCallbackOf<S> | undefined;
  /**
   * Gives all watched sinks.
   *
   * @returns The sinks with their callbacks.
   */
  watchedWritable(): [WritableSink, WritableCallbackOf<S>][];

  /**
   * Releases sources; others can read them afterwards. A chunk of a web stream that had been read by then is
   * still handed to its callback.
   *
   * @param sources The sources; those that are not watched are passed over.
   * @returns The server.
   */
  unwatchReadable(...sources: ReadableSource[]): this;

  /**
   * Releases sinks; others can write to them afterwards.
   *
   * @param sinks The sinks; those that are not watched are passed over.
   * @returns The server.
   */
  unwatchWritable(...sinks: WritableSink[]): this;
}

/**
 * Makes the members of {@linkcode ServerStreamMembers}.
 *
 * @param prototype Where they go.
 * @param partsOf Gives what a server is made of.
 */
export function defineStreamMembers<Server extends object>(
  prototype: Server,
  partsOf: (server: Server) => AnyParts,
): void {
  const methods: Record<string, (...args: never[]) => unknown> & ThisType<Server> = {
    watchReadable(...pairs: unknown[]) {
      const { reports, streams } = partsOf(this);
      reports.keeping(() => streams.readables.add(pairs));
      return this;
    },
    watchWritable(...pairs: unknown[]) {
      const { reports, streams } = partsOf(this);
      reports.keeping(() => streams.writables.add(pairs));
      return this;
    },
    watchedReadable(source?: ReadableSource) {
      const { readables } = partsOf(this).streams;
      return source === undefined ? readables.pairs() : readables.callback(source);
    },
    watchedWritable(sink?: WritableSink) {
      const { writables } = partsOf(this).streams;
      return sink === undefined ? writables.pairs() : writables.callback(sink);
    },
    unwatchReadable(...sources: ReadableSource[]) {
      partsOf(this).streams.readables.remove(sources);
      return this;
    },
    unwatchWritable(...sinks: WritableSink[]) {
      partsOf(this).streams.writables.remove(sinks);
      return this;
    },
  };
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(prototype, name, { configurable: true, writable: true, value });
  }
}
