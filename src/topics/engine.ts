/**
 * What carries publications between servers and keeps history and presence. The memory engine, Redis and
 * NATS are behind this interface, and so is any other that passes the suite of conformance in
 * `tests/topics/engine_suite.ts`.
 *
 * @module
 */
import type { Position, PublishResult } from "../connection/subscribing.ts";

export type { Position, PublishResult };

/** A value, or a promise of it: an engine in memory answers at once. */
export type Awaitable<T> = T | PromiseLike<T>;

/** How much of a topic is kept. */
export interface HistorySettings {
  /** The most publications, from 1 on. */
  readonly count: number;
  /** How long a publication is kept, in seconds. */
  readonly age: number;
}

/** A topic as an engine sees it. */
export interface EngineTopic {
  /** Its name: 1 to 255 bytes of UTF-8. */
  readonly name: string;
  /** What is kept of it; null for nothing. The same on all servers. */
  readonly history: HistorySettings | null;
}

/** A subscriber as others see it. */
export interface Member {
  /** Names the connection, uniquely over all servers. */
  readonly id: string;
  /** Whose connection it is; "" for nobody's in particular. */
  readonly user: string;
  /** What the application says of it; engines carry it as it is. */
  readonly info?: string;
}

/** What is published, as a server gives it to its engine. */
export interface Message {
  /** Text or bytes; the engine leaves bytes as they are and copies those that it keeps. */
  readonly data: string | Uint8Array;
  /** Names this publication, uniquely over all servers: the server, and a number of its own. */
  readonly id: string;
  /** What it is about: of those with one key, a slow subscriber may be given only the newest. */
  readonly key?: string;
  /** The application's own labels. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Who published it, where subscribers are told. */
  readonly publisher?: Member;
  /** A repeat with the same key, on the same topic and within five minutes, is not published again. */
  readonly idempotencyKey?: string;
}

/** A message once it was published. */
export interface Publication {
  /** Text or bytes. */
  readonly data: string | Uint8Array;
  /** The publishing server's name for it. */
  readonly id: string;
  /** Milliseconds since 1970, by the engine's clock. */
  readonly time: number;
  /** Its place in the topic's stream, where the topic has history: larger than those before it. */
  readonly offset?: number;
  /** What it is about. */
  readonly key?: string;
  /** The application's own labels. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Who published it. */
  readonly publisher?: Member;
}

/** Where a publication stands in its topic's stream, as announced; only topics with history have one. */
export interface Place {
  /** The incarnation of the stream. */
  readonly epoch: string;
  /**
   * The offset of the publication before it, 0 for none. Offsets may have holes, so this is what shows
   * whether an announcement was missed. Undefined where the engine cannot tell: the server then asks.
   */
  readonly previous: number | undefined;
}

/** Which part of a topic's history to read. */
export interface HistoryRange {
  /** The incarnation that `after` belongs to; a page of another one is not `whole`. */
  readonly epoch?: string | undefined;
  /** Read what comes after this offset, in reading order; by default from the first that is kept. */
  readonly after?: number | undefined;
  /** The most publications; 0 asks for the position only. */
  readonly limit: number;
  /** Stop early once the data has this many bytes; a page that could hold one holds at least one. */
  readonly bytes?: number | undefined;
  /** Newest first: by default from the last one, else those before `after`. */
  readonly reverse?: boolean | undefined;
}

/** A part of a topic's history, and where its stream stood at the very same moment. */
export interface HistoryPage {
  /** Where the stream stands, also where nothing was published yet. */
  readonly position: Position;
  /** In reading order, each the successor of the one before. */
  readonly publications: readonly Publication[];
  /**
   * Whether everything after `after` is still there: same epoch, and nothing missing between `after` and
   * the first of these, or the end of the stream. A page that is not has no publications.
   */
  readonly whole: boolean;
  /** Whether the stream is known to have lost what came up to `after`; where the engine can tell. */
  readonly lost?: boolean;
  /** The engine's clock when it read: all up to `position` is not younger. Where it can tell. */
  readonly time?: number;
}

/** A member of a topic. */
export interface PresenceEntry {
  /** The topic. */
  readonly topic: EngineTopic;
  /** Who is there. */
  readonly member: Member;
}

/** How many are there. */
export interface MemberCount {
  /** Connections. */
  readonly connections: number;
  /** Users, of whom each counts once. */
  readonly users: number;
}

/** How an engine is doing. */
export interface EngineState {
  /** Whether it can be reached. */
  readonly up: boolean;
  /** Since when it is so: milliseconds since 1970. */
  readonly since: number;
  /**
   * How long it took to answer what it answered last, or has not answered for by now, in seconds; 0 in memory.
   */
  readonly lag: number;
}

/** What an engine tells its server of. None of these throws. */
export interface EngineEvents {
  /**
   * A publication was announced, this server's own among them. May be told again, be left out, or come
   * late: `place` is how the server finds out. An engine tells in the order in which it hears.
   */
  publication(topic: string, publication: Publication, place: Place | null): void;
  /** Somebody has come or gone. */
  presence(topic: string, kind: "join" | "leave", member: Member): void;
  /** A control message of any server, this one among them. */
  control(message: string): void;
  /** The engine cannot be reached: upstream subscriptions count for nothing until `up`. */
  down(error: Error): void;
  /** It can be reached, for the first time or again. The server now subscribes and enters again. */
  up(): void;
  /** The upstream subscriptions to these topics are gone, the others are not: subscribe again. */
  dropped(topics: readonly string[]): void;
  /** Something else that the application should know: settings that differ between servers, say. */
  error(error: Error): void;
}

/**
 * An engine. What it promises for each topic:
 *
 * 1. All servers hear of publications in the same order, whoever published them.
 * 2. With history, publishing is one atomic step: take the next offset, append, announce.
 * 3. `subscribe` is answered once announcements of everything published from then on will be told;
 *    `read` gives position and publications of one moment, the position also of an empty stream.
 * 4. Without history an announcement is told at most once.
 * 5. `publish` never rejects, answers within 5 seconds, and says `accepted: false` only of what will not
 *    be published. A known `idempotencyKey` answers the first one's position and announces nothing.
 * 6. Only topics that were subscribed to are told of.
 * 7. Members are there until they leave or their time is over, by the engine's clock.
 * 8. While it is down it answers at once or within 5 seconds, and it comes back by itself: `down`, then `up`.
 * 9. `renew` begins a new epoch, once for all servers that ask.
 * 10. Calls take effect in the order in which they are made.
 */
export interface Engine {
  /** What it is, for logs. */
  readonly name: string;
  /** How it is doing. */
  readonly state: EngineState;
  /**
   * Begins; called once.
   *
   * @param events Whom to tell.
   * @returns Settled once it is up for the first time. Rejects only where it never will be: a wrong
   * password, an unsupported version.
   */
  start(events: EngineEvents): Awaitable<void>;
  /**
   * Ends: tells nothing more, leaves no timer and no connection.
   *
   * @returns Settled when all is released.
   */
  close(): Awaitable<void>;
  /**
   * Publishes. Never throws or rejects.
   *
   * @param topic The topic.
   * @param message What to publish.
   * @param seen The furthest position that this server has seen: an engine that stands before it in the
   * same epoch has lost something, and begins a new epoch.
   * @returns What became of it.
   */
  publish(topic: EngineTopic, message: Message, seen: Position | null): Awaitable<PublishResult>;
  /**
   * Has the publications, joins and leaves of topics told. Twice is once.
   *
   * @param topics Any number of topics.
   * @returns Settled when all are acknowledged. Rejects when that failed: with ERR_UNSUPPORTED,
   * ERR_REFUSED or ERR_INVALID_ARGUMENT for good, with anything else for now.
   */
  subscribe(topics: readonly EngineTopic[]): Awaitable<void>;
  /**
   * Ends that. What was announced before may still be told.
   *
   * @param topics Any number of topics.
   * @returns Settled when done.
   */
  unsubscribe(topics: readonly EngineTopic[]): Awaitable<void>;
  /**
   * Reads history, in one atomic step with the position.
   *
   * @param topic A topic with history.
   * @param range Which part of it.
   * @returns The page. Rejects when it cannot be read for now.
   */
  read(topic: EngineTopic, range: HistoryRange): Awaitable<HistoryPage>;
  /**
   * Tells where topics stand. Left out by an engine that cannot lose an announcement: then nobody needs to
   * ask.
   *
   * @param topics At most 512 topics with history.
   * @param seen The offset up to which this server has followed each of them: it may be answered where nothing
   * was published since, though the stream goes on at a higher one.
   * @returns Their positions, in the same order.
   */
  positions?(
    topics: readonly EngineTopic[],
    seen: readonly number[],
  ): Awaitable<readonly Position[]>;
  /**
   * Begins a new epoch, since something of this one is known to be lost; unless there is another already.
   *
   * @param topic A topic with history.
   * @param epoch The epoch that has lost something.
   * @returns Where the topic stands now.
   */
  renew(topic: EngineTopic, epoch: string): Awaitable<Position>;
  /**
   * Writes members, new ones and those whose time is to begin again.
   *
   * @param entries Any number of them.
   * @param seconds How long they are there unless written again.
   * @returns Settled when done.
   */
  enter(entries: readonly PresenceEntry[], seconds: number): Awaitable<void>;
  /**
   * Takes members out.
   *
   * @param entries Any number of them.
   * @returns Settled when done.
   */
  leave(entries: readonly PresenceEntry[]): Awaitable<void>;
  /**
   * Tells who is there.
   *
   * @param topic The topic.
   * @param limit The most members.
   * @returns The members.
   */
  members(topic: EngineTopic, limit: number): Awaitable<readonly Member[]>;
  /**
   * Counts who is there.
   *
   * @param topic The topic.
   * @returns How many.
   */
  memberCount(topic: EngineTopic): Awaitable<MemberCount>;
  /**
   * Tells the servers that are subscribed to a topic that somebody has come or gone; at most once.
   *
   * @param topic The topic.
   * @param kind What has happened.
   * @param member Who it is.
   * @returns Settled when sent.
   */
  announce(topic: EngineTopic, kind: "join" | "leave", member: Member): Awaitable<void>;
  /**
   * Sends a message to all servers, this one among them; at most once.
   *
   * @param message The message, as the server wrote it.
   * @returns Settled when sent.
   */
  control(message: string): Awaitable<void>;
}
