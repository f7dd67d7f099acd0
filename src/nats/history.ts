import type {
  EngineTopic,
  HistoryPage,
  HistoryRange,
  Position,
  Publication,
} from "../topics/engine.ts";
import { decodePayload } from "../topics/payload.ts";
import type { NatsMessage } from "./client.ts";
import type { JetStream } from "./jetstream.ts";
import { epochOf, streamAge, type Streams, type StreamState } from "./streams.ts";
import type { Subjects } from "./subjects.ts";
import { decodeMessage } from "./wire.ts";

/** Topics that one question is about, at most. */
const TOPICS = 128;

/**
 * What is known of a topic's place in its stream. Offsets are sequence numbers of a stream that many topics
 * share, and a topic whose publications are all too old to be kept leaves nothing there: only who has looked
 * in time knows that none was missed.
 */
interface Known {
  epoch: string;
  /** Nothing was published to the topic after this sequence number... */
  last: number;
  /** ...up to this one, */
  at: number;
  /** which is how the stream stood at this time of the server. */
  time: number;
  /** The furthest offset that was told of. */
  told: number;
}

/** Reads history. */
export class History {
  readonly #streams: Streams;
  readonly #jetstream: JetStream;
  readonly #subjects: Subjects;
  /** Of the topics that are subscribed to. */
  readonly #known = new Map<string, Known>();

  /**
   * @param streams Finds the streams.
   * @param jetstream Reads them.
   * @param subjects Names the topics there.
   */
  constructor(streams: Streams, jetstream: JetStream, subjects: Subjects) {
    this.#streams = streams;
    this.#jetstream = jetstream;
    this.#subjects = subjects;
  }

  /**
   * Keeps in mind from now on where a topic stands.
   *
   * @param topic A topic with history.
   */
  follow({ name }: EngineTopic): void {
    if (this.#known.has(name)) return;
    this.#known.set(name, { epoch: "", last: 0, at: 0, time: 0, told: 0 });
  }

  /**
   * Forgets where a topic stands.
   *
   * @param topic The topic.
   */
  unfollow({ name }: EngineTopic): void {
    this.#known.delete(name);
  }

  /**
   * Takes note of an announcement.
   *
   * @param topic Its topic.
   * @param stream Its stream.
   * @param offset Its sequence number.
   * @param previous The sequence number of the one before it that was kept then; 0 for none.
   * @param time When it was published.
   * @returns The offset before it; undefined where one may be missing that is not kept any more.
   */
  announced(
    topic: EngineTopic,
    stream: string,
    offset: number,
    previous: number,
    time: number,
  ): number | undefined {
    this.#streams.heard(stream, offset);
    const known = this.#of(topic, epochOf(stream));
    if (known === undefined) return previous === 0 ? undefined : previous;
    // Whatever had been published since would be kept, if it had not been so long.
    const follows = previous > 0
      ? previous <= known.at
      : offset === known.at + 1 || time < known.time + streamAge(topic.history!);
    known.told = Math.max(known.told, offset);
    if (follows && offset > known.at) {
      known.last = known.at = offset;
      known.time = time;
    }
    return previous > 0 ? previous : follows ? 0 : undefined;
  }

  /**
   * Reads.
   *
   * @param topic A topic with history.
   * @param range Which part of it.
   * @returns The page.
   */
  read(topic: EngineTopic, range: HistoryRange): Promise<HistoryPage> {
    return this.#streams.within(() => this.#streams.of(topic), async () => {
      const state = await this.#streams.state(topic);
      const { epoch, after, limit, reverse } = range;
      const other = epoch !== undefined && epoch !== state.epoch;
      if (other || (after !== undefined && after > state.last && !reverse)) {
        return this.#broken(topic, state);
      }
      if (reverse || limit === 0) return await this.#readBack(topic, state, range);
      return await this.#readOn(topic, state, range);
    });
  }

  /**
   * Tells where topics stand.
   *
   * @param topics Topics with history.
   * @returns Their positions.
   */
  async positions(topics: readonly EngineTopic[]): Promise<Position[]> {
    const groups = Map.groupBy(
      topics,
      ({ history }) => this.#subjects.history(history!).stream,
    );
    const positions = new Map<EngineTopic, Position>();
    const asked: Promise<void>[] = [];
    for (const group of groups.values()) {
      for (let i = 0; i < group.length; i += TOPICS) {
        asked.push(this.#stands(group.slice(i, i + TOPICS), positions));
      }
    }
    await Promise.all(asked);
    return topics.map((topic) => positions.get(topic)!);
  }

  /**
   * Tells where a topic stands, after a new epoch has begun or was found to have begun.
   *
   * @param topic The topic.
   * @returns Its position.
   */
  async position(topic: EngineTopic): Promise<Position> {
    return (await this.read(topic, { limit: 0 })).position;
  }

  /**
   * Looks for publications by their names.
   *
   * @param topic A topic with history.
   * @param since Where to begin: a time of the server.
   * @param names Their names.
   * @returns How the stream stood before, and the offsets of those that were found.
   */
  async find(
    topic: EngineTopic,
    since: number,
    names: ReadonlySet<string>,
  ): Promise<{ state: StreamState; found: Map<string, number> }> {
    const state = await this.#streams.state(topic);
    const found = new Map<string, number>();
    const next_by_subj = this.#subjects.publications(topic, state.stream);
    let from: object = { start_time: new Date(since).toISOString() };
    for (;;) {
      const { messages, pending } = await this.#jetstream.get(state.stream, {
        ...from,
        next_by_subj,
        batch: 256,
      });
      for (const message of messages) {
        const { id, offset } = decode(message);
        if (names.has(id)) found.set(id, offset!);
      }
      if (pending === 0 || found.size === names.size) return { state, found };
      from = { seq: sequenceOf(messages.at(-1)!) + 1 };
    }
  }

  async #readOn(
    topic: EngineTopic,
    state: StreamState,
    { after, limit, bytes }: HistoryRange,
  ): Promise<HistoryPage> {
    const { epoch, last: end, time } = state;
    const { messages, pending } = await this.#jetstream.get(state.stream, {
      seq: (after ?? 0) + 1,
      next_by_subj: this.#subjects.publications(topic, state.stream),
      // Without a beginning the first may be the one that is only kept to show what is whole.
      batch: after === undefined ? limit + 1 : limit,
      max_bytes: bytes,
    });
    const kept = messages.length + pending;
    if (after !== undefined && !await this.#isWhole(topic, state, after, kept)) {
      return this.#broken(topic, state);
    }
    if (after === undefined) {
      if (kept > topic.history!.count) messages.shift();
      messages.splice(limit);
    }
    const read = messages.map((message) => decode(message)).filter(({ offset }) => offset! <= end);
    const oldest = time - topic.history!.age * 1000;
    const publications = read.filter((it) => it.time > oldest);
    if (after !== undefined && publications.length < read.length) return this.#broken(topic, state);
    const last = read.at(-1)?.offset;
    // What came after the stream was looked at is another page's.
    const complete = pending === 0 || read.length < messages.length;
    if (!complete) return page(epoch, end, publications, time);
    const known = this.#of(topic, epoch);
    const told = Math.min(known?.told ?? 0, end);
    const offset = Math.max(last ?? after ?? end, told);
    const quiet = last === undefined && after !== undefined && known !== undefined &&
      known.last <= after && after <= known.at;
    this.#learn(topic, state, last ?? (quiet ? known.last : after ?? end), offset);
    return page(epoch, offset, publications, time);
  }

  async #readBack(
    topic: EngineTopic,
    state: StreamState,
    { after, limit, bytes = Infinity }: HistoryRange,
  ): Promise<HistoryPage> {
    const { epoch, stream, last: end, time } = state;
    const subject = this.#subjects.publications(topic, state.stream);
    const { count, age } = topic.history!;
    const publications: Publication[] = [];
    let size = 0;
    let last: number | undefined;
    let upTo = Math.min((after ?? Infinity) - 1, end);
    while (upTo > 0 && (publications.length < Math.min(limit, count) || last === undefined)) {
      const found = (await this.#lasts(stream, [subject], upTo)).get(subject);
      if (found === undefined) break;
      last ??= sequenceOf(found);
      const publication = decode(found);
      if (limit === 0 || size >= bytes || publication.time <= time - age * 1000) break;
      publications.push(publication);
      size += found.data.length;
      upTo = publication.offset! - 1;
    }
    if (after !== undefined) return page(epoch, end, publications, time);
    const offset = Math.max(last ?? end, Math.min(this.#of(topic, epoch)?.told ?? 0, end));
    this.#learn(topic, state, last ?? end, offset);
    return page(epoch, offset, publications, time);
  }

  /** Tells whether everything of a topic after an offset is still there. */
  async #isWhole(
    topic: EngineTopic,
    state: StreamState,
    after: number,
    kept: number,
  ): Promise<boolean> {
    const { stream, epoch, last } = state;
    const known = this.#of(topic, epoch);
    const quiet = known !== undefined && known.last <= after && after <= known.at;
    const from = quiet ? known.at : after;
    if (from >= last) return true;
    // Publications go in the order in which they came: one that is older is kept, so are all that are not.
    const subject = this.#subjects.publications(topic, state.stream);
    if (from > 0 && (await this.#lasts(stream, [subject], from)).size > 0) return true;
    const now = await this.#streams.state(topic);
    return now.epoch === epoch && now.first <= from + 1 && kept <= topic.history!.count;
  }

  async #stands(topics: readonly EngineTopic[], into: Map<EngineTopic, Position>): Promise<void> {
    await this.#streams.within(() => this.#streams.of(topics[0]), async () => {
      const state = await this.#streams.state(topics[0]);
      const subjects = topics.map((topic) => this.#subjects.publications(topic, state.stream));
      const lasts = await this.#lasts(state.stream, subjects);
      const { first } = lasts.size < topics.length ? await this.#streams.state(topics[0]) : state;
      topics.forEach((topic, i) => {
        const last = lasts.get(subjects[i]);
        const offset = this.#stand(topic, state, last && sequenceOf(last), first);
        into.set(topic, { epoch: state.epoch, offset });
      });
    });
  }

  /** Where one topic stands. */
  #stand(
    topic: EngineTopic,
    state: StreamState,
    last: number | undefined,
    first: number,
  ): number {
    const known = this.#of(topic, state.epoch);
    const told = known === undefined || known.told > state.last ? 0 : known.told;
    if (last !== undefined) {
      const offset = Math.max(last, told);
      this.#learn(topic, state, last, offset);
      return offset;
    }
    // Nothing is kept of it, and nothing that came after it was looked at has grown too old.
    if (known === undefined || told === 0 || first > known.at + 1) return state.last;
    this.#learn(topic, state, known.last, told);
    return told;
  }

  /** The last messages of subjects. */
  async #lasts(
    stream: string,
    subjects: readonly string[],
    up_to_seq?: number,
  ): Promise<Map<string, NatsMessage>> {
    const found = new Map<string, NatsMessage>();
    for (let left = subjects; left.length > 0;) {
      const { messages, pending } = await this.#jetstream.get(stream, {
        multi_last: left,
        up_to_seq,
      });
      for (const message of messages) found.set(message.headers!.get("Nats-Subject"), message);
      // What is large comes in several batches.
      if (pending === 0 || messages.length === 0) break;
      left = left.filter((subject) => !found.has(subject));
    }
    return found;
  }

  #broken(topic: EngineTopic, state: StreamState): HistoryPage {
    const { epoch, last, time } = state;
    this.#learn(topic, state, last, last);
    return { position: { epoch, offset: last }, publications: [], whole: false, time };
  }

  #of({ name }: EngineTopic, epoch: string): Known | undefined {
    const known = this.#known.get(name);
    return known?.epoch === epoch ? known : undefined;
  }

  #learn({ name }: EngineTopic, state: StreamState, last: number, told: number): void {
    const known = this.#known.get(name);
    if (known === undefined) return;
    const { epoch, time } = state;
    if (known.epoch !== epoch) Object.assign(known, { epoch, last: 0, at: 0, time: 0, told: 0 });
    const at = Math.max(state.last, last);
    if (at >= known.at) Object.assign(known, { last, at, time });
    known.told = Math.max(known.told, told);
  }
}

function page(
  epoch: string,
  offset: number,
  publications: Publication[],
  time: number,
): HistoryPage {
  return { position: { epoch, offset }, publications, whole: true, time };
}

/**
 * Reads a stream's message.
 *
 * @param message The message, as read or as announced.
 * @returns Its sequence number.
 */
export function sequenceOf({ headers }: NatsMessage): number {
  return Number(headers!.get("Nats-Sequence"));
}

/**
 * Tells when a message was stored.
 *
 * @param message The message, as read or as announced.
 * @returns Milliseconds since 1970; by this machine's clock where the server is too old to tell.
 */
export function timeOf({ headers }: NatsMessage): number {
  return Date.parse(headers!.get("Nats-Time-Stamp")) || Date.now();
}

/**
 * Reads a publication with history.
 *
 * @param message The message, as read or as announced.
 * @param time When it was stored, as {@linkcode timeOf} tells.
 * @param offset Its sequence number.
 * @returns The publication.
 */
export function decode(
  message: NatsMessage,
  time: number = timeOf(message),
  offset: number = sequenceOf(message),
): Publication {
  const [payload] = decodeMessage(message.data);
  return decodePayload(payload, time, offset);
}
