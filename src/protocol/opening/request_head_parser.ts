import { Buffer } from "node:buffer";
import { isHost } from "./host.ts";
import { HttpError } from "./http_error.ts";
import { RequestHead, requestUrl } from "./request_head.ts";
import { isTokenCode } from "./token.ts";
import { decodeLatin1 } from "../frames/utf8.ts";

/** Bounds on a request head. */
export interface RequestHeadLimits {
  /** The most bytes that request line and header fields may take. */
  maxSize: number;
  /** The most header fields. */
  maxFields: number;
}

const NOTHING = new Uint8Array(0);

/** The most bytes of a request line: RFC 9112 §3 recommends that 8,000 at least are served. */
const MAX_REQUEST_LINE = 8192;

/**
 * Collects the bytes of a request head, however they are split, and parses it when it is whole.
 * Lenient readings of malformed heads are how requests get smuggled past proxies (RFC 9112 §11.2),
 * so everything that the grammar does not allow is refused.
 *
 * @example
 * ```ts
 * import { isHost } from "./host.ts";
import { HttpError } from "./http_error.ts";
import { RequestHeadParser } from "@duet/websocket/protocol";
 *
 * const parser = new RequestHeadParser({ maxSize: 16_384, maxFields: 100 });
 * const bytes = new TextEncoder().encode("GET /chat HTTP/1.1\r\nHost: example.com\r\n\r\n");
 * console.assert(parser.push(bytes.subarray(0, 9)) === undefined);
 * const head = parser.push(bytes.subarray(9));
 * console.assert(head?.target === "/chat" && head.get("host") === "example.com");
 * ```
 */
export class RequestHeadParser {
  readonly #limits: RequestHeadLimits;
  #bytes: Uint8Array | null = null;
  #rest: Uint8Array = NOTHING;

  /**
   * Makes a parser for one request.
   *
   * @param limits The bounds on the head.
   */
  constructor(limits: RequestHeadLimits) {
    this.#limits = limits;
  }

  /** The bytes that came behind the head: the first frames, when the request was an upgrade. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /** Whether any byte of the head has come. */
  get started(): boolean {
    return this.#bytes !== null;
  }

  /**
   * Takes the next bytes.
   *
   * @param chunk What came from the peer; may be used again by the caller afterwards, but for what
   * {@linkcode RequestHeadParser.rest} then gives of it.
   * @returns The head once it is whole, else undefined.
   * @throws {HttpError} When the bytes are not an HTTP/1.x request head or go over a limit.
   */
  push(chunk: Uint8Array): RequestHead | undefined {
    const before = this.#bytes;
    const bytes = before === null ? chunk : Buffer.concat([before, chunk]);
    const text = decodeLatin1(bytes, 0, Math.min(bytes.length, this.#most));
    const end = text.indexOf("\r\n\r\n");
    const size = end === -1 ? bytes.length : end + 4;
    this.#checkSize(text, size);
    if (end === -1) {
      checkBeginning(bytes);
      this.#bytes = before === null ? new Uint8Array(chunk) : bytes;
      return undefined;
    }
    this.#bytes = bytes;
    const { maxFields } = this.#limits;
    if (size === bytes.length) return parseRequestHead(text.slice(0, end), maxFields);
    this.#rest = chunk.subarray(chunk.length - (bytes.length - size));
    // A slice of the text would keep all of it, with what is behind the head.
    return parseRequestHead(decodeLatin1(bytes, 0, end), maxFields);
  }

  /** How many bytes have to be looked at to tell what is wrong with a head that is too large. */
  get #most(): number {
    return Math.max(this.#limits.maxSize, MAX_REQUEST_LINE + "\r\n".length);
  }

  #checkSize(text: string, size: number): void {
    if (size <= MAX_REQUEST_LINE && size <= this.#limits.maxSize) return;
    const line = text.indexOf("\r\n");
    // While the line feed is to come, the last byte may be the carriage return before it.
    if (line === -1 ? size > MAX_REQUEST_LINE + 1 : line > MAX_REQUEST_LINE) {
      throw new HttpError(414, `Cannot read a request line of over ${MAX_REQUEST_LINE} bytes`);
    }
    if (size > this.#limits.maxSize) {
      throw new HttpError(431, `Cannot read a request head of over ${this.#limits.maxSize} bytes`);
    }
  }
}

/** Refuses what cannot become a request, such as a TLS handshake, without waiting for its end. */
function checkBeginning(bytes: Uint8Array): void {
  const end = Math.min(bytes.length, 24);
  for (let i = 0; i < end; i++) {
    if (bytes[i] === 0x20 && i > 0) return;
    if (!isTokenCode(bytes[i])) throw new HttpError(400, "Cannot read the request: it is not HTTP");
  }
  if (end === 24) throw new HttpError(400, "Cannot read the request: it has no method");
}

const REQUEST_LINE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,24} [\x21-\x7e]+ HTTP\/\d\.\d$/;

/**
 * Field lines (RFC 9112 §5): a token, at once a colon, and no control character in the value. A folded
 * line begins with a blank, so it is none. Every character fits one place only: it takes linear time.
 */
const FIELD_LINES = /^(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*)*$/;

function parseRequestHead(text: string, maxFields: number): RequestHead {
  const lineEnd = text.indexOf("\r\n");
  const line = lineEnd === -1 ? text : text.slice(0, lineEnd);
  if (!REQUEST_LINE.test(line)) throw new HttpError(400, "Cannot read the request line");
  const targetEnd = line.length - " HTTP/1.1".length;
  if (line.at(-3) !== "1") {
    throw new HttpError(505, `Cannot speak ${line.slice(targetEnd + 1)}: use HTTP/1.1`);
  }
  const methodEnd = line.indexOf(" ");
  const method = line.slice(0, methodEnd);
  const target = line.slice(methodEnd + 1, targetEnd);
  const fields = lineEnd === -1 ? "" : text.slice(lineEnd);
  if (countFields(fields, maxFields) > maxFields) {
    throw new HttpError(431, `Cannot read over ${maxFields} header fields`);
  }
  if (!FIELD_LINES.test(fields)) {
    throw new HttpError(
      400,
      "Cannot read a header field: its name is not a token, or its value has a control character",
    );
  }
  const head = new RequestHead(method, target, Number(line.at(-1)), fields);
  checkFraming(head);
  checkHost(head);
  checkTarget(head);
  return head;
}

/** How many fields there are, or one more than the most there may be. */
function countFields(fields: string, most: number): number {
  let count = 0;
  for (let at = fields.indexOf("\r\n"); at !== -1 && count <= most; count++) {
    at = fields.indexOf("\r\n", at + 2);
  }
  return count;
}

/** Two ways to tell where a body ends are the root of request smuggling (RFC 9112 §6.1, §6.3). */
function checkFraming(head: RequestHead): void {
  const length = head.get("content-length");
  const coding = head.get("transfer-encoding");
  if (
    (length !== null && (coding !== null || !/^\d{1,15}$/.test(length))) ||
    (coding !== null && head.minorVersion === 0)
  ) {
    throw new HttpError(400, "Cannot tell where the request body ends");
  }
  if (coding !== null && coding.toLowerCase() !== "chunked") {
    throw new HttpError(501, "Cannot read this transfer coding: use chunked or Content-Length");
  }
}

/** RFC 9112 §3.2: exactly one Host field, and in it nothing but a host and a port. */
function checkHost(head: RequestHead): void {
  const host = head.get("host");
  if (host === null && head.minorVersion === 0) return;
  if (host === null || !isHost(host)) {
    throw new HttpError(400, "Cannot tell the host: one valid Host field is needed");
  }
}

/** RFC 9112 §3.2: which form of target each method takes. */
function checkTarget(head: RequestHead): void {
  const { method, target } = head;
  const served = target.startsWith("/") ||
    (method === "OPTIONS" && target === "*") ||
    (method === "CONNECT" && /^[\w.\-[\]:]+:\d{1,5}$/.test(target)) ||
    /^https?:\/\/[^/?#]/i.test(target);
  if (!served || !URL.canParse(requestUrl(head, false))) {
    throw new HttpError(400, "Cannot serve this request target on this host");
  }
}
