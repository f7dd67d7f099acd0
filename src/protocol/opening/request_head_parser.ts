import { Buffer } from "node:buffer";
import { countFields, FIELD_LINES } from "./field_lines.ts";
import { isHostField } from "./host_field.ts";
import { HttpError } from "./http_error.ts";
import { decodeLatin1 } from "./latin1.ts";
import { RequestHead, requestUrl } from "./request_head.ts";
import { isTokenCode } from "./token.ts";

/** Bounds on a request head. */
export interface RequestHeadLimits {
  /** The most bytes that request line and header fields may take. */
  maxSize: number;
  /** The most header fields. */
  maxFields: number;
}

const NOTHING = new Uint8Array(0);

/** The most bytes of a request line: RFC 9112 §3 recommends to serve 8,000 at least. */
const MAX_REQUEST_LINE = 8192;

/** The most empty lines before the request line: RFC 9112 §2.2 wants one at least to be ignored. */
const MAX_EMPTY_LINES = 4;
const CR = 0x0d;
const LF = 0x0a;

/**
 * Collects the bytes of a request head, however they are split, and parses it when it is whole.
 * A lenient reading of malformed heads lets requests be smuggled past proxies (RFC 9112 §11.2), so
 * everything that the grammar does not allow is refused. Up to four empty lines before the request
 * line are ignored (§2.2).
 *
 * @example
 * ```ts
 * import { RequestHeadParser } from "@duet/websocket/protocol";
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
  #emptyLines = 0;

  /**
   * Makes a parser for one request.
   *
   * @param limits The bounds on the head.
   */
  constructor(limits: RequestHeadLimits) {
    this.#limits = limits;
  }

  /** The bytes that came after the head: the first frames, when the request was an upgrade. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /** Whether any byte has come. */
  get started(): boolean {
    return this.#bytes !== null;
  }

  /**
   * Takes the next bytes.
   *
   * @param chunk What came from the peer. The caller may use it again afterwards, except for the part
   * that is then {@linkcode RequestHeadParser.rest}.
   * @returns The head once it is whole, else undefined.
   * @throws {HttpError} When the bytes are not an HTTP/1.x request head or go over a limit.
   */
  push(chunk: Uint8Array): RequestHead | undefined {
    const before = this.#bytes;
    const bytes = this.#skipEmptyLines(before === null ? chunk : Buffer.concat([before, chunk]));
    const text = decodeLatin1(bytes, 0, Math.min(bytes.length, this.#most));
    const end = text.indexOf("\r\n\r\n");
    const size = end === -1 ? bytes.length : end + 4;
    this.#checkSize(text, size);
    if (end === -1) {
      if (!this.#mayBeEmptyLine(bytes)) checkBeginning(bytes);
      this.#bytes = before === null ? new Uint8Array(bytes) : bytes;
      return undefined;
    }
    this.#bytes = bytes;
    const { maxFields } = this.#limits;
    if (size === bytes.length) return parseRequestHead(text.slice(0, end), maxFields);
    this.#rest = chunk.subarray(chunk.length - (bytes.length - size));
    // A slice of the text would keep all of it in memory, with what comes after the head.
    return parseRequestHead(decodeLatin1(bytes, 0, end), maxFields);
  }

  #skipEmptyLines(bytes: Uint8Array): Uint8Array {
    while (bytes[0] === CR && bytes[1] === LF && this.#emptyLines < MAX_EMPTY_LINES) {
      bytes = bytes.subarray(2);
      this.#emptyLines++;
    }
    return bytes;
  }

  /** Whether these bytes are the first half of an empty line that would be ignored. */
  #mayBeEmptyLine(bytes: Uint8Array): boolean {
    return bytes.length === 1 && bytes[0] === CR && this.#emptyLines < MAX_EMPTY_LINES;
  }

  /** How many bytes are needed to tell what is wrong with a head that is too large. */
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

/** Refuses at once what cannot become a request, such as a TLS handshake. */
function checkBeginning(bytes: Uint8Array): void {
  const end = Math.min(bytes.length, 24);
  for (let i = 0; i < end; i++) {
    if (bytes[i] === 0x20 && i > 0) return;
    if (!isTokenCode(bytes[i])) throw new HttpError(400, "Cannot read the request: it is not HTTP");
  }
  if (end === 24) throw new HttpError(400, "Cannot read the request: it has no method");
}

const REQUEST_LINE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,24} [\x21-\x7e]+ HTTP\/\d\.\d$/;

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

/** RFC 9112 §3.2: exactly one Host field, and in it only a host and a port. HTTP/1.0 may leave it out. */
function checkHost(head: RequestHead): void {
  const host = head.get("host");
  if (host === null && head.minorVersion === 0) return;
  if (host === null || !isHostField(host)) {
    throw new HttpError(400, "Cannot tell the host: one valid Host field is needed");
  }
}

/** RFC 9112 §3.2: which form of target each method takes. */
function checkTarget(head: RequestHead): void {
  const { method, target } = head;
  if (
    (method === "CONNECT" && !/^[\w.\-[\]:]+:\d{1,5}$/.test(target)) || target.startsWith("http+")
  ) throw new HttpError(400, "Cannot serve this request target");
  requestUrl(head, false);
}
