/** How the lines of the fields begin that have been asked for; only so many, as names may be anybody's. */
const starts = new Map<string, string>();
const MAX_STARTS = 64;

function startOf(name: string): string {
  let start = starts.get(name);
  if (start === undefined) {
    start = `\r\n${name}:`;
    if (starts.size < MAX_STARTS) starts.set(name, start);
  }
  return start;
}

/** The head of an HTTP/1.1 request (RFC 9112). */
export class RequestHead {
  /** The method, as it came: methods are case-sensitive. */
  readonly method: string;
  /** The request target, as it came: a path with its query, or an absolute URL. */
  readonly target: string;
  /** 0 for HTTP/1.0, 1 for HTTP/1.1. */
  readonly minorVersion: number;
  // A connection keeps its request, and one text takes least memory.
  readonly #fields: string;
  #lowerCase: string | undefined;

  /**
   * Makes a head of what has been checked already.
   *
   * @param method The method.
   * @param target The request target.
   * @param minorVersion 0 or 1.
   * @param fields The header fields, each as a line break, a name, a colon and a value.
   */
  constructor(method: string, target: string, minorVersion: number, fields: string) {
    this.method = method;
    this.target = target;
    this.minorVersion = minorVersion;
    this.#fields = fields;
  }

  /**
   * Gives the value of a header field; the values of one that came several times are joined with
   * ", " (RFC 9110 §5.3).
   *
   * @param name The field name in lower case.
   * @returns The value, or null when the field did not come.
   */
  get(name: string): string | null {
    const start = startOf(name);
    const names = this.#lowerCase ??= this.#fields.toLowerCase();
    let at = names.indexOf(start);
    if (at === -1) return null;
    let value = this.#value(at + start.length);
    while ((at = names.indexOf(start, at + 1)) !== -1) {
      value += `, ${this.#value(at + start.length)}`;
    }
    return value;
  }

  /**
   * Goes through the header fields in the order in which they came.
   *
   * @returns The name in lower case and the value of each.
   */
  *[Symbol.iterator](): Generator<[name: string, value: string]> {
    for (let at = 0; at !== -1 && at < this.#fields.length; at = this.#fields.indexOf("\r\n", at)) {
      at += 2;
      const colon = this.#fields.indexOf(":", at);
      yield [this.#fields.slice(at, colon).toLowerCase(), this.#value(colon + 1)];
    }
  }

  /** Frees what has made looking fields up fast; they can still be. */
  compact(): void {
    this.#lowerCase = undefined;
  }

  /** The value that begins at a place, without the blanks around it (RFC 9110 §5.5). */
  #value(start: number): string {
    const fields = this.#fields;
    const line = fields.indexOf("\r\n", start);
    let end = line === -1 ? fields.length : line;
    while (start < end && isBlank(fields.charCodeAt(start))) start++;
    while (end > start && isBlank(fields.charCodeAt(end - 1))) end--;
    return fields.slice(start, end);
  }
}

/**
 * Puts the URL of a request together (RFC 9112 §3.3).
 *
 * @param head The request head.
 * @param secure Whether it came over TLS.
 * @returns The URL, `http:` or `https:`.
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
  const { target } = head;
  if (/^https?:/i.test(target)) return target;
  const path = target.startsWith("/") ? target : "/";
  return `http${secure ? "s" : ""}://${head.get("host") || "localhost"}${path}`;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
