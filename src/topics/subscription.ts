import type {
  SubscribeOptions,
  SubscribeResult,
  TopicSubscription,
} from "../connection/subscribing.ts";
import type { Envelope, Format } from "./envelope.ts";
import type { EngineTopic, Member, Position } from "./engine.ts";
import type { SharedMessage } from "../transport/channel.ts";
import type { ResolvedTopicSettings } from "./topic_settings.ts";

/** One who subscribes, as topics see it: a connection. */
export interface Subscriber {
  /** How many bytes wait to be taken by the operating system. */
  readonly bufferedAmount: number;
  /** Over so many waiting bytes it counts as slow. */
  readonly highWaterMark: number;
  /**
   * Sends a message.
   *
   * @param message The message, which others send too.
   */
  deliver(message: SharedMessage): void;
  /** Asks for one call of `Subscriptions.flush()` when nothing waits any more. */
  notifyDrained(): void;
  /**
   * Publications were lost on the way to this server: the application has to load its state.
   *
   * @param topic The topic's name.
   * @param position From where on it goes on.
   */
  interrupted(topic: string, position: Position): void;
  /**
   * A publication cannot be told in the subscription's format; left out where the format can tell all.
   *
   * @param topic The topic's name.
   */
  unencodable?(topic: string): void;
  /**
   * More keys wait than may wait for a slow subscriber.
   *
   * @param topic The topic's name.
   */
  overflowed(topic: string): void;
}

/** What a layer above may say of a subscription. */
export interface SubscriptionSetup extends SubscribeOptions {
  /** How publications are put on the wire; the hub's plain format by default. */
  readonly format?: Format;
  /** Who it is to others, where the topic has presence; by default made of `user` and `info`. */
  readonly member?: Member;
  /** Whether its coming and going is announced; default false. */
  readonly announce?: boolean;
  /**
   * Called once it has begun, before the first live publication. Sends what was recovered; by default all
   * of it is sent as messages.
   */
  readonly begin?: (result: SubscribeResult, recovered: readonly Envelope[]) => void;
}

/** How far a subscription has come; the order counts. */
export const Stage = {
  /** `onSubscribe` is being asked. */
  ASKING: 0,
  /** Its topic is not ready yet, or it is being given what it has missed. */
  WAITING: 1,
  LIVE: 2,
  LEFT: 3,
} as const;
/** How far a subscription has come. */
export type Stage = (typeof Stage)[keyof typeof Stage];

/** Somebody waits for a subscription to begin. */
export interface Pending {
  readonly promise: Promise<SubscribeResult>;
  readonly resolve: (result: SubscribeResult) => void;
  readonly reject: (error: Error) => void;
}

/** Whose a subscription is. */
export interface SubscriptionOwner {
  /** Names the connection, uniquely over all servers. */
  readonly id: string;
  /** Ends a subscription that will not begin. */
  refuse(subscription: Subscription, error: Error): void;
}

/** A topic as its subscriptions see it. */
export interface SubscribedTopic extends EngineTopic {
  readonly settings: ResolvedTopicSettings;
  readonly counts: { dropped: number; replaced: number; disconnected: number };
  readonly limits: { readonly maxWaitingKeys: number };
  readonly position: Position | undefined;
  /** Lets a subscription go, which had come so far. */
  remove(subscription: Subscription, stage: Stage): void;
}

const NOTHING: SubscriptionSetup = {};

/** One connection's subscription to one topic. */
export class Subscription implements TopicSubscription {
  /** The topic's name. */
  readonly name: string;
  /** Whose it is. */
  readonly owner: SubscriptionOwner;
  /** Who subscribes. */
  readonly subscriber: Subscriber;
  /** How publications are put on the wire. */
  readonly format: Format;
  /** What a layer above has said of it, until it has begun. */
  setup: SubscriptionSetup;
  stage: Stage = Stage.ASKING;
  /** The topic, once it was admitted. */
  topic: SubscribedTopic | null = null;
  /** Those who wait for it to begin. */
  pending: Pending | null = null;
  /** How many publications were left out since it was slow. */
  leftOut = 0;
  /** Whether everything since its position was given to it. */
  recovered = false;
  /** Set once the engine was asked about a position that this server has not reached. */
  verified = false;
  /** Whether it has begun, and is known as present where the topic has presence. */
  begun = false;
  /** Whether its coming and going is announced. */
  readonly announces: boolean;
  /** Who it is to others, where the topic has presence or it is announced. */
  member: Member | null;
  // The newest of each key, while it is slow.
  #waiting: Map<string, Envelope> | null = null;
  #left: Position | undefined = undefined;

  /**
   * @param name The topic's name.
   * @param owner Whose it is.
   * @param subscriber Who subscribes.
   * @param format How publications are put on the wire.
   * @param setup What a layer above says of it.
   */
  constructor(
    name: string,
    owner: SubscriptionOwner,
    subscriber: Subscriber,
    format: Format,
    setup: SubscriptionSetup,
  ) {
    this.name = name;
    this.owner = owner;
    this.subscriber = subscriber;
    this.format = format;
    this.setup = setup;
    this.announces = setup.announce ?? false;
    this.member = setup.member ?? null;
  }

  /**
   * How far it was given publications; undefined without history, and once something was left out, since
   * nobody could tell what.
   */
  get position(): Position | undefined {
    if (this.stage === Stage.LEFT) return this.#left;
    if (this.stage !== Stage.LIVE || this.leftOut > 0) return undefined;
    if (this.#waiting !== null && this.#waiting.size > 0) return undefined;
    return this.topic!.position;
  }

  /**
   * Begins: what was missed is given, then those who wait are told.
   *
   * @param missed What it has missed; null where it did not recover.
   */
  begin(missed: readonly Envelope[] | null): void {
    const { setup } = this;
    this.stage = Stage.LIVE;
    this.setup = NOTHING;
    this.recovered = missed !== null;
    try {
      if (setup.begin !== undefined) setup.begin(this.#result(), missed ?? []);
      else if (missed !== null) this.#giveAll(missed);
    } finally {
      this.pending?.resolve(this.#result());
      this.pending = null;
    }
  }

  #result(): SubscribeResult {
    return { topic: this.name, position: this.topic!.position, recovered: this.recovered };
  }

  #giveAll(missed: readonly Envelope[]): void {
    for (const envelope of missed) {
      this.give(envelope);
      // Whoever was given it may have left within that.
      if (this.stage === Stage.LEFT) return;
    }
  }

  /** Ends it; the position stays what it was. */
  leave(): void {
    const { position } = this;
    this.stage = Stage.LEFT;
    this.#left = position;
    this.#waiting = null;
  }

  /**
   * Gives it a publication, by its topic's rule for those that are slow.
   *
   * @param envelope The publication.
   */
  give(envelope: Envelope): void {
    const { subscriber, topic } = this;
    const { slow } = topic!.settings;
    if (slow !== "disconnect") {
      if (this.#waiting !== null) return this.#keep(envelope);
      if (subscriber.bufferedAmount > subscriber.highWaterMark) {
        if (slow === "latest") return this.#keep(envelope);
        this.leftOut++;
        this.recovered = false;
        topic!.counts.dropped++;
        return;
      }
    }
    this.#send(envelope);
  }

  /** Sends what has waited, as far as there is room. */
  flush(): void {
    const { subscriber } = this;
    if (this.#waiting === null || this.stage !== Stage.LIVE) return;
    for (const [key, envelope] of this.#waiting) {
      if (subscriber.bufferedAmount > subscriber.highWaterMark) {
        subscriber.notifyDrained();
        return;
      }
      this.#waiting.delete(key);
      this.#send(envelope);
      // Whoever was sent to may have left within that.
      if (this.#waiting === null) return;
    }
    this.#waiting = null;
  }

  #send(envelope: Envelope): void {
    const message = envelope.in(this.format);
    if (message === null) {
      this.subscriber.unencodable?.(this.name);
      return;
    }
    try {
      this.subscriber.deliver(message);
    } catch (error) {
      // It is over what this connection sends, say: then it has not seen all.
      this.leftOut++;
      this.recovered = false;
      throw error;
    }
  }

  /** Keeps a publication in the place of the one with the same key. */
  #keep(envelope: Envelope): void {
    const { counts, limits } = this.topic!;
    if (this.#waiting === null) {
      this.#waiting = new Map();
      this.subscriber.notifyDrained();
    }
    const { key = "" } = envelope.publication;
    // Taken out first, so that what goes out keeps the order of publishing.
    if (this.#waiting.delete(key)) {
      counts.replaced++;
      this.leftOut++;
      this.recovered = false;
    } else if (this.#waiting.size >= limits.maxWaitingKeys) {
      this.subscriber.overflowed(this.name);
      return;
    }
    this.#waiting.set(key, envelope);
  }
}
