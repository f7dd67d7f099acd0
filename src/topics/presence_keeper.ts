import { asError, proceed } from "./awaitable.ts";
import type { Clock } from "./clock.ts";
import type { Engine, PresenceEntry } from "./engine.ts";
import { Stage, type Subscription } from "./subscription.ts";
import type { Topic } from "./topic.ts";

/** The most members that are written at once. */
const PAGE = 512;

/** What presence needs of the hub. */
export interface PresenceHost {
  readonly engine: Engine;
  readonly clock: Clock;
  /** The topics that have subscribers here. */
  readonly topics: ReadonlyMap<string, Topic>;
  report(error: Error): void;
}

/** Keeps the members who are here present at the engine, for as long as they are. */
export class PresenceKeeper {
  readonly #host: PresenceHost;
  readonly #seconds: number;
  #cancel: (() => void) | null = null;
  #closed = false;

  /**
   * @param host The hub.
   * @param seconds How long a member is there unless written again.
   */
  constructor(host: PresenceHost, seconds: number) {
    this.#host = host;
    this.#seconds = seconds;
  }

  /** @param subscription One that has begun, on a topic with presence. */
  enter(subscription: Subscription): void {
    this.#write([entryOf(subscription)]);
    this.#refreshLater();
  }

  /** @param subscriptions Those that have ended, on topics with presence. */
  leave(subscriptions: readonly Subscription[]): void {
    this.#do(() => this.#host.engine.leave(subscriptions.map(entryOf)));
  }

  /** Writes all again: the engine was away. */
  refresh(): void {
    const entries: PresenceEntry[] = [];
    for (const topic of this.#host.topics.values()) {
      if (!topic.settings.presence) continue;
      for (const subscription of topic.subscriptions) {
        if (subscription.stage === Stage.LIVE) entries.push(entryOf(subscription));
      }
    }
    for (let i = 0; i < entries.length; i += PAGE) this.#write(entries.slice(i, i + PAGE));
    if (entries.length > 0) this.#refreshLater();
  }

  /** Ends it. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #write(entries: readonly PresenceEntry[]): void {
    this.#do(() => this.#host.engine.enter(entries, this.#seconds));
  }

  #do(act: () => void | PromiseLike<void>): void {
    // What fails is made up for: members are written again, and those who have gone run out of time.
    proceed(act, () => {}, (error) => this.#host.report(asError(error)));
  }

  /** Has members written again at about a third of their time. */
  #refreshLater(): void {
    if (this.#cancel !== null || this.#closed) return;
    const third = this.#seconds * 1000 / 3;
    this.#cancel = this.#host.clock.after(third * (0.8 + Math.random() * 0.2), () => {
      this.#cancel = null;
      this.refresh();
    });
  }
}

function entryOf(subscription: Subscription): PresenceEntry {
  return { topic: subscription.topic!, member: subscription.member! };
}
