import { type BinaryData, bytesOf, unshared } from "../base/bytes.ts";
import { Buffer } from "node:buffer";
import { invalid, isRecord, strangersIn } from "../base/option_values.ts";
import { asError, proceed } from "./awaitable.ts";
import type { PublishOptions } from "../connection/subscribing.ts";
import type { Clock } from "./clock.ts";
import type { Engine, EngineTopic, Member, Message, PublishResult } from "./engine.ts";
import { Excepted } from "./excepted.ts";
import { unanswered } from "./topic_errors.ts";
import type { Subscriber } from "./subscription.ts";
import type { Topic } from "./topic.ts";

/** How long a publication waits for the engine to acknowledge the topic's subscription, in milliseconds. */
const PUBLISH_TIME = 5_000;

/** What may be said of a publication, by a layer above too. */
export interface PublicationSetup extends PublishOptions {
  /** Who published it, where a layer above tells subscribers. */
  readonly publisher?: Member;
}

/** What publishing needs of the hub. */
export interface PublisherHost {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly limits: { readonly maxSendSize: number };
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
    data: string | BinaryData,
    options: PublicationSetup = {},
    except?: Subscriber | Iterable<Subscriber>,
  ): Promise<PublishResult> {
    let topic: EngineTopic;
    let content: string | Uint8Array;
    try {
      topic = this.#host.resolve(name);
      content = readData(data, this.#host.limits.maxSendSize);
      checkOptions(options);
    } catch (error) {
      return Promise.resolve(this.#refused("", asError(error)));
    }
    const { key, tags, publisher, idempotencyKey } = options;
    const message = {
      data: content,
      id: this.#host.nextId(),
      key,
      tags,
      publisher,
      idempotencyKey,
    };
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

/** Engines are given a string or bytes that no other thread changes. */
function readData(data: string | BinaryData, maxSize: number): string | Uint8Array {
  let content: string | Uint8Array;
  let size: number;
  if (typeof data === "string") {
    if (!data.isWellFormed()) {
      throw new TypeError("Cannot publish a text with a lone surrogate: it has no UTF-8");
    }
    content = data;
    size = data.length * 3 <= maxSize ? 0 : Buffer.byteLength(data);
  } else {
    content = unshared(bytesOf("publish()", data, "a string, "));
    size = content.length;
  }
  if (size <= maxSize) return content;
  throw new RangeError(`Cannot publish a message of ${size} bytes: maxSendSize is ${maxSize}`);
}

const OPTIONS = ["key", "idempotencyKey", "tags", "except", "publisher"];

function checkOptions(options: PublicationSetup): void {
  if (!isRecord(options)) throw invalid("the options of publish()", options, "an object");
  const [unknown] = strangersIn(options, OPTIONS);
  if (unknown !== undefined) throw invalid("the option", unknown, "key, idempotencyKey or tags");
  const { key, idempotencyKey, tags } = options;
  if (key !== undefined && typeof key !== "string") throw invalid("key", key, "a string");
  if (idempotencyKey !== undefined && typeof idempotencyKey !== "string") {
    throw invalid("idempotencyKey", idempotencyKey, "a string");
  }
  if (tags === undefined) return;
  const texts = typeof tags === "object" && tags !== null && !Array.isArray(tags) &&
    Object.values(tags).every((it) => typeof it === "string");
  if (!texts) throw invalid("tags", tags, "an object whose values are strings");
}
