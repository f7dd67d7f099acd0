import type {
  HistoryPage,
  HistorySettings,
  Member,
  Place,
  Position,
  Publication,
} from "./engine.ts";
import { Backoff } from "./backoff.ts";
import { Envelope, type Format } from "./envelope.ts";
import { Follower, type FollowerEvents } from "./follower.ts";
import type { HubLimits } from "./limits.ts";
import type { TopicCounts, TopicHost } from "./topic_host.ts";
import { Recoveries, type RecoveriesOwner } from "./recoveries.ts";
import type { Reached } from "./recovery.ts";
import { Stage, type SubscribedTopic, type Subscription } from "./subscription.ts";
import type { ResolvedTopicSettings } from "./topic_settings.ts";
import type { SharedMessage } from "../transport/channel.ts";

/** One topic on this server: its subscribers, and how they are given what is published. */
export class Topic implements SubscribedTopic, FollowerEvents, RecoveriesOwner {
  /** Its name. */
  readonly name: string;
  /** What it keeps. */
  readonly settings: ResolvedTopicSettings;
  /** What has happened. */
  readonly counts: TopicCounts = {
    published: 0,
    dropped: 0,
    replaced: 0,
    disconnected: 0,
    gaps: 0,
    repeats: 0,
    interrupted: 0,
  };
  /** All that were admitted, live or not. */
  readonly subscriptions = new Set<Subscription>();
  /** Whether the engine has acknowledged that this server is subscribed. */
  upstream = false;
  /** What is to be published once those have begun who wait, in order. */
  publishing: Set<() => void> | null = null;
  /** Set when something was heard from the engine; whoever looks for silence clears it. */
  heard = false;
  readonly #host: TopicHost;
  readonly #follower: Follower | null = null;
  readonly #recoveries: Recoveries | null = null;
  // Those that wait for the topic, or for it to catch up with what they have seen.
  readonly #waiting: Subscription[] = [];
  // What was read after the position of the first subscriber, in the step that told the topic's own.
  #first: { page: HistoryPage; since: Position } | null = null;
  // Set while subscribers are called, who may call back: what that comes to waits.
  #busy = false;
  #draining = false;
  readonly #later: (() => void)[] = [];
  #closed = false;

  /**
   * @param name Its name.
   * @param settings What it keeps.
   * @param host The hub.
   */
  constructor(name: string, settings: ResolvedTopicSettings, host: TopicHost) {
    this.name = name;
    this.settings = settings;
    this.#host = host;
    if (settings.history === null) return;
    const { engine, clock, limits } = host;
    const held = { count: limits.maxHeld, bytes: limits.maxHeldBytes };
    const recovery = { count: limits.maxRecovered, bytes: limits.maxRecoveredBytes };
    this.#follower = new Follower(engine, this, this, this.counts, held, new Backoff(clock));
    this.#recoveries = new Recoveries(engine, this, this, recovery, held, clock);
  }

  /** What is kept of it. */
  get history(): HistorySettings | null {
    return this.settings.history;
  }

  /** What may wait. */
  get limits(): HubLimits {
    return this.#host.limits;
  }

  /** How far its stream has been followed; the epoch is "" before anything is known. */
  get reached(): Reached {
    return this.#follower!.reached;
  }

  /** Where it stands on this server; undefined without history, and before that is known. */
  get position(): Position | undefined {
    const reached = this.#follower?.reached;
    if (reached === undefined || reached.epoch === "") return undefined;
    return { epoch: reached.epoch, offset: reached.offset };
  }

  /** Whether somebody waits for the topic to be ready. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether subscriptions to it can begin. */
  get isReady(): boolean {
    return this.upstream && (this.#follower?.caughtUp ?? true);
  }

  // Upstream.

  /** The engine is about to be asked to subscribe. */
  opening(): void {
    this.#follower?.hold();
  }

  /** Publishes what has waited. */
  publishNow(): void {
    if (this.publishing === null) return;
    const { publishing } = this;
    this.publishing = null;
    for (const publish of publishing) publish();
  }

  /** The engine has acknowledged the subscription, for the first time or again. */
  acknowledged(): void {
    if (this.#closed) return;
    this.upstream = true;
    if (this.#follower === null) return this.caughtUp();
    if (this.#follower.reached.epoch !== "") return this.#follower.catchUp();
    this.#follower.open(this.#waiting.find(({ setup }) => setup.position)?.setup.position);
  }

  /**
   * The engine has acknowledged it again, and told where the stream stands.
   *
   * @param position Where.
   * @param asked How far this server had come when it asked.
   */
  checked(position: Position, asked: number): void {
    if (this.#closed) return;
    this.upstream = true;
    const follower = this.#follower!;
    follower.check(position, asked);
    if (follower.caughtUp) this.caughtUp();
  }

  /** The upstream subscription is gone: what is published meanwhile is not told of. */
  lost(): void {
    this.upstream = false;
    // What has a history is looked up there; for the others it is a gap that nothing fills.
    if (this.#follower === null) this.counts.gaps++;
  }

  /**
   * Takes an announcement.
   *
   * @param publication What was published.
   * @param place Where it stands.
   */
  receive(publication: Publication, place: Place | null): void {
    if (this.#busy) {
      this.#later.push(() => this.receive(publication, place));
      return;
    }
    if (this.#closed) return;
    this.heard = true;
    if (this.#follower === null) this.next(publication);
    else if (place !== null) this.#follower.receive(publication, place);
    else this.#mismatch();
  }

  /**
   * Tells subscribers of somebody who has come or gone.
   *
   * @param kind What has happened.
   * @param member Who it is.
   */
  presence(kind: "join" | "leave", member: Member): void {
    this.#exclusively(() => {
      const messages = new Map<Format, SharedMessage | undefined>();
      for (const { stage, format, subscriber } of this.subscriptions) {
        if (stage !== Stage.LIVE || format.presence === undefined) continue;
        try {
          let message = messages.get(format);
          if (message === undefined) {
            messages.set(format, message = format.presence(this.name, kind, member));
          }
          subscriber.deliver(message);
        } catch (error) {
          this.#host.report(error as Error, subscriber);
        }
      }
    });
  }

  /** Ends it: nobody is told anything any more. */
  close(): void {
    this.#closed = true;
    this.#follower?.close();
    this.#recoveries?.abandon();
  }

  // Subscriptions.

  /**
   * Takes a subscription in, which begins as soon as it can.
   *
   * @param subscription The subscription, which was admitted.
   */
  add(subscription: Subscription): void {
    this.subscriptions.add(subscription);
    subscription.topic = this;
    subscription.stage = Stage.WAITING;
    this.#beginAlone(subscription);
  }

  #beginAlone(subscription: Subscription): void {
    if (this.#busy) this.#later.push(() => this.#beginAlone(subscription));
    else if (!this.#begin(subscription, null)) this.#follower!.catchUp();
  }

  /**
   * Lets a subscription go.
   *
   * @param subscription The subscription, which has ended.
   * @param stage How far it had come.
   */
  remove(subscription: Subscription, stage: Stage): void {
    this.subscriptions.delete(subscription);
    if (stage !== Stage.WAITING) return;
    const at = this.#waiting.indexOf(subscription);
    if (at >= 0) this.#waiting.splice(at, 1);
    if (this.#waiting.length === 0) this.publishNow();
  }

  /** Begins, or waits; false where the topic has to catch up with what the subscriber has seen. */
  #begin(subscription: Subscription, page: HistoryPage | null): boolean {
    if (subscription.stage !== Stage.WAITING) return true;
    if (!this.isReady) {
      this.#waiting.push(subscription);
      return true;
    }
    const since = subscription.setup.position;
    if (this.#follower === null || since === undefined) {
      return this.#goLive(subscription, null);
    }
    const { epoch, offset } = this.#follower.reached;
    if (since.epoch !== "" && since.epoch !== epoch) return this.#goLive(subscription, null);
    if (since.offset === offset) return this.#goLive(subscription, []);
    if (since.offset < offset) {
      this.#recoveries!.recover(subscription, since.offset, page);
      return true;
    }
    // It has seen more than this server, or claims to: the engine knows. It waits for no second answer.
    if (subscription.verified) return this.#goLive(subscription, null);
    subscription.verified = true;
    this.#waiting.push(subscription);
    return false;
  }

  /** Has a subscription go live; `missed` is null where it did not recover. */
  #goLive(subscription: Subscription, missed: readonly Envelope[] | null): true {
    this.#exclusively(() => this.#settle(subscription, missed));
    return true;
  }

  #settle(subscription: Subscription, missed: readonly Envelope[] | null): void {
    if (subscription.stage !== Stage.WAITING) return;
    try {
      subscription.begin(missed);
    } catch (error) {
      this.#host.report(error as Error, subscription.subscriber);
    }
    if ((subscription.stage as Stage) === Stage.LIVE) this.#host.began(subscription);
  }

  // What the follower tells.

  /**
   * Keeps the first page, for whom it was read.
   *
   * @param page What was read.
   * @param since The position after which it was read.
   */
  opened(page: HistoryPage, since: Position | undefined): void {
    this.#first = since === undefined ? null : { page, since };
  }

  /** Has those begin who wait for the topic to be where it should be. */
  caughtUp(): void {
    if (!this.upstream) return;
    const first = this.#first;
    this.#first = null;
    let reached = true;
    for (const subscription of this.#waiting.splice(0)) {
      const fits = first !== null && subscription.setup.position === first.since;
      if (!this.#begin(subscription, fits ? first.page : null)) reached = false;
    }
    if (!reached) return this.#follower!.catchUp();
    this.publishNow();
  }

  /**
   * Gives a publication to all subscribers.
   *
   * @param publication The publication.
   */
  next(publication: Publication): void {
    this.counts.published++;
    this.#recoveries?.published(publication);
    if (this.subscriptions.size === 0) return;
    const envelope = new Envelope(this.name, publication);
    const except = this.#host.takeExcept(publication.id);
    const outer = this.#busy;
    this.#busy = true;
    for (const subscription of this.subscriptions) {
      if (subscription.stage !== Stage.LIVE) continue;
      if (except !== undefined && except.has(subscription.subscriber)) continue;
      try {
        subscription.give(envelope);
      } catch (error) {
        this.#host.report(error as Error, subscription.subscriber);
      }
    }
    this.#busy = outer;
    if (!outer) this.#runLater();
  }

  /** Tells all subscribers that something is lost. */
  restarted(): void {
    this.#exclusively(() => {
      const position = this.position!;
      for (const subscription of this.subscriptions) {
        if (subscription.stage !== Stage.LIVE) continue;
        subscription.recovered = false;
        try {
          subscription.subscriber.interrupted(this.name, position);
        } catch (error) {
          this.#host.report(error as Error, subscription.subscriber);
        }
      }
      this.#recoveries!.abandon();
    });
  }

  /** @param error Why history could not be read; it is tried again. */
  failed(error: Error): void {
    this.#host.report(error);
  }

  // What recoveries tell.

  /**
   * Has those go live who have recovered, or cannot.
   *
   * @param subscriptions Who.
   * @param missed What they have missed; null where that cannot be recovered.
   */
  recovered(subscriptions: readonly Subscription[], missed: readonly Envelope[] | null): void {
    this.#exclusively(() => {
      for (const subscription of subscriptions) this.#settle(subscription, missed);
    });
  }

  /**
   * Looks into what the stream is by now.
   *
   * @param subscriptions Those that wait for that.
   */
  unsettled(subscriptions: readonly Subscription[]): void {
    if (this.#closed) return;
    for (const subscription of subscriptions) {
      if (subscription.stage === Stage.WAITING) this.#waiting.push(subscription);
    }
    this.#follower!.catchUp();
  }

  // Order.

  /** Calls subscribers: what they do to this topic within that comes after it. */
  #exclusively(act: () => void): void {
    const outer = this.#busy;
    this.#busy = true;
    try {
      act();
    } finally {
      this.#busy = outer;
    }
    if (!outer) this.#runLater();
  }

  /** Does what has come while subscribers were called, in that order. */
  #runLater(): void {
    if (this.#draining) return;
    this.#draining = true;
    for (let act = this.#later.shift(); act !== undefined; act = this.#later.shift()) act();
    this.#draining = false;
  }

  #mismatch(): void {
    this.#host.report(
      new Error(
        `A publication to "${this.name}" came without an offset, though this server keeps its history: ` +
          "give all servers the same topics option",
      ),
    );
  }
}
