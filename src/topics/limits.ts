import { invalid } from "../base/option_values.ts";
import type { HeldBounds } from "./follower.ts";
import type { RecoveryBounds } from "./recovery.ts";

/** What topics may take of one server's memory. */
export interface HubLimits {
  /** Topics that one connection may be subscribed to. */
  readonly maxTopicsPerConnection: number;
  /** Subscribers of one topic. */
  readonly maxSubscribersPerTopic: number;
  /** The most that a subscriber who comes back is given. */
  readonly recovery: RecoveryBounds;
  /** The most of one topic that is held while history is read. */
  readonly held: HeldBounds;
  /** Keys of which the newest publication may wait for a slow subscriber, for each topic. */
  readonly maxWaitingKeys: number;
}

/** The option `topicLimits`; sizes in bytes. */
export interface TopicLimits {
  /** Topics that one connection may be subscribed to; default 1,000. */
  maxTopicsPerConnection?: number;
  /** Subscribers of one topic; default 1,000,000. */
  maxSubscribersPerTopic?: number;
  /** Publications that a subscriber who comes back is given; default 4,096. */
  maxRecovered?: number;
  /** Bytes of those; default 8 MiB. */
  maxRecoveredBytes?: number;
  /** Publications of one topic that are held while history is read; default 4,096. */
  maxHeld?: number;
  /** Bytes of those; default 8 MiB. */
  maxHeldBytes?: number;
  /** Keys of which the newest waits for a slow subscriber, for each topic; default 10,000. */
  maxWaitingKeys?: number;
}

const MIB = 1024 * 1024;
const DEFAULTS: Required<TopicLimits> = {
  maxTopicsPerConnection: 1_000,
  maxSubscribersPerTopic: 1_000_000,
  maxRecovered: 4_096,
  maxRecoveredBytes: 8 * MIB,
  maxHeld: 4_096,
  maxHeldBytes: 8 * MIB,
  maxWaitingKeys: 10_000,
};

/**
 * Reads the limits of topics.
 *
 * @param given What was given.
 * @returns All of them.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for a name or a value that is not right.
 */
export function readTopicLimits(given: TopicLimits = {}): HubLimits {
  const all = { ...DEFAULTS };
  for (const name of Object.keys(given) as (keyof TopicLimits)[]) {
    if (!Object.hasOwn(DEFAULTS, name)) {
      throw invalid(`topicLimits.${name}`, given[name], Object.keys(DEFAULTS).join(", "));
    }
    const value = given[name];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value < 1) {
      throw invalid(`topicLimits.${name}`, value, "a whole number from 1 on");
    }
    all[name] = value;
  }
  return {
    maxTopicsPerConnection: all.maxTopicsPerConnection,
    maxSubscribersPerTopic: all.maxSubscribersPerTopic,
    recovery: { count: all.maxRecovered, bytes: all.maxRecoveredBytes },
    held: { count: all.maxHeld, bytes: all.maxHeldBytes },
    maxWaitingKeys: all.maxWaitingKeys,
  };
}
