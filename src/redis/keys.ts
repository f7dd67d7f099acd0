import { invalid } from "../base/option_values.ts";

/** The keys and the channel of one topic: all with one hash tag, so that a cluster has them on one node. */
export interface TopicKeys {
  /** A hash: the epoch, and the offset of the last publication. */
  readonly meta: string;
  /** The stream of publications. */
  readonly stream: string;
  /** Members by the time at which they are over. */
  readonly members: string;
  /** What is known of each member. */
  readonly infos: string;
  /** Where publications, joins and leaves are announced. */
  readonly channel: string;
}

/** Names the keys and channels of one engine. */
export class Keys {
  /** Where control messages are announced. */
  readonly control: string;
  readonly #prefix: string;

  /**
   * @param prefix What all names begin with.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for a prefix that would take the place of the hash tag.
   */
  constructor(prefix: string) {
    if (typeof prefix !== "string" || prefix === "" || /[{}]/.test(prefix)) {
      throw invalid("prefix", prefix, "a text of at least one character, without { and }");
    }
    this.#prefix = prefix;
    this.control = `${prefix}:control`;
  }

  /**
   * Names the keys of a topic.
   *
   * @param topic The topic.
   * @returns Its keys.
   */
  of(topic: string): TopicKeys {
    const base = this.#base(topic);
    return {
      meta: `${base}:m`,
      stream: `${base}:s`,
      members: `${base}:p`,
      infos: `${base}:i`,
      channel: base,
    };
  }

  /**
   * Names the channel of a topic.
   *
   * @param topic The topic.
   * @returns The channel.
   */
  channel(topic: string): string {
    return this.#base(topic);
  }

  /**
   * Names the key that remembers an idempotency key.
   *
   * @param topic The topic.
   * @param key The idempotency key.
   * @returns The key.
   */
  idempotency(topic: string, key: string): string {
    return `${this.#base(topic)}:k:${key}`;
  }

  /** A hash tag ends at the first brace, and an empty one is none: no topic's name may end it. */
  #base(topic: string): string {
    const tag = topic.replace(/[%}]/g, (it) => it === "%" ? "%25" : "%7D");
    return `${this.#prefix}:{${tag}}`;
  }
}
