import { setImmediate } from "node:timers";
import type { Clock } from "../../src/topics/clock.ts";
import type {
  Engine,
  EngineEvents,
  EngineState,
  EngineTopic,
  HistoryPage,
  HistoryRange,
  Member,
  MemberCount,
  Message,
  Place,
  Position,
  PresenceEntry,
  Publication,
  PublishResult,
} from "../../src/topics/engine.ts";

type Kept = Publication & { offset: number };

interface Stream {
  epoch: string;
  offset: number;
  kept: Kept[];
}

/** What may happen to the next thing that is under way. */
export type Fate = "arrive" | "lose" | "repeat" | "overtake";

/** One queue of what is under way between a server and the place; it is emptied step by step. */
interface Queue {
  /** Announcements may be lost, repeated and late, answers only late, requests come in order. */
  readonly kind: "requests" | "answers" | "announcements";
  readonly waiting: (() => void)[];
}

/**
 * A place where servers meet over a network that is as bad as a test wants: answers come late, announcements
 * late, twice, out of order or not at all. Offsets have holes. Time stands still unless moved.
 */
export class UnreliablePlace {
  readonly clock: Clock;
  /** All that was ever published, by topic and epoch, in order. */
  readonly log = new Map<string, Publication["data"][]>();
  /** What was published and then lost by the place itself. */
  readonly lost = new Set<Publication["data"]>();
  readonly #streams = new Map<string, Stream>();
  readonly #queues: Queue[] = [];
  readonly servers: UnreliableEngine[] = [];
  #epochs = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  stream({ name }: EngineTopic): Stream {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      this.#streams.set(name, stream = { epoch: `e${++this.#epochs}`, offset: 0, kept: [] });
    }
    return stream;
  }

  /** Begins a new epoch, silently, as after a restart with nothing kept. */
  wipe(topic: EngineTopic): void {
    const stream = this.stream(topic);
    for (const { data } of stream.kept) this.lost.add(data);
    Object.assign(stream, { epoch: `e${++this.#epochs}`, offset: 0, kept: [] });
  }

  /** Loses the last publications, and nothing tells of it. */
  rewind(topic: EngineTopic, count: number): void {
    const stream = this.stream(topic);
    for (const { data } of stream.kept.splice(-count, count)) this.lost.add(data);
    stream.offset = stream.kept.at(-1)?.offset ?? 0;
  }

  /** Forgets the oldest publications. */
  trim(topic: EngineTopic, keep: number): void {
    const { kept } = this.stream(topic);
    kept.splice(0, Math.max(0, kept.length - keep));
  }

  queue(kind: Queue["kind"]): Queue {
    const queue = { kind, waiting: [] };
    this.#queues.push(queue);
    return queue;
  }

  get idle(): boolean {
    return this.#queues.every(({ waiting }) => waiting.length === 0);
  }

  /** Has the next thing of some queue happen. */
  step(choice: number, fate: Fate = "arrive"): boolean {
    const busy = this.#queues.filter(({ waiting }) => waiting.length > 0);
    if (busy.length === 0) return false;
    const { kind, waiting } = busy[choice % busy.length];
    const lossy = kind === "announcements";
    if (lossy && fate === "lose") {
      waiting.shift();
      return true;
    }
    const at = kind !== "requests" && fate === "overtake" ? waiting.length - 1 : 0;
    const [act] = waiting.splice(at, 1);
    if (lossy && fate === "repeat") waiting.push(act);
    act();
    return true;
  }

  publish(topic: EngineTopic, { data, id, key }: Message): PublishResult {
    const time = this.clock.now();
    const stream = this.stream(topic);
    const previous = stream.kept.at(-1)?.offset ?? stream.offset;
    // Holes of any width, as of a stream that other topics share.
    const offset = stream.offset += 1 + (this.#epochs + stream.offset * 7) % 3;
    const publication = { data, id, key, time, offset };
    stream.kept.push(publication);
    const log = `${topic.name} ${stream.epoch}`;
    this.log.set(log, [...this.log.get(log) ?? [], data]);
    const place = { epoch: stream.epoch, previous };
    for (const server of this.servers) server.announce(topic.name, publication, place);
    return { accepted: true, position: { epoch: stream.epoch, offset } };
  }

  read(topic: EngineTopic, { epoch, after, limit }: HistoryRange): HistoryPage {
    const stream = this.stream(topic);
    const page = {
      position: { epoch: stream.epoch, offset: stream.offset },
      time: this.clock.now(),
    };
    const name = `${topic.name} ${stream.epoch}`;
    const published = (this.log.get(name) ?? []).filter((it) => !this.lost.has(it)).length;
    const trimmed = published > stream.kept.length;
    // Only what it keeps itself is known to be whole; `after` itself is kept or comes before everything.
    const whole = (epoch === undefined || epoch === stream.epoch) &&
      (after === undefined ||
        after <= stream.offset &&
          (!trimmed || after === stream.offset ||
            stream.kept.some(({ offset }) => offset <= after)));
    const publications = whole
      ? stream.kept.filter(({ offset }) => offset > (after ?? 0)).slice(0, Math.min(limit, 3))
      : [];
    return { ...page, publications, whole };
  }
}

/** One server's engine over that network. */
export class UnreliableEngine implements Engine {
  readonly name = "unreliable";
  state: EngineState = { up: false, since: 0, lag: 0 };
  readonly #place: UnreliablePlace;
  readonly #requests: Queue;
  readonly #answers: Queue;
  readonly #announcements: Queue;
  readonly subscribed = new Set<string>();
  /** How often history was read. */
  reads = 0;
  /** The next requests of a kind fail, so many times. */
  readonly failing = new Map<string, Error[]>();
  #events: EngineEvents | null = null;

  constructor(place: UnreliablePlace) {
    this.#place = place;
    this.#requests = place.queue("requests");
    this.#answers = place.queue("answers");
    this.#announcements = place.queue("announcements");
    place.servers.push(this);
  }

  start(events: EngineEvents): void {
    this.#events = events;
    this.up();
  }

  close(): void {
    this.#events = null;
  }

  up(): void {
    this.state = { up: true, since: this.#place.clock.now(), lag: 0 };
    this.#events?.up();
  }

  down(): void {
    this.state = { up: false, since: this.#place.clock.now(), lag: 0 };
    this.subscribed.clear();
    this.#events?.down(new Error("the place is out of reach"));
  }

  announce(topic: string, publication: Publication, place: Place | null): void;
  announce(topic: EngineTopic, kind: "join" | "leave", member: Member): Promise<void>;
  announce(
    topic: string | EngineTopic,
    what: Publication | "join" | "leave",
    more: Place | Member | null,
  ): void | Promise<void> {
    if (typeof topic !== "string") return Promise.resolve();
    if (!this.subscribed.has(topic)) return;
    this.#announcements.waiting.push(() =>
      this.#events?.publication(topic, what as Publication, more as Place | null)
    );
  }

  #ask<T>(kind: string, act: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#requests.waiting.push(() => {
        const error = this.failing.get(kind)?.shift();
        if (error !== undefined || !this.state.up) {
          this.#answers.waiting.push(() => reject(error ?? new Error("out of reach")));
          return;
        }
        const answer = act();
        this.#answers.waiting.push(() => resolve(answer));
      });
    });
  }

  publish(topic: EngineTopic, message: Message, seen: Position | null): Promise<PublishResult> {
    return this.#ask("publish", () => {
      const { epoch, offset } = this.#place.stream(topic);
      if (seen !== null && seen.epoch === epoch && seen.offset > offset) this.#place.wipe(topic);
      return this.#place.publish(topic, message);
    });
  }

  subscribe(topics: readonly EngineTopic[]): Promise<void> {
    return this.#ask("subscribe", () => {
      for (const { name } of topics) this.subscribed.add(name);
    });
  }

  unsubscribe(topics: readonly EngineTopic[]): Promise<void> {
    return this.#ask("unsubscribe", () => {
      for (const { name } of topics) this.subscribed.delete(name);
    });
  }

  read(topic: EngineTopic, range: HistoryRange): Promise<HistoryPage> {
    this.reads++;
    return this.#ask("read", () => this.#place.read(topic, range));
  }

  positions(topics: readonly EngineTopic[]): Promise<Position[]> {
    return this.#ask(
      "positions",
      () => topics.map((it) => this.#place.read(it, { limit: 0 }).position),
    );
  }

  renew(topic: EngineTopic, epoch: string): Promise<Position> {
    return this.#ask("renew", () => {
      if (this.#place.stream(topic).epoch === epoch) this.#place.wipe(topic);
      return this.#place.read(topic, { limit: 0 }).position;
    });
  }

  enter(_entries: readonly PresenceEntry[]): void {}
  leave(_entries: readonly PresenceEntry[]): void {}
  members(): Member[] {
    return [];
  }
  memberCount(): MemberCount {
    return { connections: 0, users: 0 };
  }
  control(message: string): void {
    this.#events?.control(message);
  }
}

/** Lets everything that is under way arrive, and all that it leads to. */
export async function settle(place: UnreliablePlace): Promise<void> {
  // A promise that a step has settled calls back before the next macrotask, with all that it leads to.
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  for (;;) {
    while (place.step(0)) await Promise.resolve();
    await turn();
    if (place.idle) return;
  }
}
