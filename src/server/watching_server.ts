import { ConfiguredServer, serverHost } from "./configured_server.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { ReadableCallback, WebSocketServerOptions, WritableCallback } from "./options.ts";
import {
  type ReadableSource,
  watchReadable,
  watchWritable,
  type WritableSink,
} from "../streams/watch.ts";
import { WatchList } from "../streams/watch_list.ts";

interface WatchLists {
  readonly readables: WatchList<ReadableSource>;
  readonly writables: WatchList<WritableSink>;
}

let listsOf: <C extends WebSocketConnection>(server: WatchingServer<C>) => WatchLists;

/**
 * Begins to watch what a server was told to.
 *
 * @param server The server.
 */
export function startWatching<C extends WebSocketConnection>(server: WatchingServer<C>): void {
  const { readables, writables } = listsOf(server);
  readables.run();
  writables.run();
}

/**
 * Lets go of all that a server watches.
 *
 * @param server The server.
 */
export function stopWatching<C extends WebSocketConnection>(server: WatchingServer<C>): void {
  const { readables, writables } = listsOf(server);
  readables.stop();
  writables.stop();
}

/** A server that watches streams beside its connections. */
export class WatchingServer<C extends WebSocketConnection> extends ConfiguredServer<C> {
  readonly #readables: WatchList<ReadableSource>;
  readonly #writables: WatchList<WritableSink>;

  static {
    listsOf = (server) => ({ readables: server.#readables, writables: server.#writables });
  }

  /**
   * Takes the streams of the options.
   *
   * @param options What to serve and how.
   */
  constructor(options: WebSocketServerOptions<C>) {
    super(options);
    const host = serverHost(this);
    const watchHost = {
      server: this,
      warn: (message: string) => host.log.warn(message),
      report: (error: unknown) => host.report(error),
    };
    this.#readables = new WatchList(watchReadable, watchHost);
    this.#writables = new WatchList(watchWritable, watchHost);
    this.#readables.add(options.watchReadable ?? []);
    this.#writables.add(options.watchWritable ?? []);
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
    serverHost(this).keeping(() => this.#readables.add([source, callback, ...pairs]));
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
    serverHost(this).keeping(() => this.#writables.add([sink, callback, ...pairs]));
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
    return source === undefined ? this.#readables.pairs() : this.#readables.callback(source);
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
    return sink === undefined ? this.#writables.pairs() : this.#writables.callback(sink);
  }

  /**
   * Lets sources go; they can be read by others afterwards.
   *
   * @param sources The sources; those that are not watched are passed over.
   * @returns The server.
   */
  unwatchReadable(...sources: ReadableSource[]): this {
    this.#readables.remove(sources);
    return this;
  }

  /**
   * Lets sinks go; they can be written by others afterwards.
   *
   * @param sinks The sinks; those that are not watched are passed over.
   * @returns The server.
   */
  unwatchWritable(...sinks: WritableSink[]): this {
    this.#writables.remove(sinks);
    return this;
  }
}
