import { HttpError } from "./http_error.ts";
import { MessageHead } from "./message_head.ts";

/** The head of an HTTP/1.1 request (RFC 9112). */
export class RequestHead extends MessageHead {
  /** The method, as it came: methods are case-sensitive. */
  readonly method: string;
  /** The request target, as it came: a path with its query, or an absolute URL. */
  readonly target: string;

  /**
   * Makes a head of parts that have been checked already.
   *
   * @param method The method.
   * @param target The request target.
   * @param minorVersion 0 or 1.
   * @param fields The header fields, each as a line break, a name, a colon and a value.
   */
  constructor(method: string, target: string, minorVersion: number, fields: string) {
    super(minorVersion, fields);
    this.method = method;
    this.target = target;
  }
}

/** The absolute form (RFC 9112 §3.2.2); `ws:` names the same resources as `http:` (RFC 6455 §3). */
const ABSOLUTE = /^(?:http|ws)(s?)(:\/\/[^/?#].*)$/i;
/**
 * What no target has: a fragment (RFC 9112 §3.2), a backslash in the path, which a URL would take for a
 * slash, and a user (RFC 9110 §4.2.4).
 */
const NO_TARGET = /#|^[^?]*\\|^[a-z+]+:\/\/[^/?]*@/i;
/** How an HTTP server on a Unix socket, or the like, writes a URL: its authority is no host. */
const LOCAL = /^http\+[a-z]+:\/\/[^/?#]*/i;

/**
 * Gives the URL that a request is for (RFC 9112 §3.3): an absolute target as it is, and otherwise the
 * scheme of the connection, the authority of `Host`, and the path and query of the target. No part of it
 * is made up: a request that leaves the authority open, as HTTP/1.0 without `Host` does, has no URL.
 *
 * @param head The request head.
 * @param secure Whether it came over TLS.
 * @returns The URL, `http:` or `https:`. It can be parsed.
 * @throws {HttpError} 400 when the request has no URL, or one of another scheme.
 *
 * @example
 * ```ts
 * import { RequestHead, requestUrl } from "@duet/websocket/protocol";
 *
 * const head = new RequestHead("GET", "/chat?room=1", 1, "\r\nHost: example.com");
 * console.assert(requestUrl(head, true) === "https://example.com/chat?room=1");
 * ```
 */
export function requestUrl(head: RequestHead, secure: boolean): string {
  const { method, target } = head;
  if (NO_TARGET.test(target)) {
    throw new HttpError(400, "Cannot serve this request target: no fragment, backslash or user");
  }
  const scheme = secure ? "https" : "http";
  let url: string;
  if (target.startsWith("/")) url = `${scheme}://${authorityOf(head)}${target}`;
  else if (method === "OPTIONS" && target === "*") url = `${scheme}://${authorityOf(head)}`;
  else if (method === "CONNECT") url = `${scheme}://${target}`;
  else if (LOCAL.test(target)) url = target.replace(LOCAL, `${scheme}://${authorityOf(head)}`);
  else {
    const [, s, rest] = ABSOLUTE.exec(target) ?? [];
    if (rest === undefined) {
      throw new HttpError(400, "Cannot serve this request target: use a path, or an http: URL");
    }
    url = `http${s.toLowerCase()}${rest}`;
  }
  if (URL.canParse(url)) return url;
  throw new HttpError(400, "Cannot serve this request target on this host");
}

function authorityOf(head: RequestHead): string {
  const host = head.get("host");
  if (host) return host;
  throw new HttpError(400, "Cannot tell the host of this request: send a Host field that names it");
}
