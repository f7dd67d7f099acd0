import type { BinaryData } from "../base/bytes.ts";
import { WebSocketError } from "../base/errors.ts";
import {
  type ConnectionSubscriptions,
  type ConnectionTopics,
  type PublishOptions,
  type PublishResult,
  readSubscribeOptions,
  type SubscribeOptions,
  type SubscribeResult,
  type TopicSubscription,
} from "./subscribing.ts";

/** What a connection does with topics: names that messages are published to. */
export interface TopicMembers {
  /**
   * Subscribes to a topic: from then on every publication to it is sent to the client as a message. A second
   * call for the same topic changes nothing and gives the same answer. Ends with the connection.
   *
   * @param topic Its name, of 1 to 255 bytes.
   * @param options Where to go on from, and who this is to others.
   * @returns Settled once it has begun, and with a `position` once all that was missed has been sent. Rejects
   * with ERR_REFUSED when `onSubscribe` refuses it, with ERR_LIMIT when `maxTopicsPerConnection` or
   * `maxSubscribersPerTopic` is reached, with ERR_STATE when the connection is not open, or the subscription
   * over before it began, and with ERR_INVALID_ARGUMENT. Nobody has to wait for that.
   *
   * @example
   * ```ts
   * import { WebSocketServer } from "@duet/websocket";
   *
   * const server = new WebSocketServer({
   *   onConnect: (_server, connection) =>
   *     void connection.on({
   *       ready: (connection) => void connection.subscribe("news"),
   *       utf8: (connection, data) => void connection.publish("news", data),
   *     }),
   * });
   * ```
   */
  subscribe(topic: string, options?: SubscribeOptions): Promise<SubscribeResult>;
  /**
   * Ends a subscription, also one that is under way.
   *
   * @param topic The topic.
   * @returns Whether there was one.
   */
  unsubscribe(topic: string): boolean;
  /**
   * Tells whether publications to a topic are sent to this client.
   *
   * @param topic The topic.
   * @returns Whether it is subscribed to, and that has begun.
   */
  isSubscribed(topic: string): boolean;
  /**
   * The subscriptions by topic, as they are now, those under way among them. From the end of the connection
   * on, those that there were: the `disconnect` handler sees them all.
   */
  readonly subscriptions: ReadonlyMap<string, TopicSubscription>;
  /**
   * Publishes to all subscribers of a topic but this connection, which need not be one.
   *
   * @param topic The topic.
   * @param data The message, a string as text.
   * @param options What else there is to say.
   * @returns What became of it; never rejects.
   */
  publish(
    topic: string,
    data: string | BinaryData,
    options?: PublishOptions,
  ): Promise<PublishResult>;
}

/** What topics need of a session. */
export interface TopicSession {
  readonly state: string;
  readonly host: { readonly topics: ConnectionTopics<unknown> } | undefined;
  /** Made with the first subscription. */
  subscriptions: ConnectionSubscriptions | null;
}

function subscribe(
  session: TopicSession,
  topic: string,
  options: SubscribeOptions = {},
): Promise<SubscribeResult> {
  try {
    const read = readSubscribeOptions(options);
    if (session.state !== "ready") throw notOpen();
    session.subscriptions ??= session.host!.topics.join(session);
    return session.subscriptions.subscribe(topic, read);
  } catch (error) {
    const refused = Promise.reject(error);
    // Whoever does not wait for it must not have the process end.
    refused.catch(() => {});
    return refused;
  }
}

function notOpen(): WebSocketError {
  return new WebSocketError(
    "ERR_STATE",
    "Cannot subscribe: the connection is not open. Subscribe from the ready event on",
  );
}

/**
 * Makes the members of {@linkcode TopicMembers}.
 *
 * @param prototype Where they go.
 * @param sessionOf Gives a connection's session.
 */
export function defineTopicMembers<C extends object>(
  prototype: C,
  sessionOf: (connection: C) => TopicSession,
): void {
  const methods: Omit<TopicMembers, "subscriptions"> & ThisType<C> = {
    subscribe(topic, options) {
      return subscribe(sessionOf(this), topic, options);
    },
    unsubscribe(topic) {
      return sessionOf(this).subscriptions?.unsubscribe(topic) ?? false;
    },
    isSubscribed(topic) {
      return sessionOf(this).subscriptions?.has(topic) ?? false;
    },
    publish(topic, data, options) {
      const session = sessionOf(this);
      if (session.host !== undefined) {
        return session.host.topics.publish(topic, data, options, session);
      }
      const why = "Cannot publish: the connection has no client yet";
      return Promise.resolve({ accepted: false, error: new WebSocketError("ERR_STATE", why) });
    },
  };
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(prototype, name, { configurable: true, writable: true, value });
  }
  Object.defineProperty(prototype, "subscriptions", {
    configurable: true,
    get(this: C) {
      return sessionOf(this).subscriptions?.list ?? new Map();
    },
  });
}
