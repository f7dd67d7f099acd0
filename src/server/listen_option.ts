import { checkNumber, invalid, isRecord, readMembers, strangersIn } from "../base/option_values.ts";
import { WebSocketError } from "../base/errors.ts";
import { type Reader, readFlag } from "../connection/option_readers.ts";
import type { TlsOptions } from "../transport/tls_options.ts";

/**
 * One place to listen: a port, or the path of a Unix socket.
 *
 * @example A port for everybody, and a Unix socket for the proxy on the same machine
 * ```ts
 * import { type ListenAddress, WebSocketServer } from "@duet/websocket";
 *
 * const listen: ListenAddress[] = [{ port: 8000 }, { path: "/run/chat.sock" }];
 * const server = new WebSocketServer({ listen });
 * ```
 */
export interface ListenAddress {
  /** The port, 0 to 65535; with 0 the system chooses one. */
  readonly port?: number | undefined;
  /** The address or name; by default that of the option `hostname`. */
  readonly hostname?: string | undefined;
  /** The path of a Unix socket, in place of `port` and `hostname`. */
  readonly path?: string | undefined;
  /** Serves TLS there. */
  readonly tls?: TlsOptions | undefined;
  /**
   * Whether several processes may listen on this port, between which the system shares out those who connect
   * (SO_REUSEPORT); default false. Not on `deno_http`; under Node from 22.12 on.
   */
  readonly reusePort?: boolean | undefined;
}

/** What `listen` names: a place, or a listener of the caller's own. */
export type ListenEntry = ListenAddress & { readonly listener?: unknown };

const PORT = { low: 0, high: 65_535, unit: "", whole: true };

export const readHostname: Reader<string> = (value, name) => {
  // The runtimes take "" for the loopback address, for all addresses, or for a name that there is not.
  if (typeof value === "string" && value !== "") return withoutBrackets(value);
  throw invalid(name, value, 'a host name or an IP address, such as "0.0.0.0" for all of IPv4');
};

/** An IPv6 address as URLs have it, which not every runtime listens on. */
function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[([\da-f:.]+)\]$/i, "$1");
}

const readText: Reader<string> = (value, name) => {
  if (typeof value === "string" && value !== "") return value;
  throw invalid(name, value, "a text that is not empty");
};

const readTexts: Reader<string | readonly string[]> = (value, name) =>
  Array.isArray(value) ? value.map((it) => readText(it, name)) : readText(value, name);

const readMinVersion: Reader<"TLSv1.2" | "TLSv1.3"> = (value, name) => {
  if (value === "TLSv1.2" || value === "TLSv1.3") return value;
  throw invalid(name, value, '"TLSv1.2" or "TLSv1.3"');
};

const readProtocols: Reader<readonly string[]> = (value, name) => {
  if (Array.isArray(value) && value.length > 0) return value.map((it) => readText(it, name));
  throw invalid(name, value, 'an array of protocols, such as ["http/1.1"]');
};

const MORE: { readonly [N in Exclude<keyof TlsOptions, "cert" | "key">]: Reader<TlsOptions[N]> } = {
  passphrase: (value) => {
    if (typeof value === "string") return value;
    // The value is a secret, whatever it is.
    throw new WebSocketError("ERR_INVALID_ARGUMENT", "Cannot use this passphrase: it takes a text");
  },
  requestCert: readFlag,
  rejectUnauthorized: readFlag,
  ca: readTexts,
  minVersion: readMinVersion,
  ALPNProtocols: readProtocols,
};

const TLS_NAMES = ["cert", "key", ...Object.keys(MORE)];

export const readTls: Reader<TlsOptions> = (value, name) => {
  const given = isRecord(value);
  const { cert, key, ...more } = given ? readMembers(value, TLS_NAMES) : {};
  if (typeof cert !== "string" || typeof key !== "string") {
    // A text, or a list of them, may hold a private key.
    const takes = "{ cert, key }, both PEM texts";
    if (given) throw invalid(name, value, takes);
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      `Cannot use this as ${name}: it takes ${takes}`,
    );
  }
  const unknown = strangersIn(value as object, TLS_NAMES);
  if (unknown.length > 0) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      `Cannot use ${unknown.join(", ")} in tls: it takes cert, key, ${
        Object.keys(MORE).join(", ")
      }. For more use transport: "tcp" and listen: createServer({ … }) of node:tls.`,
    );
  }
  const read = Object.entries(more).map((
    [it, value],
  ) => [it, MORE[it as keyof typeof MORE](value, it)]);
  const tls: TlsOptions = { cert, key, ...Object.fromEntries(read) };
  if (tls.requestCert && tls.ca === undefined && tls.rejectUnauthorized !== false) {
    throw invalid("requestCert", true, "ca beside it, which says whose signature to believe");
  }
  return tls;
};

/** Reads where to listen; other listeners than addresses the transport looks at. */
export const readListen: Reader<readonly ListenEntry[]> = (value, name) => {
  if (!Array.isArray(value)) return [readEntry(value, name)];
  if (value.length > 0) return [...value].map((it) => readEntry(it, name));
  throw invalid(name, value, "at least one address, such as { port: 8000 }");
};

function readEntry(value: unknown, name: string): ListenEntry {
  if (isPlain(value)) return readAddress(value);
  // What only the servers of node:http, node:https and node:http2 have.
  if (
    typeof value === "object" && value !== null &&
    ("closeIdleConnections" in value || "updateSettings" in value)
  ) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      `Cannot ${name} on a Server of node:http, node:https or node:http2: it answers requests by itself. Give a Server of node:net or node:tls, and serve requests with onRequest; or call handleUpgrade() in its upgrade event.`,
    );
  }
  // Left out, it would stand for the default address.
  if (value === undefined) throw invalid(name, value, "no hole in its list: leave it out");
  return { listener: value };
}

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // A listener may be wrapped in an object of the caller's own.
  return (prototype === Object.prototype || prototype === null) && !("accept" in value);
}

const READERS: { readonly [N in keyof ListenAddress]-?: Reader<ListenAddress[N]> } = {
  port: (value, name) => checkNumber(name, value, PORT),
  hostname: readHostname,
  path: readText,
  tls: readTls,
  reusePort: readFlag,
};

function readAddress(given: object): ListenAddress {
  const names = Object.keys(READERS);
  const [unknown] = strangersIn(given, names);
  if (unknown !== undefined) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      `Cannot use "${unknown}" in listen: an address takes ${names.join(", ")}`,
    );
  }
  const read = Object.entries(readMembers(given, names)).map(([name, value]) => [
    name,
    READERS[name as keyof ListenAddress](value, `listen.${name}`),
  ]);
  const address: ListenAddress = Object.fromEntries(read);
  const { port, hostname, path, reusePort } = address;
  if ((port === undefined) === (path === undefined)) {
    throw invalid("listen", given, "port or path in each address");
  }
  if (path !== undefined && (hostname !== undefined || reusePort)) {
    throw invalid("listen", given, "no hostname and no reusePort beside path");
  }
  return address;
}
