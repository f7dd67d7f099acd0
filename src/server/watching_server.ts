import { ConfiguredServer, serverHost } from "./configured_server.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { ReadableCallback, WebSocketServerOptions, WritableCallback } from "./options.ts";
import type { ReadableSource, WritableSink } from "../streams/watch.ts";
import { WatchedStreams } from "../streams/watched_streams.ts";

let streamsOf: <C extends WebSocketConnection>(server: WatchingServer<C>) => WatchedStreams;

/**
 * Begins to watch what a server was told to.
 *
 * @param server The server.
 */
export function startWatching<C extends WebSocketConnection>(server: WatchingServer<C>): void {
  streamsOf(server).run();
}

/**
 * Lets go of all that a server watches.
 *
 * @param server The server.
 */
export function stopWatching<C extends WebSocketConnection>(server: WatchingServer<C>): void {
  streamsOf(server).stop();
}

/** A server that watches streams beside its connections. */
export class WatchingServer<C extends WebSocketConnection> extends ConfiguredServer<C> {
  readonly #streams: WatchedStreams;

  static {
    streamsOf = (server) => server.#streams;
  }

  /**
   * Takes the streams of the options.
   *
   * @param options What to serve and how.
   */
  constructor(options: WebSocketServerOptions<C>) {
    super(options);
    const host = serverHost(this);
    this.#streams = new WatchedStreams({
      server: this,
      warn: (message: string) => host.log.warn(message),
      report: (error: unknown) => host.report(error),
    });
    this.#streams.readables.add(options.watchReadable ?? []);
    this.#streams.writables.add(options.watchWritable ?? []);
  }

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
    callback: ReadableCallback<C, Source>,
    ...pairs: (ReadableSource | ReadableCallback<C>)[]
  ): this {
    serverHost(this).keeping(() => this.#streams.readables.add([source, callback, ...pairs]));
    return this;
  }

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
    callback: WritableCallback<C, Sink>,
    ...pairs: (WritableSink | WritableCallback<C>)[]
  ): this {
    serverHost(this).keeping(() => this.#streams.writables.add([sink, callback, ...pairs]));
    return this;
  }

  /**
   * Gives the callback of a watched source.
   *
   * @param source The source.
   * @returns Its callback, if it is watched; without a source, all sources with their callbacks.
   */
  watchedReadable(source: ReadableSource): ReadableCallback<C> | undefined;
  /**
   * Gives all watched sources.
   *
   * @returns The sources with their callbacks.
   */
  watchedReadable(): [ReadableSource, ReadableCallback<C>][];
  watchedReadable(
    source?: ReadableSource,
  ): ReadableCallback<C> | undefined | [ReadableSource, ReadableCallback<C>][] {
    return source === undefined
      ? this.#streams.readables.pairs()
      : this.#streams.readables.callback(source);
  }

  /**
   * Gives the callback of a watched sink.
   *
   * @param sink The sink.
   * @returns Its callback, if it is watched; without a sink, all sinks with their callbacks.
   */
  watchedWritable(sink: WritableSink): WritableCallback<C> | undefined;
  /**
   * Gives all watched sinks.
   *
   * @returns The sinks with their callbacks.
   */
  watchedWritable(): [WritableSink, WritableCallback<C>][];
  watchedWritable(
    sink?: WritableSink,
  ): WritableCallback<C> | undefined | [WritableSink, WritableCallback<C>][] {
    return sink === undefined
      ? this.#streams.writables.pairs()
      : this.#streams.writables.callback(sink);
  }

  /**
   * Releases sources; others can read them afterwards. A chunk of a web stream that had been read by then is
   * still handed to its callback.
   *
   * @param sources The sources; those that are not watched are passed over.
   * @returns The server.
   */
  unwatchReadable(...sources: ReadableSource[]): this {
    this.#streams.readables.remove(sources);
    return this;
  }

  /**
   * Releases sinks; others can write to them afterwards.
   *
   * @param sinks The sinks; those that are not watched are passed over.
   * @returns The server.
   */
  unwatchWritable(...sinks: WritableSink[]): this {
    this.#streams.writables.remove(sinks);
    return this;
  }
}
