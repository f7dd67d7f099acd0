import { invalid } from "../base/option_values.ts";
import { WebSocketError } from "../base/errors.ts";
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

export const readHostname: Reader<string> = (value, name) => {
  // The runtimes take "" for the loopback address, for all addresses, or for a name that there is not.
  if (typeof value === "string" && value !== "") return withoutBrackets(value);
  throw invalid(name, value, 'a host name or an IP address, such as "0.0.0.0" for all of IPv4');
};

/** An IPv6 address as URLs have it, which not every runtime listens on. */
function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[([\da-f:.]+)\]$/i, "$1");
}

export const readTls: Reader<{ cert: string; key: string }> = (value, name) => {
  const given = typeof value === "object" && value !== null && !Array.isArray(value);
  const { cert, key, ...others } = (given ? value : {}) as Record<string, unknown>;
  if (typeof cert !== "string" || typeof key !== "string") {
    // A text, or a list of them, may hold a private key.
    const takes = "{ cert, key }, both PEM texts";
    if (given) throw invalid(name, value, takes);
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      `Cannot use this as ${name}: it takes ${takes}`,
    );
  }
  const unknown = Object.keys(others).filter((it) => others[it] !== undefined);
  if (unknown.length > 0) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      `Cannot use ${
        unknown.join(", ")
      } in tls: it takes cert and key only. For more use transport: "tcp" and listen: createServer({ … }) of node:tls.`,
    );
  }
  return { cert, key };
};

export const readListener: Reader<unknown> = (value) => {
  // What only the servers of node:http, node:https and node:http2 have; the rest the transport looks at.
  if (
    typeof value === "object" && value !== null &&
    ("closeIdleConnections" in value || "updateSettings" in value)
  ) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      "Cannot listen on a Server of node:http, node:https or node:http2: it answers requests by itself. Give a Server of node:net or node:tls, and serve requests with onRequest; or call handleUpgrade() in its upgrade event.",
    );
  }
  return value;
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
