import type { BinaryData } from "../base/bytes.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { Position, PublishResult } from "../connection/subscribing.ts";
import type { HistoryPage, HistoryRange, Member, MemberCount } from "../topics/engine.ts";
import type { ServerEngine } from "./engine_status.ts";
import type { TopicList } from "./topic_list.ts";
import type { ServerPublishOptions, Topics } from "./topics.ts";

/** What a server with connections of class `C` does with topics. */
export interface ServerTopicMembers<C extends WebSocketConnection> {
  /**
   * Publishes a message to all subscribers of a topic, encoded once for all of them. What one connection
   * throws keeps it from no other. The server need not be started.
   *
   * @param topic The topic's name, of 1 to 255 bytes.
   * @param data The message, a string as text, of at most `maxSendSize` bytes.
   * @param options What else there is to say, and whom to leave out.
   * @returns What became of it. It never rejects, so nobody has to wait for it; what fails goes to `onError`
   * too.
   *
   * @example
   * ```ts
   * import { WebSocketServer } from "@duet/websocket";
   *
   * await using server = new WebSocketServer({ topics: { history: { count: 100, age: 60 } } });
   * const { accepted, position } = await server.publish("news", "Hello");
   * console.assert(accepted === true && position?.offset === 1);
   * ```
   */
  publish(
    topic: string,
    data: string | BinaryData,
    options?: ServerPublishOptions,
  ): Promise<PublishResult>;
  /**
   * Counts the subscribers of a topic on this server.
   *
   * @param topic The topic.
   * @returns How many there are, those under way among them.
   */
  subscriberCount(topic: string): number;
  /** The topics that have subscribers on this server, as a live {@linkcode TopicList}. */
  readonly topics: TopicList<C>;
  /** How the engine of the topics is doing. */
  readonly engine: ServerEngine;
  /**
   * Tells where a topic's stream stands.
   *
   * @param topic The topic.
   * @returns The position; undefined for a topic without history. Rejects when the engine cannot tell now.
   */
  position(topic: string): Promise<Position | undefined>;
  /**
   * Reads a topic's history.
   *
   * @param topic The topic.
   * @param range Which part of it.
   * @returns The publications, and where the stream stood at that moment. Rejects with ERR_STATE for a topic
   * without history, and when the engine cannot tell now.
   */
  history(topic: string, range: HistoryRange): Promise<HistoryPage>;
  /**
   * Tells who is subscribed to a topic with presence, on whatever server.
   *
   * @param topic The topic.
   * @param limit The most members; default 1,000.
   * @returns The members. Rejects with ERR_STATE for a topic without presence, and when the engine cannot
   * tell now.
   */
  members(topic: string, limit?: number): Promise<readonly Member[]>;
  /**
   * Counts who is subscribed to a topic with presence, on whatever server.
   *
   * @param topic The topic.
   * @returns How many connections and users. Rejects as {@linkcode ServerTopicMembers.members} does.
   */
  memberCount(topic: string): Promise<MemberCount>;
}

/**
 * Makes the members of {@linkcode ServerTopicMembers}.
 *
 * @param prototype Where they go.
 * @param topicsOf Gives a server's topics.
 */
export function defineTopicMembers<Server extends object>(
  prototype: Server,
  // deno-lint-ignore no-explicit-any -- what is defined here is the same for all servers and connections
  topicsOf: (server: Server) => Topics<any, any>,
): void {
  const methods:
    & Omit<ServerTopicMembers<WebSocketConnection>, "topics" | "engine">
    & ThisType<Server> = {
      publish(topic, data, options) {
        return topicsOf(this).publish(topic, data, options);
      },
      subscriberCount(topic) {
        return topicsOf(this).hub.subscriberCount(topic);
      },
      position(topic) {
        return topicsOf(this).hub.position(topic);
      },
      history(topic, range) {
        return topicsOf(this).hub.history(topic, range);
      },
      members(topic, limit) {
        return topicsOf(this).hub.members(topic, limit);
      },
      memberCount(topic) {
        return topicsOf(this).hub.memberCount(topic);
      },
    };
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(prototype, name, { configurable: true, writable: true, value });
  }
  const property = (name: string, read: (server: Server) => unknown) =>
    Object.defineProperty(prototype, name, {
      configurable: true,
      get(this: Server) {
        return read(this);
      },
    });
  property("topics", (server) => topicsOf(server).list);
  property("engine", (server) => topicsOf(server).engine);
}
