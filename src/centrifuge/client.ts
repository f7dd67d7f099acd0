import { invalid } from "../base/option_values.ts";
import { WebSocketError } from "../base/errors.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { topicNameError } from "../topics/topic_settings.ts";
import { checkData, type Codec } from "./codec.ts";
import { checkEnd, checkUnsubscribed, End, Unsubscribed } from "./codes.ts";
import type { Data } from "./data.ts";
import type { Grant } from "./grant.ts";

/** What is behind a client. */
export interface ClientLink {
  readonly connection: WebSocketConnection;
  readonly codec: Codec;
  readonly subscriptions: { readonly id: string; has(topic: string): boolean };
  readonly state: string;
  readonly user: string;
  readonly info: unknown;
  send(data: Data): void;
  subscribe(topic: string, grant: Grant): Promise<void>;
  unsubscribe(topic: string, code: number, reason: string): boolean;
  end(code: number, reason: string): void;
}

/**
 * One client that speaks the Centrifuge protocol, as handlers are given it.
 *
 * @example
 * ```ts
 * import { type CentrifugeClient } from "@duet/websocket/centrifuge";
 *
 * function greet(client: CentrifugeClient<{ name: string }>) {
 *   client.send(JSON.stringify({ hello: client.info?.name }));
 * }
 * console.assert(typeof greet === "function");
 * ```
 */
export class CentrifugeClient<Info = unknown> {
  readonly #link: ClientLink;

  /** Made by the server. */
  constructor(link: unknown) {
    this.#link = link as ClientLink;
  }

  /** Names it, uniquely over all servers. */
  get id(): string {
    return this.#link.subscriptions.id;
  }

  /** Whose connection it is; "" for nobody's in particular. */
  get user(): string {
    return this.#link.user;
  }

  /** What `onConnect` has said of the user. */
  get info(): Info | undefined {
    return this.#link.info as Info | undefined;
  }

  /** The WebSocket connection behind it. Send over it nothing of your own. */
  get connection(): WebSocketConnection {
    return this.#link.connection;
  }

  /**
   * Tells whether it is subscribed to a topic.
   *
   * @param topic The topic.
   * @returns Whether it is, and that has begun.
   */
  isSubscribed(topic: string): boolean {
    return this.#link.subscriptions.has(topic);
  }

  /**
   * Sends it a message that belongs to no topic.
   *
   * @param data The message.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for a text that is no JSON, or bytes that are none, where
   * the client speaks JSON.
   */
  send(data: Data): void {
    const written = checkData(data, this.#link.codec);
    if (written === undefined) throw invalid("data", data, "a string or a Uint8Array");
    this.#link.send(written);
  }

  /**
   * Subscribes it without being asked. Nothing happens where it is subscribed already.
   *
   * @param topic The topic.
   * @param grant What the subscription may do.
   * @returns Settled once it has begun. Rejects with ERR_INVALID_ARGUMENT for an invalid name, with ERR_STATE
   * where the client was not let in or has gone, and with what `onConnect` would end a client for.
   */
  async subscribe(topic: string, grant: Grant = {}): Promise<void> {
    const error = topicNameError(topic);
    if (error !== null) throw error;
    const link = this.#link;
    if (link.state !== "connected") {
      throw new WebSocketError("ERR_STATE", "Cannot subscribe a client that is not connected");
    }
    await link.subscribe(topic, grant);
  }

  /**
   * Ends a subscription, and tells the client.
   *
   * @param topic The topic.
   * @param code Why, 2000 to 2999: below 2500 for good, from 2500 on the client subscribes again.
   * @param reason The same in words.
   * @returns Whether there was one.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for another code or reason.
   */
  unsubscribe(
    topic: string,
    code: number = Unsubscribed.BY_SERVER[0],
    reason: string = Unsubscribed.BY_SERVER[1],
  ): boolean {
    checkUnsubscribed(code, reason);
    return this.#link.unsubscribe(topic, code, reason);
  }

  /**
   * Ends the connection.
   *
   * @param code The close code: 3000 to 4999. After 3500 to 3999 and 4500 to 4999 the client stays away.
   * @param reason The reason: at most 123 bytes, and no JSON.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for another code or reason.
   */
  disconnect(code: number = End.FORCED[0], reason: string = End.FORCED[1]): void {
    checkEnd(code, reason);
    this.#link.end(code, reason);
  }
}
