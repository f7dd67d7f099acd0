import { WebSocketError } from "../base/errors.ts";
import { invalid } from "../base/option_values.ts";
import { type Clock, SYSTEM_CLOCK } from "./clock.ts";
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
} from "./engine.ts";
import { MemoryHistory } from "./memory_history.ts";
import { MemoryPresence } from "./memory_presence.ts";

/** How long an idempotency key is known, in milliseconds. */
const KEY_TIME = 300_000;
/** How often what is over is forgotten, in milliseconds. */
const SWEEP = 10_000;

/** What the memory engine takes. */
export interface MemoryEngineOptions {
  /**
   * The most bytes that the histories of all topics together take, with 256 for each publication and each
   * topic; over it the oldest publications go. Default 64 MiB.
   */
  maxHistoryBytes?: number | undefined;
  /** The most idempotency keys that are known at a time; over it the oldest are forgotten. Default 100,000. */
  maxIdempotencyKeys?: number | undefined;
  /** Share topics with the servers of this engine, in the same process. */
  shareWith?: MemoryEngine | undefined;
}

/** The same with a clock of a test's own. */
export interface TimedMemoryEngineOptions extends MemoryEngineOptions {
  /** Where time comes from; the machine's clock by default. */
  clock?: Clock | undefined;
}

interface Announcement {
  topic: string;
  publication: Publication;
  place: Place | null;
}

interface Known {
  result: PublishResult;
  until: number;
}

/** What the engines that share their topics have in common. */
class MemoryStore {
  readonly clock: Clock;
  readonly history: MemoryHistory;
  readonly presence = new MemoryPresence();
  /** The servers, and those that are subscribed to each topic. */
  readonly servers = new Set<EngineEvents>();
  readonly subscribed = new Map<string, Set<EngineEvents>>();
  readonly #maxKeys: number;
  // The oldest first, all for the same time: what is over is at the front.
  readonly #keys = new Map<string, Known>();
  #time = 0;
  // Set while servers are told of something: what is published within that comes after it, for all of them.
  #later: Announcement[] | null = null;
  #cancelSweep: (() => void) | null = null;

  constructor(options: TimedMemoryEngineOptions) {
    const { maxHistoryBytes = 64 * 1024 * 1024, maxIdempotencyKeys = 100_000 } = options;
    checkCount("maxHistoryBytes", maxHistoryBytes);
    checkCount("maxIdempotencyKeys", maxIdempotencyKeys);
    this.clock = options.clock ?? SYSTEM_CLOCK;
    this.history = new MemoryHistory(maxHistoryBytes);
    this.#maxKeys = maxIdempotencyKeys;
  }

  /** The time, which never goes back, whatever becomes of the machine's clock. */
  now(): number {
    return this.#time = Math.max(this.#time, this.clock.now());
  }

  join(server: EngineEvents): void {
    this.servers.add(server);
    if (this.#cancelSweep === null) this.#sweepLater();
  }

  leave(server: EngineEvents): void {
    this.servers.delete(server);
    for (const [topic, servers] of this.subscribed) {
      servers.delete(server);
      if (servers.size === 0) this.subscribed.delete(topic);
    }
    if (this.servers.size > 0) return;
    this.#cancelSweep?.();
    this.#cancelSweep = null;
  }

  announce(topic: string, publication: Publication, place: Place | null): void {
    if (this.#later !== null) {
      this.#later.push({ topic, publication, place });
      return;
    }
    const later: Announcement[] = this.#later = [];
    this.#tell(topic, publication, place);
    for (let i = 0; i < later.length; i++) {
      this.#tell(later[i].topic, later[i].publication, later[i].place);
    }
    this.#later = null;
  }

  #tell(topic: string, publication: Publication, place: Place | null): void {
    const servers = this.subscribed.get(topic);
    if (servers === undefined) return;
    for (const server of servers) server.publication(topic, publication, place);
  }

  /** The result of the first publication with this key, if that is known. */
  known(key: string, now: number): PublishResult | undefined {
    this.#forgetKeys(now);
    return this.#keys.get(key)?.result;
  }

  know(key: string, result: PublishResult, now: number): void {
    this.#keys.set(key, { result, until: now + KEY_TIME });
    this.#forgetKeys(now);
  }

  #forgetKeys(now: number): void {
    for (const [key, { until }] of this.#keys) {
      if (until > now && this.#keys.size <= this.#maxKeys) return;
      this.#keys.delete(key);
    }
  }

  #sweepLater(): void {
    this.#cancelSweep = this.clock.after(SWEEP, () => {
      const now = this.now();
      this.history.sweep(now, (topic) => this.subscribed.has(topic));
      this.presence.sweep(now);
      this.#forgetKeys(now);
      this.#sweepLater();
    });
  }
}

let storeOf: (engine: MemoryEngine) => MemoryStore;

/**
 * The default engine: topics of one process. It answers within the call, loses no announcement, and
 * forgets everything when the process ends.
 *
 * @example Two servers of one process with the same topics
 * ```ts
 * import { MemoryEngine } from "./memory_engine.ts";
 *
 * const one = new MemoryEngine({ maxHistoryBytes: 16 * 1024 * 1024 });
 * const other = new MemoryEngine({ shareWith: one });
 * console.assert(one.name === "memory" && other.state.up);
 * ```
 */
export class MemoryEngine implements Engine {
  /** What it is, for logs. */
  readonly name: string = "memory";
  readonly #store: MemoryStore;
  readonly #state: EngineState;
  #events: EngineEvents | null = null;

  static {
    storeOf = (engine) => engine.#store;
  }

  /**
   * Makes an engine.
   *
   * @param options Its bounds.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for values that it does not take.
   */
  constructor(options: MemoryEngineOptions = {}) {
    const { shareWith } = options;
    if (shareWith !== undefined && !(shareWith instanceof MemoryEngine)) {
      throw invalid("shareWith", shareWith, "a MemoryEngine");
    }
    this.#store = shareWith === undefined ? new MemoryStore(options) : storeOf(shareWith);
    this.#state = { up: true, since: this.#store.clock.now(), lag: 0 };
  }

  /** Always up. */
  get state(): EngineState {
    return this.#state;
  }

  /** What the histories of all topics take now, in bytes. */
  get historyBytes(): number {
    return this.#store.history.bytes;
  }

  /**
   * Begins.
   *
   * @param events Whom to tell.
   * @throws {WebSocketError} ERR_STATE for a second server: each needs an engine of its own.
   */
  start(events: EngineEvents): void {
    if (this.#events !== null) {
      throw new WebSocketError(
        "ERR_STATE",
        "Cannot start a memory engine twice: give each server its own, with shareWith to share topics",
      );
    }
    this.#events = events;
    this.#store.join(events);
    events.up();
  }

  /** Ends; the last of those that share their topics stops the timer. */
  close(): void {
    if (this.#events === null) return;
    this.#store.leave(this.#events);
    this.#events = null;
  }

  /**
   * Publishes: when it returns, all subscribed servers were told.
   *
   * @param topic The topic.
   * @param message What to publish.
   * @param seen The furthest position that this server has seen.
   * @returns What became of it.
   */
  publish(topic: EngineTopic, message: Message, seen: Position | null): PublishResult {
    if (this.#events === null) return { accepted: false, error: ended() };
    const store = this.#store;
    const now = store.now();
    const { idempotencyKey } = message;
    // The length keeps two pairs of topic and key from becoming one text.
    const key = idempotencyKey === undefined
      ? ""
      : `${topic.name.length} ${topic.name}${idempotencyKey}`;
    if (idempotencyKey !== undefined) {
      const known = store.known(key, now);
      if (known !== undefined) return { ...known, repeated: true };
    }
    let publication: Publication;
    let place: Place | null = null;
    let result = ACCEPTED;
    if (topic.history === null) {
      const { data, id, key, tags, publisher } = message;
      publication = { data, id, time: now, offset: undefined, key, tags, publisher };
    } else {
      const { publication: kept, epoch } = store.history.append(topic, message, seen, now);
      publication = kept;
      place = { epoch, previous: kept.offset - 1 };
      result = { accepted: true, position: { epoch, offset: kept.offset } };
    }
    if (idempotencyKey !== undefined) store.know(key, result, now);
    store.announce(topic.name, publication, place);
    return result;
  }

  /**
   * Has topics told of.
   *
   * @param topics The topics.
   */
  subscribe(topics: readonly EngineTopic[]): void {
    const { subscribed } = this.#store;
    for (const { name } of topics) {
      const servers = subscribed.get(name);
      if (servers === undefined) subscribed.set(name, new Set([this.#events!]));
      else servers.add(this.#events!);
    }
  }

  /**
   * Ends that.
   *
   * @param topics The topics.
   */
  unsubscribe(topics: readonly EngineTopic[]): void {
    const { subscribed } = this.#store;
    for (const { name } of topics) {
      const servers = subscribed.get(name);
      servers?.delete(this.#events!);
      if (servers?.size === 0) subscribed.delete(name);
    }
  }

  /**
   * Reads history.
   *
   * @param topic A topic with history.
   * @param range Which part of it.
   * @returns The page.
   */
  read(topic: EngineTopic, range: HistoryRange): HistoryPage {
    return this.#store.history.read(topic, range, this.#store.now());
  }

  /**
   * Begins a new epoch where the topic still has this one.
   *
   * @param topic A topic with history.
   * @param epoch The epoch to end.
   * @returns Where the topic stands.
   */
  renew(topic: EngineTopic, epoch: string): Position {
    return this.#store.history.renew(topic, epoch, this.#store.now());
  }

  /**
   * Writes members.
   *
   * @param entries Who is where.
   * @param seconds For how long.
   */
  enter(entries: readonly PresenceEntry[], seconds: number): void {
    this.#store.presence.enter(entries, this.#store.now() + seconds * 1000);
  }

  /**
   * Takes members out.
   *
   * @param entries Who has left what.
   */
  leave(entries: readonly PresenceEntry[]): void {
    this.#store.presence.leave(entries);
  }

  /**
   * Tells who is there.
   *
   * @param topic The topic.
   * @param limit The most members.
   * @returns The members.
   */
  members(topic: EngineTopic, limit: number): Member[] {
    return this.#store.presence.members(topic.name, limit, this.#store.now());
  }

  /**
   * Counts who is there.
   *
   * @param topic The topic.
   * @returns How many.
   */
  memberCount(topic: EngineTopic): MemberCount {
    return this.#store.presence.count(topic.name, this.#store.now());
  }

  /**
   * Tells of somebody who has come or gone.
   *
   * @param topic The topic.
   * @param kind What has happened.
   * @param member Who it is.
   */
  announce(topic: EngineTopic, kind: "join" | "leave", member: Member): void {
    for (const server of this.#store.subscribed.get(topic.name) ?? []) {
      server.presence(topic.name, kind, member);
    }
  }

  /**
   * Sends a message to all servers.
   *
   * @param message The message.
   */
  control(message: string): void {
    for (const server of this.#store.servers) server.control(message);
  }
}

function ended(): WebSocketError {
  return new WebSocketError("ERR_STATE", "Cannot publish: the memory engine was closed");
}

const ACCEPTED: PublishResult = { accepted: true };

function checkCount(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw invalid(name, value, "a whole number from 0 on");
}
