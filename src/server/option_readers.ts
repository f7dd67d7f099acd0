import { invalid } from "../base/option_values.ts";
import { listOf, type Reader } from "../connection/option_readers.ts";
import { WebSocketVersion } from "../connection/version.ts";
import { AllowedOrigins } from "./allowed_origins.ts";
import type { Engine } from "../topics/engine.ts";
import {
  readTopicsOption,
  type ResolvedTopicSettings,
  type TopicsOption,
} from "../topics/topic_settings.ts";
import type { VersionLike } from "./options.ts";
import { TrustedProxies } from "./trusted_proxies.ts";

/** Reads streams with their callbacks, which are looked at when they are added. */
export const readPairs: Reader<readonly unknown[]> = (value, name) => {
  if (Array.isArray(value)) return [...value];
  throw invalid(name, value, "an array of streams, each followed by its callback");
};

export const readTransport: Reader<"http" | "tcp"> = (value, name) => {
  if (value === "http" || value === "tcp") return value;
  throw invalid(name, value, '"http" or "tcp"');
};

export const readVersions: Reader<readonly WebSocketVersion[]> = (value, name) => {
  const versions = listOf(value).map((it) => new WebSocketVersion(it as VersionLike));
  if (versions.length === 0) throw invalid(name, "[]", "at least one of 13, 8 and 7");
  return versions;
};

export const readOrigins: Reader<AllowedOrigins> = (value) => new AllowedOrigins(value as string[]);

export const readProxies: Reader<TrustedProxies> = (value) => new TrustedProxies(value as string[]);

/** Gives the settings of each topic. */
export const readTopics: Reader<(topic: string) => ResolvedTopicSettings> = (value) =>
  readTopicsOption(value as TopicsOption);

/** What every engine has; what it does is its own affair. */
const ENGINE_METHODS = [
  "start",
  "close",
  "publish",
  "subscribe",
  "unsubscribe",
  "read",
  "renew",
  "enter",
  "leave",
  "members",
  "memberCount",
  "announce",
  "control",
] as const satisfies (keyof Engine)[];

export const readEngine: Reader<Engine> = (value, name) => {
  const engine = value as Engine | null;
  const missing = ENGINE_METHODS.filter((it) => typeof engine?.[it] !== "function");
  if (missing.length === 0 && typeof engine!.state === "object") return engine!;
  throw invalid(name, value, "an Engine, such as a MemoryEngine");
};
