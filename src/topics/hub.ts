import { randomBytes } from "node:crypto";
import type { WebSocketError } from "../base/errors.ts";
import { asError, proceed } from "./awaitable.ts";
import { type Clock, SYSTEM_CLOCK } from "./clock.ts";
import type {
  Engine,
  EngineEvents,
  EngineTopic,
  HistoryPage,
  HistoryRange,
  Member,
  MemberCount,
  Place,
  Position,
  Publication,
  PublishResult,
} from "./engine.ts";
import { EngineLife } from "./engine_life.ts";
import type { Format } from "./envelope.ts";
import type { ControlMessage, HubOptions } from "./hub_options.ts";
import type { HubLimits } from "./limits.ts";
import { PresenceKeeper } from "./presence_keeper.ts";
import { Publisher } from "./publisher.ts";
import type { Subscriber, Subscription } from "./subscription.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Topic } from "./topic.ts";
import { closed, full, without } from "./topic_errors.ts";
import { topicNameError } from "./topic_settings.ts";
import { Upstream } from "./upstream.ts";

/** The topics of one server: between its connections and an engine. */
export class Hub implements EngineEvents {
  /** Names this server among those of the engine. */
  readonly id: string = randomBytes(9).toString("base64url");
  readonly engine: Engine;
  /** Whether the engine was started, and is up for the first time. */
  readonly life: EngineLife;
  readonly clock: Clock;
  readonly limits: HubLimits;
  readonly plain: Format;
  readonly #options: HubOptions;
  readonly #topics = new Map<string, Topic>();
  readonly #lingering = new Map<string, Topic>();
  readonly #upstream: Upstream;
  readonly #presence: PresenceKeeper;
  readonly #publisher: Publisher;
  #number = 0;
  #closed = false;

  /** @param options What it is made of. */
  constructor(options: HubOptions) {
    this.#options = options;
    this.engine = options.engine;
    this.clock = options.clock ?? SYSTEM_CLOCK;
    this.limits = options.limits;
    this.plain = options.plain;
    this.#upstream = new Upstream(this);
    this.#presence = new PresenceKeeper(this, options.presenceTime ?? 60);
    this.#publisher = new Publisher(this);
    this.life = new EngineLife(this.engine);
  }

  // Life.

  /**
   * Starts the engine, unless it was: with the server, or with the first that asks for a topic.
   *
   * @returns Settled once it is up. Rejects where it never will be, which is reported: nobody has to wait.
   */
  start(): Promise<void> {
    this.life.start(this);
    return this.life.ready;
  }

  /**
   * Ends everything; connections have ended before.
   *
   * @returns Settled when the engine has released what it holds.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#upstream.close();
    this.#presence.close();
    for (const topic of this.all()) topic.close();
    this.#topics.clear();
    this.#lingering.clear();
    await this.life.close();
  }

  // What the server and its connections ask for.

  /** The topics that have subscribers here. */
  get topics(): ReadonlyMap<string, Topic> {
    return this.#topics;
  }

  /**
   * Gives a connection its subscriptions.
   *
   * @param subscriber The connection.
   * @returns Where it subscribes.
   */
  join(subscriber: Subscriber): Subscriptions {
    if (!this.#closed) void this.start();
    return new Subscriptions(this, subscriber);
  }

  /**
   * Publishes.
   *
   * @param publication As {@linkcode Publisher.publish} takes it.
   * @returns What became of it; never rejects.
   */
  publish(...publication: Parameters<Publisher["publish"]>): Promise<PublishResult> {
    return this.#publisher.publish(...publication);
  }

  /**
   * Counts the subscribers of a topic on this server.
   *
   * @param name The topic.
   * @returns How many there are, those under way among them.
   */
  subscriberCount(name: string): number {
    return this.#topics.get(name)?.subscriptions.size ?? 0;
  }

  /**
   * Tells where a topic's stream stands: as far as subscribers here have come where there are any, else as
   * the engine says.
   *
   * @param name The topic.
   * @returns The position; undefined for a topic without history.
   */
  async position(name: string): Promise<Position | undefined> {
    const topic = this.resolve(name);
    if (topic.history === null) return undefined;
    const here = this.#topics.get(name)?.position;
    return here ?? (await this.engine.read(topic, { limit: 0 })).position;
  }

  /**
   * Reads a topic's history.
   *
   * @param name The topic.
   * @param range Which part of it.
   * @returns The page.
   */
  async history(name: string, range: HistoryRange): Promise<HistoryPage> {
    const topic = this.resolve(name);
    if (topic.history === null) throw without(name, "history");
    return await this.engine.read(topic, range);
  }

  /**
   * Tells who is subscribed to a topic, on whatever server.
   *
   * @param name The topic.
   * @param limit The most members.
   * @returns The members.
   */
  async members(name: string, limit = 1000): Promise<readonly Member[]> {
    return await this.engine.members(this.#withPresence(name), limit);
  }

  /**
   * Counts who is subscribed to a topic, on whatever server.
   *
   * @param name The topic.
   * @returns Connections, and users.
   */
  async memberCount(name: string): Promise<MemberCount> {
    return await this.engine.memberCount(this.#withPresence(name));
  }

  /**
   * Sends a message to all servers, this one among them.
   *
   * @param message The message.
   */
  sendControl(message: ControlMessage): void {
    this.#do(() => this.engine.control(JSON.stringify(message)));
  }

  // What subscriptions ask for.

  /** Gives a name that nothing else has, on any server. */
  nextId(): string {
    return `${this.id}.${++this.#number}`;
  }

  /**
   * Asks the application.
   *
   * @param subscriber The connection.
   * @param name The topic.
   * @returns What it says.
   */
  admit(subscriber: Subscriber, name: string): unknown {
    return this.#options.onSubscribe?.(subscriber, name);
  }

  /**
   * Takes a subscription in that was admitted.
   *
   * @param subscription The subscription.
   * @returns Why it cannot be taken in, or null.
   */
  enter(subscription: Subscription): WebSocketError | null {
    if (this.#closed) return closed();
    const { name } = subscription;
    let topic = this.#topics.get(name);
    if (topic !== undefined) {
      if (topic.subscriptions.size >= this.limits.maxSubscribersPerTopic) {
        return full(name, topic.subscriptions.size);
      }
      topic.add(subscription);
      return null;
    }
    topic = this.#lingering.get(name);
    const lingering = topic !== undefined;
    try {
      topic ??= new Topic(name, this.#options.settings(name), this);
    } catch (error) {
      this.report(asError(error));
      return error as WebSocketError;
    }
    this.#lingering.delete(name);
    this.#topics.set(name, topic);
    this.#call(() => this.#options.onTopicOpen?.(name));
    topic.add(subscription);
    if (lingering) this.#upstream.keep(topic);
    else this.#upstream.open(topic);
    return null;
  }

  /**
   * Lets subscriptions go that were taken in.
   *
   * @param subscriptions Those that have ended.
   */
  left(subscriptions: readonly Subscription[]): void {
    const present = subscriptions.filter(({ begun, topic }) => begun && topic!.settings.presence);
    if (present.length > 0) this.#presence.leave(present);
    for (const { name, topic, begun, announces, member, subscriber } of subscriptions) {
      if (begun && announces) this.#do(() => this.engine.announce(topic!, "leave", member!));
      this.#call(() => this.#options.onUnsubscribe?.(subscriber, name), subscriber);
      const local = this.#topics.get(name);
      if (local === undefined || local !== topic || local.subscriptions.size > 0) continue;
      this.#topics.delete(name);
      this.#lingering.set(name, local);
      this.#upstream.linger(local);
      this.#call(() => this.#options.onTopicClose?.(name));
    }
  }

  // What topics and the rest of this folder ask for.

  /**
   * Tells who is not to be given a publication; once.
   *
   * @param id The publication's name.
   * @returns Those, if any.
   */
  takeExcept(id: string): ReadonlySet<Subscriber> | undefined {
    return this.#publisher.takeExcept(id);
  }

  /**
   * Takes note that a subscription has begun.
   *
   * @param subscription The subscription.
   */
  began(subscription: Subscription): void {
    const { announces, owner, topic } = subscription;
    const { presence } = topic!.settings;
    subscription.begun = true;
    if (!announces && !presence) return;
    const member = subscription.member ??= { id: owner.id, user: "" };
    if (presence) this.#presence.enter(subscription);
    if (announces) this.#do(() => this.engine.announce(topic!, "join", member));
  }

  /** All topics that are followed, those that linger among them. */
  all(): Iterable<Topic> {
    return [...this.#topics.values(), ...this.#lingering.values()];
  }

  /**
   * Forgets a topic that nobody came back to.
   *
   * @param topic A topic that has lingered.
   */
  release(topic: Topic): void {
    this.#lingering.delete(topic.name);
    topic.close();
  }

  /**
   * Turns those away who wait for a topic that the engine does not take.
   *
   * @param topic The topic.
   * @param error Why.
   */
  refused(topic: Topic, error: Error): void {
    this.report(error);
    for (const subscription of [...topic.subscriptions]) {
      if (subscription.pending !== null) subscription.owner.refuse(subscription, error);
    }
  }

  /**
   * Reports an error.
   *
   * @param error The error.
   * @param subscriber Whose it is, if it is one's.
   */
  report(error: Error, subscriber?: Subscriber): void {
    this.#options.report(error, subscriber);
  }

  // What the engine tells.

  /** A publication was announced. */
  publication(name: string, publication: Publication, place: Place | null): void {
    this.#find(name)?.receive(publication, place);
  }

  /** Somebody has come or gone. */
  presence(name: string, kind: "join" | "leave", member: Member): void {
    this.#topics.get(name)?.presence(kind, member);
  }

  /** A control message has come. */
  control(text: string): void {
    this.#call(() => this.#options.onControl?.(JSON.parse(text)));
  }

  /** The engine is away. */
  down(error: Error): void {
    if (this.#closed) return;
    this.report(error);
    this.#options.onDown?.(error);
    this.#upstream.down();
    // Nobody knows when it comes back, and publishing is answered soon.
    for (const topic of this.all()) topic.publishNow();
  }

  /** The engine is there. */
  up(): void {
    if (this.#closed) return;
    this.#upstream.up();
    this.#presence.refresh();
    this.#options.onUp?.();
  }

  /** Some subscriptions are gone. */
  dropped(names: readonly string[]): void {
    if (this.#closed) return;
    const topics = names.map((name) => this.#find(name)).filter((it) => it !== undefined);
    this.#upstream.dropped(topics);
  }

  /** Something else has failed. */
  error(error: Error): void {
    this.report(error);
  }

  #find(name: string): Topic | undefined {
    return this.#topics.get(name) ?? this.#lingering.get(name);
  }

  /**
   * Gives a topic by its name, whether anybody here is subscribed or not.
   *
   * @param name The name.
   * @returns The topic.
   * @throws {WebSocketError} For a name that is not valid, and after the end.
   */
  resolve(name: string): EngineTopic {
    if (this.#closed) throw closed();
    const error = topicNameError(name);
    if (error !== null) throw error;
    void this.start();
    return this.#topics.get(name) ?? { name, history: this.#options.settings(name).history };
  }

  #withPresence(name: string): EngineTopic {
    const topic = this.resolve(name);
    if (!this.#options.settings(name).presence) throw without(name, "presence");
    return topic;
  }

  // Failing.

  /** Asks the engine for something that nobody waits for. */
  #do(act: () => void | PromiseLike<void>): void {
    proceed(act, () => {}, (error) => this.report(asError(error)));
  }

  /** Calls the application. */
  #call(act: () => void, subscriber?: Subscriber): void {
    try {
      act();
    } catch (error) {
      this.report(asError(error), subscriber);
    }
  }
}
