import { asError, proceed } from "./awaitable.ts";
import type { Backoff } from "./backoff.ts";
import type {
  Awaitable,
  Engine,
  EngineTopic,
  HistoryPage,
  Place,
  Position,
  Publication,
} from "./engine.ts";
import {
  dataSize,
  judgePage,
  nextPage,
  PAGE,
  PAGE_BYTES,
  type Reached,
  succession,
} from "./recovery.ts";

/** Whom a follower tells. */
export interface FollowerEvents {
  /** The first page was read, after this position if there is one: the stream is known. */
  opened(page: HistoryPage, since: Position | undefined): void;
  /** The publication that follows. */
  next(publication: Publication): void;
  /** Something is lost for good; it goes on from the new position. */
  restarted(): void;
  /** All that is known of was told of. */
  caughtUp(): void;
  /** Reading failed and is tried again. */
  failed(error: Error): void;
}

/** What has been found out about announcements. */
export interface StreamCounts {
  /** Announcements that did not follow the one before: what was missing was read from history. */
  gaps: number;
  /** Announcements of what was told of before. */
  repeats: number;
  /** How often something was lost for good. */
  interrupted: number;
}

/** The most announcements that are held while history is read; what is over is read again. */
export interface HeldBounds {
  readonly count: number;
  readonly bytes: number;
}

interface Announcement {
  readonly publication: Publication;
  readonly place: Place;
}

/**
 * Follows the stream of one topic with history: whatever an engine's announcements come to, publications
 * are told in order, each once, without a hole, or it says that something is lost.
 */
export class Follower {
  /** How far it has come. Nothing is known before the epoch is. */
  readonly reached: Reached = { epoch: "", offset: 0, time: 0 };
  readonly #engine: Engine;
  readonly #topic: EngineTopic;
  readonly #events: FollowerEvents;
  readonly #counts: StreamCounts;
  readonly #bounds: HeldBounds;
  readonly #backoff: Backoff;
  // What was announced while history is read; null while nothing is.
  #held: Announcement[] | null = null;
  #heldBytes = 0;
  // Set when history has to be read once more, since something held was given up.
  #again = false;
  #reading = false;
  // Counts what the engine was asked: an answer to anything but the last question is out of date.
  #asked = 0;
  #closed = false;

  /**
   * @param engine Where history is read.
   * @param topic The topic.
   * @param events Whom to tell.
   * @param counts Where to count.
   * @param bounds What may be held.
   * @param backoff When to try again.
   */
  constructor(
    engine: Engine,
    topic: EngineTopic,
    events: FollowerEvents,
    counts: StreamCounts,
    bounds: HeldBounds,
    backoff: Backoff,
  ) {
    this.#engine = engine;
    this.#topic = topic;
    this.#events = events;
    this.#counts = counts;
    this.#bounds = bounds;
    this.#backoff = backoff;
  }

  /** Whether it knows the stream and waits for nothing. */
  get caughtUp(): boolean {
    return this.#held === null && this.reached.epoch !== "";
  }

  /** Holds what is announced until history was read. */
  hold(): void {
    this.#held ??= [];
  }

  /**
   * Reads the stream's position for the first time.
   *
   * @param since What the first subscriber has seen: what comes after it is read in the same step.
   */
  open(since: Position | undefined): void {
    this.hold();
    const range = since === undefined
      ? { limit: 0 }
      : { epoch: since.epoch || undefined, after: since.offset, limit: PAGE, bytes: PAGE_BYTES };
    this.#ask(
      () => this.#engine.read(this.#topic, range),
      (page) => {
        this.#reach(page.position, page.time);
        this.#events.opened(page, since);
        this.#drain();
      },
      () => this.open(since),
    );
  }

  /**
   * Takes an announcement.
   *
   * @param publication What was published.
   * @param place Where it stands.
   */
  receive(publication: Publication, place: Place): void {
    if (this.#held !== null) return this.#hold(publication, place);
    switch (succession(this.reached, publication, place)) {
      case "next":
        return this.#advance(publication);
      case "repeat":
        this.#counts.repeats++;
        return;
      case "gap":
        this.#counts.gaps++;
        this.#held = [];
        this.#hold(publication, place);
        return this.#read();
      case "epoch":
        // Only the engine knows which of the two is over, and then knows of this publication too.
        this.#held = [];
        return this.#read();
      case "rewound":
        this.#held = [];
        return this.#renew();
    }
  }

  /**
   * Compares with where the engine says that the stream stands.
   *
   * @param position What it says.
   * @param asked How far this follower had come when the engine was asked.
   */
  check(position: Position, asked: number): void {
    const { epoch, offset } = this.reached;
    if (position.epoch === epoch && position.offset >= asked && position.offset <= offset) return;
    this.catchUp();
  }

  /** Reads what it does not know yet. */
  catchUp(): void {
    this.hold();
    if (this.#reading) this.#again = true;
    else this.#read();
  }

  /** Ends it: nothing is told any more. */
  close(): void {
    this.#asked++;
    this.#closed = true;
    this.#held = null;
    this.#backoff.reset();
  }

  #hold(publication: Publication, place: Place): void {
    const held = this.#held!;
    this.#heldBytes += dataSize(publication);
    if (held.length < this.#bounds.count && this.#heldBytes <= this.#bounds.bytes) {
      held.push({ publication, place });
      return;
    }
    // It is in history too: reading it again costs time, holding everything costs memory.
    held.length = 0;
    this.#heldBytes = 0;
    this.#again = true;
  }

  #read(): void {
    const { epoch, offset } = this.reached;
    const range = { epoch, after: offset, limit: PAGE, bytes: PAGE_BYTES };
    this.#ask(
      () => this.#engine.read(this.#topic, range),
      (page) => this.#take(page),
      () => this.#read(),
    );
  }

  #take(page: HistoryPage): void {
    const { reached } = this;
    const verdict = judgePage(page, reached.epoch, reached.offset);
    if (verdict === "behind") return this.#renew();
    if (verdict !== "whole") {
      this.#restart(page.position, page.time);
      return this.#drain();
    }
    for (const publication of page.publications) {
      this.#advance(publication);
      if (this.#closed) return;
    }
    if (nextPage(page) !== undefined) return this.#read();
    this.#reach(page.position, page.time);
    this.#drain();
  }

  /** Has the engine begin a new epoch, since this one has lost its end. */
  #renew(): void {
    this.#ask(
      () => this.#engine.renew(this.#topic, this.reached.epoch),
      (position) => {
        this.#restart(position);
        this.#drain();
      },
      () => this.#renew(),
    );
  }

  #advance(publication: Publication): void {
    const { reached } = this;
    reached.offset = publication.offset!;
    if (publication.time > reached.time) reached.time = publication.time;
    this.#events.next(publication);
  }

  #reach({ epoch, offset }: Position, time = 0): void {
    const { reached } = this;
    reached.epoch = epoch;
    reached.offset = offset;
    reached.time = Math.max(reached.time, time);
  }

  #restart({ epoch, offset }: Position, time = 0): void {
    const { reached } = this;
    reached.epoch = epoch;
    reached.offset = offset;
    reached.time = time;
    this.#counts.interrupted++;
    this.#events.restarted();
  }

  /** Goes on with what was held meanwhile. */
  #drain(): void {
    if (this.#closed) return;
    this.#reading = false;
    if (this.#again) {
      this.#again = false;
      return this.#read();
    }
    const held = this.#held ?? [];
    this.#held = null;
    this.#heldBytes = 0;
    // One of these may show another gap: those behind it are then held again.
    for (const { publication, place } of held) this.receive(publication, place);
    if (this.#held === null && !this.#closed) this.#events.caughtUp();
  }

  /** Asks the engine, until it answers; what is announced meanwhile is held. */
  #ask<T>(ask: () => Awaitable<T>, answered: (answer: T) => void, again: () => void): void {
    const asked = ++this.#asked;
    this.#reading = true;
    proceed(
      ask,
      (answer) => {
        if (asked !== this.#asked) return;
        this.#backoff.reset();
        answered(answer);
      },
      (error) => {
        if (asked !== this.#asked) return;
        this.#events.failed(asError(error));
        this.#backoff.later(again);
      },
    );
  }
}
