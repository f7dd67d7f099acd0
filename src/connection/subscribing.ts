import type { BinaryData } from "../base/bytes.ts";
import { invalid, isRecord, strangersIn } from "../base/option_values.ts";

/** How far a topic's stream has come. */
export interface Position {
  /** Names this incarnation of the stream; another one means that what was before is lost. */
  readonly epoch: string;
  /** The offset of the last publication; 0 before the first. */
  readonly offset: number;
}

/** What `subscribe` takes. */
export interface SubscribeOptions {
  /** The last position that the subscriber has seen. An empty epoch stands for any. */
  readonly position?: Position | undefined;
  /** Whose connection it is, where the topic has presence; by default nobody's in particular. */
  readonly user?: string | undefined;
  /** What else others may know of it, where the topic has presence. */
  readonly info?: string | undefined;
}

/** What a subscription has come to. */
export interface SubscribeResult {
  /** The topic's name. */
  readonly topic: string;
  /** Where it begins, what was recovered included; undefined for a topic without history. */
  readonly position?: Position | undefined;
  /** Whether everything after the given position was recovered; false where none was given. */
  readonly recovered: boolean;
}

/** A connection's subscription to a topic, as it is now. */
export interface TopicSubscription {
  /** The topic's name. */
  readonly name: string;
  /**
   * How far the connection was sent publications; undefined without history, before the subscription has
   * begun, and once something was left out.
   */
  readonly position: Position | undefined;
  /** Whether everything since the position it began from was sent; false where it began from none. */
  readonly recovered: boolean;
  /** How many publications were left out or replaced by newer ones, since the connection was slow. */
  readonly leftOut: number;
}

/** What may be said of a publication. */
export interface PublishOptions {
  /** What it is about: a slow subscriber of a topic with `slow: "latest"` is sent the newest of each key. */
  readonly key?: string | undefined;
  /** The application's own labels, which engines carry. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** A repeat with the same key, on the same topic and within five minutes, is not published again. */
  readonly idempotencyKey?: string | undefined;
}

/** What became of a publication. */
export interface PublishResult {
  /**
   * true: it is published; false: it is not and will not be; "unknown": it may be. A deadline that has
   * passed is no refusal.
   */
  readonly accepted: boolean | "unknown";
  /** Where it stands in the stream, where there is history. */
  readonly position?: Position;
  /** Set when its `idempotencyKey` was known: this is the position of the first one. */
  readonly repeated?: true;
  /** What went wrong, unless it was accepted. */
  readonly error?: Error;
}

/** The subscriptions of one connection. */
export interface ConnectionSubscriptions {
  /** All of them, those that have not begun among them; after the end, those that there were. */
  readonly list: ReadonlyMap<string, TopicSubscription>;
  /** Subscribes; a second call for the same topic gives the same answer. */
  subscribe(topic: string, options: SubscribeOptions): Promise<SubscribeResult>;
  /** Ends a subscription; tells whether there was one. */
  unsubscribe(topic: string): boolean;
  /** Whether a topic is subscribed to, and that has begun. */
  has(topic: string): boolean;
  /** Sends what has waited for room. */
  flush(): void;
  /** Ends all of them, since the connection has ended; for being slow, maybe. */
  end(slow: boolean): void;
}

/** The topics of the server, as a connection sees them. */
export interface ConnectionTopics<Subscriber> {
  /** Gives a connection its subscriptions, which it keeps. */
  join(subscriber: Subscriber): ConnectionSubscriptions;
  /** Publishes to all but one; never rejects. */
  publish(
    topic: string,
    data: string | BinaryData,
    options: PublishOptions | undefined,
    except: Subscriber,
  ): Promise<PublishResult>;
}

const SUBSCRIBE_OPTIONS = ["position", "user", "info"];

/**
 * Reads what `subscribe` was given: a position may be a client's, so nothing is taken for granted.
 *
 * @param options The options.
 * @returns Those that there are.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for a value that is not right.
 */
export function readSubscribeOptions(options: SubscribeOptions): SubscribeOptions {
  if (!isRecord(options)) throw invalid("the options of subscribe()", options, "an object");
  const [unknown] = strangersIn(options, SUBSCRIBE_OPTIONS);
  if (unknown !== undefined) throw invalid("the option", unknown, SUBSCRIBE_OPTIONS.join(", "));
  const { position, user, info } = options;
  for (const [name, value] of Object.entries({ user, info })) {
    if (value !== undefined && typeof value !== "string") throw invalid(name, value, "a string");
  }
  if (position !== undefined && !isPosition(position)) {
    throw invalid("position", position, "{ epoch, offset }: a string and a whole number from 0 on");
  }
  return { position, user, info };
}

/**
 * Whether a value that a peer may have sent is a position.
 *
 * @param value Anything.
 * @returns Whether it has an epoch and an offset that a stream can have.
 */
export function isPosition(value: unknown): value is Position {
  if (typeof value !== "object" || value === null) return false;
  const { epoch, offset } = value as Partial<Position>;
  return typeof epoch === "string" && Number.isSafeInteger(offset) && offset! >= 0;
}
