import { Buffer } from "node:buffer";
import { CloseCode } from "../frames/close.ts";
import { ProtocolError } from "../frames/protocol_error.ts";
import { countFields, FIELD_LINES } from "./field_lines.ts";
import { decodeLatin1 } from "./latin1.ts";
import { MessageHead } from "./message_head.ts";
import type { RequestHeadLimits } from "./request_head_parser.ts";

/** The head of an HTTP/1.1 response (RFC 9112). */
export class ResponseHead extends MessageHead {
  /** The status code, 100 to 599. */
  readonly status: number;

  /**
   * Makes a head of parts that have been checked already.
   *
   * @param status The status code.
   * @param minorVersion 0 or 1.
   * @param fields The header fields, each as a line break, a name, a colon and a value.
   */
  constructor(status: number, minorVersion: number, fields: string) {
    super(minorVersion, fields);
    this.status = status;
  }
}

const NOTHING = new Uint8Array(0);

/** A status line (RFC 9112 §4); servers are known to leave out the reason, and the blank before it. */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const SWITCHING_PROTOCOLS = 101;

/**
 * Collects the bytes of a response head, however they are split, and parses it when it is whole. Interim
 * responses (RFC 9110 §15.2) before it are passed over, and count against the limits. Whatever the grammar
 * does not allow is refused.
 *
 * @example
 * ```ts
 * import { ResponseHeadParser } from "@duet/websocket/protocol";
 *
 * const parser = new ResponseHeadParser({ maxSize: 16_384, maxFields: 100 });
 * const bytes = new TextEncoder().encode("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
 * console.assert(parser.push(bytes.subarray(0, 9)) === undefined);
 * const head = parser.push(bytes.subarray(9));
 * console.assert(head?.status === 404 && head.get("content-length") === "0");
 * ```
 */
export class ResponseHeadParser {
  readonly #limits: RequestHeadLimits;
  #bytes: Uint8Array = NOTHING;
  #rest: Uint8Array = NOTHING;
  // How many bytes interim responses took.
  #passed = 0;

  /**
   * Makes a parser for one response.
   *
   * @param limits The bounds on the head.
   */
  constructor(limits: RequestHeadLimits) {
    this.#limits = limits;
  }

  /** The bytes that came after the head: a body, or the first frames. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /**
   * Takes the next bytes.
   *
   * @param chunk What came from the server. The caller may use it again afterwards, except for the part
   * that is then {@linkcode ResponseHeadParser.rest}.
   * @returns The head once it is whole, else undefined.
   * @throws {ProtocolError} 1002 when the bytes are not an HTTP/1.x response head or go over a limit.
   */
  push(chunk: Uint8Array): ResponseHead | undefined {
    const before = this.#bytes.length;
    let bytes = before === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    for (;;) {
      const most = this.#limits.maxSize - this.#passed;
      const text = decodeLatin1(bytes, 0, Math.min(bytes.length, most));
      const end = text.indexOf("\r\n\r\n");
      if (end === -1) {
        if (bytes.length >= most) {
          throw malformed(`it has over ${this.#limits.maxSize} bytes`);
        }
        checkBeginning(text);
        this.#bytes = new Uint8Array(bytes);
        return undefined;
      }
      const size = end + 4;
      // A slice of the text would keep all of it in memory, with what comes after the head.
      const head = parseResponseHead(decodeLatin1(bytes, 0, end), this.#limits.maxFields);
      if (head.status >= 200 || head.status === SWITCHING_PROTOCOLS) {
        this.#bytes = NOTHING;
        this.#rest = chunk.subarray(chunk.length - (bytes.length - size));
        return head;
      }
      this.#passed += size;
      bytes = bytes.subarray(size);
    }
  }
}

/** Refuses at once what cannot become a response. */
function checkBeginning(text: string): void {
  const beginning = "HTTP/1.";
  const { length } = beginning;
  if (!beginning.startsWith(text.slice(0, length))) throw malformed("it is not HTTP/1.1");
}

function parseResponseHead(text: string, maxFields: number): ResponseHead {
  const lineEnd = text.indexOf("\r\n");
  const line = lineEnd === -1 ? text : text.slice(0, lineEnd);
  const match = STATUS_LINE.exec(line);
  if (match === null) throw malformed("its status line is not one of HTTP/1.1");
  const fields = lineEnd === -1 ? "" : text.slice(lineEnd);
  if (countFields(fields, maxFields) > maxFields) {
    throw malformed(`it has over ${maxFields} header fields`);
  }
  if (!FIELD_LINES.test(fields)) {
    throw malformed("a field's name is not a token, or its value has a control character");
  }
  return new ResponseHead(Number(match[2]), Number(match[1]), fields);
}

function malformed(why: string): ProtocolError {
  return new ProtocolError(
    CloseCode.PROTOCOL_ERROR,
    `Cannot read the response: ${why}`,
    "RFC 9112 §4",
  );
}
