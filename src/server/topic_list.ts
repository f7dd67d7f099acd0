import type { Position } from "../connection/subscribing.ts";
import type { TopicCounts } from "../topics/topic_host.ts";

/** A topic that has subscribers on this server, as it is now. */
export interface ServerTopic<C> {
  /** Its name. */
  readonly name: string;
  /** How many connections are subscribed, those under way among them. */
  readonly subscriberCount: number;
  /** The connections that are subscribed. */
  readonly connections: Iterable<C>;
  /** How far subscribers here have come; undefined without history, and before that is known. */
  readonly position: Position | undefined;
  /** What has happened on this server since its first subscriber. */
  readonly counts: Readonly<TopicCounts>;
}

/** A topic as the hub gives it. */
interface HubTopic {
  readonly name: string;
  readonly position: Position | undefined;
  readonly counts: TopicCounts;
  readonly subscriptions: ReadonlySet<{ readonly subscriber: unknown }>;
}

/**
 * A live view of the topics that have subscribers on a server.
 *
 * @example
 * ```ts
 * import { WebSocketServer } from "@duet/websocket";
 *
 * const server = new WebSocketServer();
 * for (const topic of server.topics) console.log(topic.name, topic.subscriberCount);
 * ```
 */
export class TopicList<C> implements Iterable<ServerTopic<C>> {
  readonly #topics: ReadonlyMap<string, HubTopic>;
  readonly #connectionOf: (subscriber: unknown) => C;

  /**
   * Makes a view.
   *
   * @param topics What is looked at.
   * @param connectionOf Gives a subscriber's connection.
   */
  constructor(
    topics: ReadonlyMap<string, HubTopic>,
    connectionOf: (subscriber: unknown) => C,
  ) {
    this.#topics = topics;
    this.#connectionOf = connectionOf;
  }

  /** How many there are. */
  get size(): number {
    return this.#topics.size;
  }

  /**
   * Gives a topic.
   *
   * @param name Its name.
   * @returns The topic, if it has subscribers here.
   */
  get(name: string): ServerTopic<C> | undefined {
    const topic = this.#topics.get(name);
    return topic === undefined ? undefined : this.#view(topic);
  }

  /** Goes through the topics; those that come meanwhile are included. */
  *[Symbol.iterator](): Generator<ServerTopic<C>, void, void> {
    for (const topic of this.#topics.values()) yield this.#view(topic);
  }

  #view(topic: HubTopic): ServerTopic<C> {
    const connectionOf = this.#connectionOf;
    return {
      name: topic.name,
      get subscriberCount() {
        return topic.subscriptions.size;
      },
      connections: {
        *[Symbol.iterator]() {
          for (const { subscriber } of topic.subscriptions) yield connectionOf(subscriber);
        },
      },
      get position() {
        return topic.position;
      },
      counts: topic.counts,
    };
  }
}
