import { WebSocketError } from "../base/errors.ts";
import { asError, proceed } from "./awaitable.ts";
import { Backoff } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import type { Engine } from "./engine.ts";
import type { Topic } from "./topic.ts";

/** The most topics that an engine is asked about at once. */
const PAGE = 512;
/** How long a topic without subscribers stays subscribed, in milliseconds. */
const LINGER = 2_000;
/** How often quiet topics are compared with the engine, in milliseconds, give or take half of it. */
const CHECK = 30_000;
/** Errors that do not go away by themselves. */
const FINAL: readonly string[] = ["ERR_UNSUPPORTED", "ERR_REFUSED", "ERR_INVALID_ARGUMENT"];

/** What the upstream side needs of the hub. */
export interface UpstreamHost {
  readonly engine: Engine;
  readonly clock: Clock;
  /** All topics that are subscribed or are to be, those that linger among them. */
  all(): Iterable<Topic>;
  /** A topic has lingered long enough. */
  release(topic: Topic): void;
  /** A topic can never be subscribed to. */
  refused(topic: Topic, error: Error): void;
  report(error: Error): void;
}

/**
 * Which topics this server is subscribed to at the engine: those that have subscribers here, and for a little
 * while those that had.
 */
export class Upstream {
  readonly #host: UpstreamHost;
  readonly #backoff: Backoff;
  // Those that the engine has not acknowledged and is not being asked for.
  readonly #wanted = new Set<Topic>();
  /** Those without subscribers, with when they are let go. */
  readonly #lingering = new Map<Topic, number>();
  #cancelLinger: (() => void) | null = null;
  #cancelCheck: (() => void) | null = null;
  #up = false;
  // Counts how often the engine has gone: an answer from before means nothing.
  #era = 0;

  /** @param host The hub. */
  constructor(host: UpstreamHost) {
    this.#host = host;
    this.#backoff = new Backoff(host.clock);
  }

  /**
   * Subscribes to a topic.
   *
   * @param topic A topic that has its first subscriber.
   */
  open(topic: Topic): void {
    topic.opening();
    if (this.#up) this.#subscribe([topic], () => {});
    else this.#wanted.add(topic);
  }

  /**
   * Lets a topic go a little later.
   *
   * @param topic A topic that has lost its last subscriber.
   */
  linger(topic: Topic): void {
    this.#lingering.set(topic, this.#host.clock.now() + LINGER);
    this.#cancelLinger ??= this.#host.clock.after(LINGER, () => this.#letGo());
  }

  /**
   * Keeps a topic after all.
   *
   * @param topic A topic that has a subscriber again.
   */
  keep(topic: Topic): void {
    this.#lingering.delete(topic);
  }

  /** The engine is away. */
  down(): void {
    this.#up = false;
    this.#era++;
    this.#backoff.reset();
    this.#cancelCheck?.();
    this.#cancelCheck = null;
    for (const topic of this.#host.all()) this.#lose(topic);
  }

  /** The engine is there, for the first time or again. */
  up(): void {
    // An engine that comes back without having told that it went has lost the subscriptions all the same.
    if (this.#up) this.down();
    this.#up = true;
    this.#work();
    this.#checkLater();
  }

  /**
   * Some subscriptions are gone.
   *
   * @param topics Those.
   */
  dropped(topics: Iterable<Topic>): void {
    for (const topic of topics) this.#lose(topic);
    if (this.#up) this.#work();
  }

  /** Ends it. */
  close(): void {
    this.#up = false;
    this.#era++;
    this.#backoff.reset();
    this.#cancelLinger?.();
    this.#cancelCheck?.();
    this.#wanted.clear();
    this.#lingering.clear();
  }

  #lose(topic: Topic): void {
    if (topic.upstream) topic.lost();
    this.#wanted.add(topic);
  }

  /** Subscribes to all that are wanted, page by page, busiest first. */
  #work(): void {
    const wanted = [...this.#wanted].sort((a, b) => b.counts.published - a.counts.published);
    this.#wanted.clear();
    const next = () => {
      const page = wanted.splice(0, PAGE);
      if (page.length > 0) this.#subscribe(page, next);
    };
    next();
  }

  #subscribe(topics: readonly Topic[], next: () => void): void {
    const era = this.#era;
    proceed(
      () => this.#host.engine.subscribe(topics),
      () => {
        if (era !== this.#era) return;
        this.#backoff.reset();
        this.#acknowledged(topics);
        next();
      },
      (error) => {
        if (era !== this.#era) return;
        this.#failed(topics, asError(error));
        next();
      },
    );
  }

  #failed(topics: readonly Topic[], error: Error): void {
    if (error instanceof WebSocketError && FINAL.includes(error.code)) {
      // Of several topics, the engine may mean one only.
      if (topics.length > 1) { for (const topic of topics) this.#subscribe([topic], () => {}); }
      else this.#host.refused(topics[0], error);
      return;
    }
    this.#host.report(error);
    for (const topic of topics) this.#wanted.add(topic);
    this.#backoff.later(() => this.#work());
  }

  #acknowledged(topics: readonly Topic[]): void {
    const known: Topic[] = [];
    for (const topic of topics) {
      const again = topic.history !== null && topic.reached.epoch !== "";
      if (again && this.#host.engine.positions !== undefined) known.push(topic);
      else topic.acknowledged();
    }
    // A topic that was followed before may have missed anything.
    if (known.length > 0) this.#compare(known, () => {}, true);
  }

  /** Compares with where the engine says that topics stand. */
  #compare(topics: readonly Topic[], next: () => void, again: boolean): void {
    const era = this.#era;
    const asked = topics.map(({ reached }) => reached.offset);
    proceed(
      () => this.#host.engine.positions!(topics, asked),
      (positions) => {
        if (era !== this.#era) return;
        topics.forEach((topic, i) => topic.checked(positions[i], asked[i]));
        next();
      },
      (error) => {
        if (era !== this.#era) return;
        this.#host.report(asError(error));
        // Quiet topics have their turn again anyway; others are not ready before they were compared.
        if (again) { for (const topic of topics) topic.acknowledged(); }
        next();
      },
    );
  }

  #checkLater(): void {
    if (this.#host.engine.positions === undefined) return;
    this.#cancelCheck = this.#host.clock.after(CHECK * (0.5 + Math.random()), () => {
      const quiet: Topic[] = [];
      for (const topic of this.#host.all()) {
        if (topic.history !== null && topic.isReady && !topic.heard) quiet.push(topic);
        topic.heard = false;
      }
      const era = this.#era;
      const next = () => {
        const page = quiet.splice(0, PAGE);
        if (page.length > 0) this.#compare(page, next, false);
        else if (era === this.#era) this.#checkLater();
      };
      next();
    });
  }

  #letGo(): void {
    const { clock, engine } = this.#host;
    this.#cancelLinger = null;
    const now = clock.now();
    const gone: Topic[] = [];
    for (const [topic, until] of this.#lingering) {
      if (until > now) {
        this.#cancelLinger = clock.after(until - now, () => this.#letGo());
        break;
      }
      this.#lingering.delete(topic);
      this.#host.release(topic);
      this.#wanted.delete(topic);
      // Also where it was not acknowledged yet: calls take effect in their order.
      if (this.#up) gone.push(topic);
    }
    if (gone.length === 0) return;
    proceed(
      () => engine.unsubscribe(gone),
      () => {},
      (error) => {
        // The engine has forgotten them by then, or tells of what nobody here is subscribed to.
        this.#host.report(asError(error));
      },
    );
  }
}
