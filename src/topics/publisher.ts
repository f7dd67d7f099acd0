import { invalid } from "../base/option_values.ts";
import { asError, proceed } from "./awaitable.ts";
import type { Clock } from "./clock.ts";
import type { Engine, EngineTopic, Member, Message, PublishResult } from "./engine.ts";
import { Excepted } from "./excepted.ts";
import { unanswered } from "./topic_errors.ts";
import type { Subscriber } from "./subscription.ts";
import type { Topic } from "./topic.ts";

/** How long a publication waits for the engine to acknowledge the topic's subscription, in milliseconds. */
const PUBLISH_TIME = 5_000;

/** What may be said of a publication. */
export interface PublishOptions {
  /** What it is about: a slow subscriber of a topic with `slow: "latest"` is given the newest of each key. */
  readonly key?: string;
  /** The application's own labels. */
  readonly tags?: Readonly<Record<string, string>>;
  /** A repeat with the same key, on the same topic and within five minutes, is not published again. */
  readonly idempotencyKey?: string;
  /** Who published it, where a layer above tells subscribers. */
  readonly publisher?: Member;
}

/** What publishing needs of the hub. */
export interface PublisherHost {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly topics: ReadonlyMap<string, Topic>;
  nextId(): string;
  resolve(name: string): EngineTopic;
  report(error: Error): void;
}

/** Publishes, and tells honestly what became of it. */
export class Publisher {
  readonly #host: PublisherHost;
  readonly #excepted: Excepted;

  /** @param host The hub. */
  constructor(host: PublisherHost) {
    this.#host = host;
    this.#excepted = new Excepted(host.clock);
  }

  /**
   * Publishes.
   *
   * @param name The topic.
   * @param data The message.
   * @param options What else there is to say.
   * @param except Who, on this server, is not given it.
   * @returns What became of it; never rejects.
   */
  publish(
    name: string,
    data: string | Uint8Array,
    options: PublishOptions = {},
    except?: Subscriber | Iterable<Subscriber>,
  ): Promise<PublishResult> {
    let topic: EngineTopic;
    try {
      topic = this.#check(name, data);
    } catch (error) {
      return Promise.resolve(this.#refused("", asError(error)));
    }
    const { key, tags, publisher, idempotencyKey } = options;
    const message = { data, id: this.#host.nextId(), key, tags, publisher, idempotencyKey };
    if (except !== undefined) this.#excepted.add(message.id, except);
    const local = this.#host.topics.get(name);
    if (local === undefined || !local.hasWaiting || !this.#host.engine.state.up) {
      return this.#publishNow(topic, message, local);
    }
    return new Promise((resolve) => {
      const publish = () => {
        cancel();
        resolve(this.#publishNow(topic, message, local));
      };
      const cancel = this.#host.clock.after(PUBLISH_TIME, () => {
        local.publishing?.delete(publish);
        resolve(this.#refused(message.id, unanswered(name, PUBLISH_TIME / 1000)));
      });
      // Those who have subscribed here before it must be given it.
      (local.publishing ??= new Set()).add(publish);
    });
  }

  /**
   * Tells who is not to be given a publication; once.
   *
   * @param id The publication's name.
   * @returns Those, if any.
   */
  takeExcept(id: string): ReadonlySet<Subscriber> | undefined {
    return this.#excepted.take(id);
  }

  #check(name: string, data: unknown): EngineTopic {
    const topic = this.#host.resolve(name);
    if (typeof data === "string") {
      if (data.isWellFormed()) return topic;
      throw new TypeError("Cannot publish a text with a lone surrogate: it has no UTF-8");
    }
    if (data instanceof Uint8Array) return topic;
    throw invalid("the data to publish", data, "a string or a Uint8Array");
  }

  #publishNow(
    topic: EngineTopic,
    message: Message,
    local: Topic | undefined,
  ): Promise<PublishResult> {
    return new Promise((resolve) => {
      proceed(
        () => this.#host.engine.publish(topic, message, local?.position ?? null),
        (result) => {
          const { accepted, repeated, error } = result;
          if (accepted === false || repeated) this.#excepted.take(message.id);
          if (error !== undefined) this.#host.report(error);
          resolve(result);
        },
        // An engine that fails in a way it must not may have published it all the same.
        (thrown) => {
          const error = asError(thrown);
          this.#host.report(error);
          resolve({ accepted: "unknown", error });
        },
      );
    });
  }

  #refused(id: string, error: Error): PublishResult {
    this.#excepted.take(id);
    this.#host.report(error);
    return { accepted: false, error };
  }
}
