import { Buffer } from "node:buffer";
import { handlerError, WebSocketError } from "../base/errors.ts";
import { invalid, isRecord, strangersIn } from "../base/option_values.ts";
import type { HistorySettings } from "./engine.ts";

/** The most bytes of a topic's name. */
export const MAX_TOPIC_NAME = 255;
/** The longest time that a timer takes, in seconds. */
const MAX_SECONDS = 2_147_483;
const MAX_COUNT = 1_000_000;

/** What becomes of publications for a subscriber that takes less than is published. */
export type SlowPolicy =
  /** They wait until the connection's own limits end it. */
  | "disconnect"
  /** Those that come while more than `highWaterMark` waits are left out. */
  | "drop"
  /** While more than `highWaterMark` waits, the newest of each key is kept. */
  | "latest";

/** What a topic keeps; the option `topics`. */
export interface TopicSettings {
  /** How much is kept for those who come back; by default nothing. `age` is in seconds. */
  history?: HistorySettings | undefined;
  /** Whether it is known who is there; default false. */
  presence?: boolean | undefined;
  /** What becomes of slow subscribers; default "disconnect". */
  slow?: SlowPolicy | undefined;
}

/** The option `topics`: for all topics, or by name. */
export type TopicsOption = TopicSettings | ((topic: string) => TopicSettings | undefined);

/** Settings with all defaults filled in. */
export interface ResolvedTopicSettings {
  readonly history: HistorySettings | null;
  readonly presence: boolean;
  readonly slow: SlowPolicy;
}

const SLOW: readonly SlowPolicy[] = ["disconnect", "drop", "latest"];
const KEYS: readonly (keyof TopicSettings)[] = ["history", "presence", "slow"];

function resolve(settings: TopicSettings): ResolvedTopicSettings {
  if (!isRecord(settings)) {
    throw invalid("topics", settings, "an object or a function that returns one");
  }
  checkKeys("topics", settings, KEYS);
  const { history, presence = false, slow = "disconnect" } = settings;
  if (typeof presence !== "boolean") throw invalid("topics.presence", presence, "a boolean");
  if (!SLOW.includes(slow)) {
    throw invalid("topics.slow", slow, '"disconnect", "drop" or "latest"');
  }
  return { history: history === undefined ? null : resolveHistory(history), presence, slow };
}

function resolveHistory(history: HistorySettings): HistorySettings {
  if (!isRecord(history)) {
    throw invalid("topics.history", history, "{ count, age }");
  }
  checkKeys("topics.history", history, ["count", "age"]);
  const { count, age } = history;
  if (!Number.isInteger(count) || count < 1 || count > MAX_COUNT) {
    throw invalid("topics.history.count", count, `a whole number from 1 to ${MAX_COUNT}`);
  }
  if (typeof age !== "number" || !(age > 0 && age <= MAX_SECONDS)) {
    throw invalid("topics.history.age", age, `a number over 0 and up to ${MAX_SECONDS} (seconds)`);
  }
  return { count, age };
}

function checkKeys(name: string, value: object, known: readonly string[]): void {
  const [unknown] = strangersIn(value, known);
  if (unknown !== undefined) throw invalid(`${name}.${unknown}`, unknown, known.join(", "));
}

/**
 * Reads the option `topics`.
 *
 * @param option What was given.
 * @returns Gives the settings of a topic; throws ERR_HANDLER or ERR_INVALID_ARGUMENT where a function of
 * the application's fails or returns something else.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for values that it does not take.
 */
export function readTopicsOption(
  option: TopicsOption = {},
): (topic: string) => ResolvedTopicSettings {
  if (typeof option !== "function") {
    const settings = resolve(option);
    return () => settings;
  }
  return (topic) => {
    let settings: TopicSettings | undefined;
    try {
      settings = option(topic);
    } catch (error) {
      throw handlerError("topics", error);
    }
    return resolve(settings ?? {});
  };
}

/**
 * Checks the name of a topic.
 *
 * @param name What was given.
 * @returns The error, or null for a valid name.
 */
export function topicNameError(name: unknown): WebSocketError | null {
  if (typeof name !== "string") {
    return invalid("the topic", name, `a string of 1 to ${MAX_TOPIC_NAME} bytes`);
  }
  const { length } = name;
  if (length > 0 && length * 3 <= MAX_TOPIC_NAME && name.isWellFormed()) return null;
  const size = length > MAX_TOPIC_NAME ? length : Buffer.byteLength(name);
  if (size < 1 || size > MAX_TOPIC_NAME) {
    return new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      `Cannot use a topic name of ${length > MAX_TOPIC_NAME ? "over 255" : size} bytes: ` +
        `it takes 1 to ${MAX_TOPIC_NAME}`,
    );
  }
  if (name.isWellFormed()) return null;
  return new WebSocketError(
    "ERR_INVALID_ARGUMENT",
    "Cannot use a topic name with a lone surrogate: it has no UTF-8. Use well-formed text",
  );
}
