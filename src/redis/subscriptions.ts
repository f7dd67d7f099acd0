import { Buffer } from "node:buffer";
import { asError } from "../topics/awaitable.ts";
import type { Clock } from "../topics/clock.ts";
import type { EngineTopic, Member, Place, Publication } from "../topics/engine.ts";
import type { Clients, OwnClient } from "./client.ts";
import { Connection, text } from "./connection.ts";
import type { Keys } from "./keys.ts";
import { readServerInfo } from "./options.ts";
import { decodeAnnouncement } from "./wire.ts";

/** Whom the connection for subscriptions tells. */
export interface SubscriptionsHost {
  readonly clock: Clock;
  up(): void;
  down(error: Error): boolean;
  publication(topic: string, publication: Publication, place: Place | null): void;
  presence(topic: string, kind: "join" | "leave", member: Member): void;
  control(message: string): void;
  error(error: Error): void;
}

/** The connection on which announcements come. */
export class Subscriptions {
  readonly #host: SubscriptionsHost;
  readonly #keys: Keys;
  readonly #connection: Connection;
  /** The topics that are subscribed to, by channel. */
  readonly #topics = new Map<string, string>();
  #server = "";

  /**
   * @param clients Makes the client.
   * @param keys Names the channels.
   * @param host Whom to tell.
   */
  constructor(clients: Clients, keys: Keys, host: SubscriptionsHost) {
    this.#host = host;
    this.#keys = keys;
    this.#connection = new Connection({
      clock: host.clock,
      manyNodes: false,
      open: () => clients.forSubscriptions(),
      greet: (client) => this.#greet(client),
      // Its answer comes after all that Redis has announced before.
      probe: (client) => client.callBuffer("ping"),
      up: () => host.up(),
      down: (error) => {
        this.#topics.clear();
        return host.down(error);
      },
    });
  }

  /** Whether it is connected. */
  get up(): boolean {
    return this.#connection.up;
  }

  /** Names the Redis that it is connected to. */
  get server(): string {
    return this.#server;
  }

  /** Connects. */
  start(): void {
    this.#connection.start();
  }

  /**
   * Gives the connection up and makes another.
   *
   * @param error Why.
   */
  drop(error: Error): void {
    this.#connection.drop(error);
  }

  /** Ends it. */
  close(): void {
    this.#topics.clear();
    this.#connection.close();
  }

  /**
   * Subscribes.
   *
   * @param topics The topics.
   * @returns Settled when Redis has acknowledged all of them.
   */
  async subscribe(topics: readonly EngineTopic[]): Promise<void> {
    if (topics.length === 0) return;
    const channels = topics.map(({ name }) => this.#keys.channel(name));
    topics.forEach(({ name }, i) => this.#topics.set(channels[i], name));
    await this.#connection.call((client) => client.subscribe(...channels));
  }

  /**
   * Ends subscriptions.
   *
   * @param topics The topics.
   * @returns Settled when Redis has acknowledged that.
   */
  async unsubscribe(topics: readonly EngineTopic[]): Promise<void> {
    if (topics.length === 0) return;
    const channels = topics.map(({ name }) => this.#keys.channel(name));
    for (const channel of channels) this.#topics.delete(channel);
    await this.#connection.call((client) => client.unsubscribe(...channels));
  }

  async #greet(client: OwnClient): Promise<void> {
    this.#server = readServerInfo(text(await client.callBuffer("info", "server"))).run;
    const control = Buffer.from(this.#keys.control);
    client.on("messageBuffer", (channel, message) => {
      if (channel.equals(control)) this.#host.control(message.toString());
      else this.#announced(channel.toString(), message);
    });
    await client.subscribe(this.#keys.control);
  }

  #announced(channel: string, message: Buffer): void {
    const topic = this.#topics.get(channel);
    if (topic === undefined) return;
    try {
      decodeAnnouncement(message, {
        publication: (publication, place) => this.#host.publication(topic, publication, place),
        presence: (kind, member) => this.#host.presence(topic, kind, member),
      });
    } catch (error) {
      const { message: why } = asError(error);
      this.#host.error(
        new Error(
          `Something else than this library publishes to ${JSON.stringify(channel)}: ${why}`,
        ),
      );
    }
  }
}
