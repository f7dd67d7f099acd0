import type { Readable, Writable } from "node:stream";
import { WebSocketError } from "../base/errors.ts";
import { NodeWatch } from "./node_watch.ts";
import type { ReadableSource, WritableSink } from "./watch.ts";
import type { BeginWatch } from "./watch_events.ts";
import { WatchList, type WatchListHost } from "./watch_list.ts";
import { WebReadableWatch, WebWritableWatch } from "./web_watch.ts";

/** All the streams that one server watches. */
export class WatchedStreams {
  /** The sources, for `watchReadable` and what belongs to it. */
  readonly readables: WatchList<ReadableSource>;
  /** The sinks, for `watchWritable` and what belongs to it. */
  readonly writables: WatchList<WritableSink>;

  /**
   * Makes two empty lists.
   *
   * @param host The server.
   */
  constructor(host: WatchListHost) {
    this.readables = new WatchList(watchReadable, host);
    this.writables = new WatchList(watchWritable, host);
  }

  /** Starts to watch what has been added; what is added from now on is watched at once. */
  run(): void {
    this.readables.run();
    this.writables.run();
  }

  /** Releases and forgets all streams. */
  stop(): void {
    this.readables.stop();
    this.writables.stop();
  }
}

/** Gives what starts to watch a source; each call of `act` has the chunk of a web stream. */
function watchReadable(source: ReadableSource): BeginWatch {
  if (isNodeStream(source, "read")) return (events) => new NodeWatch(source, "readable", events);
  const stream = "readable" in source ? source.readable : source;
  if (stream instanceof ReadableStream) return (events) => new WebReadableWatch(stream, events);
  throw notWatchable("source", "a node:stream Readable, a ReadableStream, or an object with one");
}

/** Gives what starts to watch a sink: `act` is called once it can take data, and each time after it was full. */
function watchWritable(sink: WritableSink): BeginWatch {
  if (isNodeStream(sink, "write")) return (events) => new NodeWatch(sink, "drain", events);
  const stream = "writable" in sink ? sink.writable : sink;
  if (stream instanceof WritableStream) return (events) => new WebWritableWatch(stream, events);
  throw notWatchable("sink", "a node:stream Writable, a WritableStream, or an object with one");
}

function isNodeStream(stream: object, method: string): stream is Readable & Writable {
  return typeof (stream as { on?: unknown }).on === "function" &&
    typeof (stream as Record<string, unknown>)[method] === "function";
}

function notWatchable(what: string, takes: string): WebSocketError {
  return new WebSocketError("ERR_INVALID_ARGUMENT", `Cannot watch this ${what}: give ${takes}`);
}
