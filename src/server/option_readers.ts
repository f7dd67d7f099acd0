import { invalid } from "../base/option_values.ts";
import { WebSocketError } from "../base/errors.ts";
import type { Reader } from "../connection/option_readers.ts";
import { WebSocketVersion } from "../connection/version.ts";
import { AllowedOrigins } from "./allowed_origins.ts";
import { TrustedProxies } from "./trusted_proxies.ts";

export const readTransport: Reader<"http" | "tcp"> = (value, name) => {
  if (value === "http" || value === "tcp") return value;
  throw invalid(name, value, '"http" or "tcp"');
};

export const readHostname: Reader<string> = (value, name) => {
  // The runtimes take "" for the loopback address, for all addresses, or for a name that there is not.
  if (typeof value === "string" && value !== "") return value;
  throw invalid(name, value, 'a host name or an IP address, such as "0.0.0.0" for all of IPv4');
};

export const readTls: Reader<{ cert: string; key: string }> = (value, name) => {
  const { cert, key, ...others } = (value ?? {}) as Record<string, unknown>;
  if (typeof cert !== "string" || typeof key !== "string") {
    throw invalid(name, value, "{ cert, key }, both PEM texts");
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
  // What only the servers of node:http, node:https and node:http2 have.
  if (
    typeof value === "object" && value !== null &&
    ("closeIdleConnections" in value || "updateSettings" in value)
  ) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      "Cannot listen on a Server of node:http, node:https or node:http2: it answers requests by itself. Give a Server of node:net or node:tls, and serve requests with onRequest.",
    );
  }
  return value;
};

export const readVersions: Reader<readonly WebSocketVersion[]> = (value, name) => {
  const versions = (Array.isArray(value) ? value : [value]).map((it) => new WebSocketVersion(it));
  if (versions.length === 0) throw invalid(name, "[]", "at least one of 13, 8 and 7");
  return versions;
};

export const readOrigins: Reader<AllowedOrigins> = (value) => new AllowedOrigins(value as string[]);

export const readProxies: Reader<TrustedProxies> = (value) => new TrustedProxies(value as string[]);
