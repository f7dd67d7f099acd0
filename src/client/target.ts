import { WebSocketError } from "../base/errors.ts";
import { basic } from "./basic.ts";
import type { ClientSettings, ReadTls } from "./client_options.ts";

/** Where a client asks for a WebSocket, and with what. */
export interface Target {
  /** A `ws:` or `wss:` URL without a fragment and without credentials. */
  readonly url: URL;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly tls: ReadTls;
}

/**
 * Reads the URL of a WebSocket (RFC 6455 §3). `http:` and `https:` stand for `ws:` and `wss:`; credentials in
 * it become the field `Authorization`, unless there is one.
 *
 * @param given The URL.
 * @param settings The client's settings.
 * @returns Where to ask.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT when it is no such URL.
 */
export function readTarget(given: string | URL, settings: ClientSettings): Target {
  // Credentials must not get into a message.
  if (!URL.canParse(String(given))) throw wrongUrl("it is no absolute URL");
  const url = webSocketUrl(new URL(given));
  if (url === undefined) throw wrongUrl("its scheme is none of ws:, wss:, http: and https:");
  if (url.hash !== "" || String(given).includes("#")) {
    throw wrongUrl("it has a fragment, which RFC 6455 §3 does not allow");
  }
  let { headers } = settings;
  if (url.username !== "" || url.password !== "") {
    if (!headers.some(([name]) => name === "authorization")) {
      headers = [...headers, ["authorization", basic(url)]];
    }
    url.username = url.password = "";
  }
  return { url, headers, tls: settings.tls };
}

function webSocketUrl(url: URL): URL | undefined {
  const scheme = /^(?:ws|http)(s?):/.exec(url.protocol);
  return scheme === null ? undefined : new URL(url.href.replace(/^\w+:/, `ws${scheme[1]}:`));
}

function wrongUrl(why: string): WebSocketError {
  return new WebSocketError("ERR_INVALID_ARGUMENT", `Cannot connect to this URL: ${why}`);
}

/** What only the host that it was meant for is told. */
const CREDENTIALS = ["authorization", "cookie", "host", "proxy-authorization"];

/**
 * Gives where a redirect leads. Another host is told no credentials and shown no certificate; a TLS
 * connection is not left.
 *
 * @param from Where the redirect came from.
 * @param location The field `Location` of it.
 * @returns Where to ask next; a text says why it cannot be followed.
 */
export function redirect(from: Target, location: string): Target | string {
  const base = from.url.href.replace("ws", "http");
  const url = URL.canParse(location, base) ? webSocketUrl(new URL(location, base)) : undefined;
  if (url === undefined) return "its Location is no URL of a WebSocket";
  if (from.url.protocol === "wss:" && url.protocol !== "wss:") return "it leaves TLS";
  url.hash = url.username = url.password = "";
  if (url.host === from.url.host) return { ...from, url };
  const headers = from.headers.filter(([name]) => !CREDENTIALS.includes(name));
  const { cert: _cert, key: _key, servername: _name, ...tls } = from.tls;
  return { url, headers, tls };
}
