import { randomBytes } from "node:crypto";
import { Buffer } from "node:buffer";
import type {
  EngineTopic,
  HistoryPage,
  HistoryRange,
  Message,
  Position,
  Publication,
} from "./engine.ts";
import { dataSize } from "./recovery.ts";

/** What a publication and a stream cost beside their data, roughly. */
const OVERHEAD = 256;
/** How long a stream without publications is remembered at least, in milliseconds. */
const REMEMBERED = 3_600_000;

/** A publication that is kept, in the order of all topics. */
interface Entry {
  readonly publication: Publication & { readonly offset: number };
  readonly stream: Stream;
  readonly size: number;
  older: Entry | null;
  newer: Entry | null;
}

/** The stream of one topic. */
class Stream {
  readonly topic: string;
  epoch = newEpoch();
  offset = 0;
  /** What is kept, oldest first, from `first` on. */
  entries: Entry[] = [];
  first = 0;
  used = 0;
  age = 0;

  constructor(topic: string) {
    this.topic = topic;
  }

  get length(): number {
    return this.entries.length - this.first;
  }
}

function newEpoch(): string {
  return randomBytes(12).toString("base64url");
}

/**
 * The histories of all topics, in memory. Each is bounded by count and age, and all together by bytes: over
 * that the oldest publication goes, whosever it is.
 */
export class MemoryHistory {
  readonly #maxBytes: number;
  readonly #streams = new Map<string, Stream>();
  // The ends of the list of all that is kept, over all topics.
  #oldest: Entry | null = null;
  #newest: Entry | null = null;
  #bytes = 0;

  /** @param maxBytes The most that all histories together may take. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** What all histories take now, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many topics have a stream. */
  get streams(): number {
    return this.#streams.size;
  }

  /**
   * Appends a publication.
   *
   * @param topic A topic with history.
   * @param message What is published.
   * @param seen What somebody has seen of it: an offset that never was begins a new epoch.
   * @param now The time.
   * @returns The publication, and the epoch that its offset belongs to.
   */
  append(
    topic: EngineTopic,
    message: Message,
    seen: Position | null,
    now: number,
  ): { publication: Publication & { offset: number }; epoch: string } {
    const stream = this.#stream(topic, now);
    if (seen !== null && seen.epoch === stream.epoch && seen.offset > stream.offset) {
      this.#restart(stream);
    }
    const { data, id, key, tags, publisher } = message;
    const publication = {
      // The history must not change when the application uses its buffer again.
      data: typeof data === "string" ? data : data.slice(),
      id,
      time: now,
      offset: ++stream.offset,
      key,
      tags,
      publisher,
    };
    this.#keep(stream, publication);
    while (stream.length > topic.history!.count) this.#drop(stream);
    this.#expire(stream, now);
    this.#bound(stream);
    return { publication, epoch: stream.epoch };
  }

  /**
   * Reads a part of a topic's history.
   *
   * @param topic A topic with history.
   * @param range Which part.
   * @param now The time.
   * @returns The page.
   */
  read(topic: EngineTopic, range: HistoryRange, now: number): HistoryPage {
    const stream = this.#stream(topic, now);
    this.#expire(stream, now);
    const position = { epoch: stream.epoch, offset: stream.offset };
    const page = { position, time: now };
    if (!isWhole(stream, range)) return { ...page, publications: [], whole: false };
    return { ...page, publications: select(stream, range), whole: true };
  }

  /**
   * Begins a new epoch where the topic still has this one.
   *
   * @param topic A topic with history.
   * @param epoch The epoch to end.
   * @param now The time.
   * @returns Where the topic stands.
   */
  renew(topic: EngineTopic, epoch: string, now: number): Position {
    const stream = this.#stream(topic, now);
    if (stream.epoch === epoch) this.#restart(stream);
    return { epoch: stream.epoch, offset: stream.offset };
  }

  /**
   * Forgets what is too old, and streams that nobody has used for long.
   *
   * @param now The time.
   * @param inUse Tells whether somebody is subscribed to a topic, whose stream then stays.
   */
  sweep(now: number, inUse: (topic: string) => boolean): void {
    for (const stream of this.#streams.values()) {
      this.#expire(stream, now);
      if (stream.length > 0 || inUse(stream.topic)) continue;
      if (now - stream.used > Math.max(REMEMBERED, stream.age)) this.#forget(stream);
    }
  }

  #stream(topic: EngineTopic, now: number): Stream {
    let stream = this.#streams.get(topic.name);
    if (stream === undefined) {
      this.#streams.set(topic.name, stream = new Stream(topic.name));
      this.#bytes += OVERHEAD;
    }
    stream.used = now;
    stream.age = topic.history!.age * 1000;
    return stream;
  }

  #restart(stream: Stream): void {
    while (stream.length > 0) this.#drop(stream);
    stream.epoch = newEpoch();
    stream.offset = 0;
  }

  #forget(stream: Stream): void {
    this.#streams.delete(stream.topic);
    this.#bytes -= OVERHEAD;
  }

  #keep(stream: Stream, publication: Entry["publication"]): void {
    const size = OVERHEAD + dataSize(publication) + labelSize(publication);
    const entry: Entry = { publication, stream, size, older: this.#newest, newer: null };
    if (this.#newest === null) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
    stream.entries.push(entry);
    this.#bytes += size;
  }

  /** Drops the oldest publication of a stream. */
  #drop(stream: Stream): void {
    const { older, newer, size } = stream.entries[stream.first++];
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    this.#bytes -= size;
    if (stream.first >= 32 && stream.first * 2 >= stream.entries.length) {
      stream.entries = stream.entries.slice(stream.first);
      stream.first = 0;
    } else {
      // What is dropped must not be held by the array until then.
      stream.entries[stream.first - 1] = GONE;
    }
  }

  #expire(stream: Stream, now: number): void {
    while (
      stream.length > 0 && now - stream.entries[stream.first].publication.time >= stream.age
    ) this.#drop(stream);
  }

  /** Brings all histories back under the bound on bytes. */
  #bound(current: Stream): void {
    while (this.#bytes > this.#maxBytes && this.#oldest !== null) this.#drop(this.#oldest.stream);
    if (this.#bytes <= this.#maxBytes) return;
    // Nothing is left but streams without publications: those made first go first.
    for (const stream of this.#streams.values()) {
      if (stream !== current) this.#forget(stream);
      if (this.#bytes <= this.#maxBytes) return;
    }
  }
}

const GONE = null as unknown as Entry;

function labelSize({ key, tags, publisher }: Publication): number {
  let size = key === undefined ? 0 : Buffer.byteLength(key);
  for (const name in tags) size += Buffer.byteLength(name) + Buffer.byteLength(tags[name]);
  return size + (publisher?.info === undefined ? 0 : Buffer.byteLength(publisher.info));
}

/** Whether everything after `after` is still kept. */
function isWhole(stream: Stream, { epoch, after, reverse = false }: HistoryRange): boolean {
  if (epoch !== undefined && epoch !== stream.epoch) return false;
  if (after === undefined || reverse) return true;
  // Offsets of this engine go up by one.
  return after <= stream.offset && after >= stream.offset - stream.length;
}

function select(stream: Stream, { after, limit, bytes, reverse = false }: HistoryRange) {
  const publications: Publication[] = [];
  const step = reverse ? -1 : 1;
  const oldest = stream.offset - stream.length + 1;
  const end = reverse ? stream.entries.length - 1 : stream.first;
  let at = after === undefined ? end : stream.first + (after - oldest) + step;
  if (reverse) at = Math.min(at, stream.entries.length - 1);
  let size = 0;
  for (; at >= stream.first && at < stream.entries.length; at += step) {
    if (publications.length >= limit || (bytes !== undefined && size >= bytes)) break;
    const { publication } = stream.entries[at];
    publications.push(publication);
    size += dataSize(publication);
  }
  return publications;
}
