import { Buffer } from "node:buffer";
import { invalid } from "../base/option_values.ts";
import type { EngineTopic, HistorySettings } from "../topics/engine.ts";

/** The longest text that is a part of a subject as it is, coded. */
const PLAIN = /^[A-Za-z0-9_-]+$/;
/** A character that is not. */
const OTHER = /[^A-Za-z0-9_-]/gu;

/** Names the subjects and streams of one engine. */
export class Subjects {
  /** Where control messages are announced. */
  readonly control: string;
  /** The stream that puts publications without history into their order, and its subjects. */
  readonly live: { readonly stream: string; readonly subjects: string };
  /** The stream that tells which epoch each kind of history has, and its subjects. */
  readonly epochs: { readonly stream: string; readonly subjects: string };
  /** The stream of members, and its subjects. */
  readonly presence: { readonly stream: string; readonly subjects: string };
  /** Where all publications are announced, as the streams write it. */
  readonly announced: string;
  readonly #prefix: string;

  /**
   * @param prefix What all names begin with.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for what cannot be a part of a name.
   */
  constructor(prefix: string) {
    if (typeof prefix !== "string" || !PLAIN.test(prefix)) {
      throw invalid("prefix", prefix, "a text of letters, digits, _ and -, at least one of them");
    }
    this.#prefix = prefix;
    this.control = `${prefix}.control`;
    this.live = { stream: `${prefix}_live`, subjects: `${prefix}.l.*` };
    this.epochs = { stream: `${prefix}_epochs`, subjects: `${prefix}.e.*` };
    this.presence = { stream: `${prefix}_presence`, subjects: `${prefix}.p.*.*` };
    this.announced = `${prefix}.t.{{wildcard(1)}}`;
  }

  /**
   * Names where a topic is announced.
   *
   * @param topic The topic.
   * @returns The subject.
   */
  announcements(topic: string): string {
    return `${this.#prefix}.t.${encodeToken(topic)}`;
  }

  /**
   * Names where a topic is published.
   *
   * @param topic The topic.
   * @param stream Its stream: another epoch has other subjects, so that nothing is stored in two.
   * @returns The subject.
   */
  publications({ name, history }: EngineTopic, stream: string): string {
    const token = encodeToken(name);
    if (history === null) return `${this.#prefix}.l.${token}`;
    return `${this.#prefix}.h.${stream.slice(this.#prefix.length + 1)}.${token}`;
  }

  /**
   * Names the streams of topics with a history.
   *
   * @param history What is kept of them.
   * @returns Where their epoch is told, and what their name begins with; the epoch follows.
   */
  history(history: HistorySettings): { readonly epoch: string; readonly stream: string } {
    const key = settingsKey(history);
    return { epoch: `${this.#prefix}.e.${key}`, stream: `${this.#prefix}_${key}_` };
  }

  /**
   * Names what a stream of topics with a history stores.
   *
   * @param stream Its name.
   * @returns The subjects.
   */
  stored(stream: string): string {
    return `${this.#prefix}.h.${stream.slice(this.#prefix.length + 1)}.*`;
  }

  /**
   * Names where a topic's members are.
   *
   * @param topic The topic.
   * @param member One of them; by default all.
   * @returns The subject.
   */
  members(topic: string, member?: string): string {
    const who = member === undefined ? "*" : encodeToken(member);
    return `${this.#prefix}.p.${encodeToken(topic)}.${who}`;
  }
}

function settingsKey({ count, age }: HistorySettings): string {
  return `${count}_${Math.ceil(age * 1000)}`;
}

/**
 * Writes a text as one part of a subject: two texts never become the same one.
 *
 * @param text Any text.
 * @returns Letters, digits, _ and -, and = before the two digits of any other byte.
 */
export function encodeToken(text: string): string {
  if (PLAIN.test(text)) return text;
  return text === "" ? "=" : text.replace(OTHER, encodeChar);
}

function encodeChar(char: string): string {
  return Buffer.from(char).toString("hex").replace(/../g, "=$&");
}
