import { asError } from "../topics/awaitable.ts";
import type { EngineTopic, Member, Place, Publication } from "../topics/engine.ts";
import { decodePayload } from "../topics/payload.ts";
import type { NatsMessage, NatsSubscription } from "./client.ts";
import type { Connection } from "./connection.ts";
import { decode, type History, sequenceOf, timeOf } from "./history.ts";
import { epochOf } from "./streams.ts";
import type { Subjects } from "./subjects.ts";
import { decodeMessage } from "./wire.ts";

/** Whom subscriptions tell. */
export interface SubscriptionsHost {
  publication(topic: string, publication: Publication, place: Place | null): void;
  presence(topic: string, kind: "join" | "leave", member: Member): void;
  control(message: string): void;
  error(error: Error): void;
}

interface Followed {
  readonly topic: EngineTopic;
  readonly subscription: NatsSubscription;
  /** The stream that announced something last, which is its own. */
  stream: string;
  /** Whether that other servers keep another history of it was told. */
  told: boolean;
}

/** What this server is subscribed to: streams announce there what they have stored. */
export class Subscriptions {
  readonly #connection: Connection;
  readonly #subjects: Subjects;
  readonly #history: History;
  readonly #host: SubscriptionsHost;
  readonly #topics = new Map<string, Followed>();

  /**
   * @param connection Where to subscribe.
   * @param subjects Names the topics.
   * @param history Knows where topics stand.
   * @param host Whom to tell.
   */
  constructor(
    connection: Connection,
    subjects: Subjects,
    history: History,
    host: SubscriptionsHost,
  ) {
    this.#connection = connection;
    this.#subjects = subjects;
    this.#history = history;
    this.#host = host;
  }

  /** Begins on a new connection: with control messages only. */
  begin(): void {
    this.#connection.subscribe(this.#subjects.control, ({ data }) => {
      this.#host.control(new TextDecoder().decode(data));
    });
  }

  /** Forgets what was subscribed to on a connection that is gone. */
  end(): void {
    this.#topics.clear();
  }

  /**
   * Subscribes.
   *
   * @param topics The topics.
   * @returns Settled when NATS has dealt with all of them.
   */
  async subscribe(topics: readonly EngineTopic[]): Promise<void> {
    for (const topic of topics) {
      const { name, history } = topic;
      if (this.#topics.has(name)) continue;
      const subscription = this.#connection.subscribe(
        this.#subjects.announcements(name),
        (message) => this.#announced(name, message),
      );
      this.#topics.set(name, { topic, subscription, stream: "", told: false });
      if (history !== null) this.#history.follow(topic);
    }
    await this.#connection.flush();
  }

  /**
   * Ends subscriptions.
   *
   * @param topics The topics.
   * @returns Settled when NATS has dealt with that.
   */
  async unsubscribe(topics: readonly EngineTopic[]): Promise<void> {
    for (const topic of topics) {
      this.#history.unfollow(topic);
      this.#topics.get(topic.name)?.subscription.unsubscribe();
      this.#topics.delete(topic.name);
    }
    await this.#connection.flush();
  }

  /**
   * Announces that somebody has come or gone.
   *
   * @param topic The topic.
   * @param kind What has happened.
   * @param member Who it is.
   * @returns Settled when NATS has it.
   */
  async announce(topic: EngineTopic, kind: "join" | "leave", member: Member): Promise<void> {
    const { id, user, info } = member;
    const text = JSON.stringify({ kind, member: { id, user, info } });
    this.#connection.send(this.#subjects.announcements(topic.name), text);
    await this.#connection.flush();
  }

  #announced(name: string, message: NatsMessage): void {
    const followed = this.#topics.get(name);
    if (followed === undefined) return;
    try {
      // Streams announce with headers, servers without.
      const stream = message.headers?.get("Nats-Stream");
      if (stream) return this.#published(followed, stream, message);
      const { kind, member } = JSON.parse(new TextDecoder().decode(message.data));
      this.#host.presence(name, kind, member);
    } catch (error) {
      const { message: why } = asError(error);
      this.#host.error(
        new Error(`Something else than this library publishes to ${message.subject}: ${why}`),
      );
    }
  }

  #published(followed: Followed, stream: string, message: NatsMessage): void {
    const { topic } = followed;
    const { name, history } = topic;
    if (stream !== followed.stream) {
      const own = history === null
        ? stream === this.#subjects.live.stream
        : stream.startsWith(this.#subjects.history(history).stream);
      if (!own) return this.#differs(followed, stream);
      followed.stream = stream;
    }
    const time = timeOf(message);
    if (history === null) {
      for (const payload of decodeMessage(message.data)) {
        this.#host.publication(name, decodePayload(payload, time), null);
      }
      return;
    }
    const offset = sequenceOf(message);
    const before = Number(message.headers!.get("Nats-Last-Sequence"));
    const previous = this.#history.announced(topic, stream, offset, before, time);
    const publication = decode(message, time, offset);
    this.#host.publication(name, publication, { epoch: epochOf(stream), previous });
  }

  #differs(followed: Followed, stream: string): void {
    if (followed.told) return;
    followed.told = true;
    const { topic: { name } } = followed;
    this.#host.error(
      new Error(
        `Another server keeps another history of ${
          JSON.stringify(name)
        }, in the stream ${stream}. ` +
          'Give all servers the same option "topics"',
      ),
    );
  }
}
