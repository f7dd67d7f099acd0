import { Buffer } from "node:buffer";
import { hasToken } from "./negotiation.ts";
import type { ResponseHead } from "./response_head_parser.ts";

/** The most digits of a chunk's size, and the most bytes of its line, that are looked at. */
const MAX_SIZE_LINE = 256;
const CHUNK_SIZE = /^([\da-fA-F]{1,8})[\t ]*(?:;[^\r\n]*)?$/;

/**
 * Collects the first bytes of a response's body (RFC 9112 §6.3), however they are split: all of a short one,
 * the beginning of any other. What is malformed ends it.
 *
 * @example
 * ```ts
 * import { ResponseBody, ResponseHead } from "@duet/websocket/protocol";
 *
 * const body = new ResponseBody(new ResponseHead(404, 1, "\r\nContent-Length: 4"), 1024);
 * console.assert(!body.push(new TextEncoder().encode("Gon")));
 * console.assert(body.push(new TextEncoder().encode("e\n")));
 * console.assert(new TextDecoder().decode(body.bytes) === "Gone");
 * ```
 */
export class ResponseBody {
  /** Whether all has come that is wanted. */
  done: boolean;
  readonly #chunked: boolean;
  #pieces: Uint8Array[] = [];
  // How much more is wanted, and how much of it is to come before the next line of a chunked body.
  #wanted: number;
  #chunk = 0;
  // The part of a line that has come; undefined between lines.
  #line: string | undefined = "";

  /**
   * Makes a collector for one response.
   *
   * @param head Its head.
   * @param most The most bytes to collect.
   */
  constructor(head: ResponseHead, most: number) {
    const coding = head.get("transfer-encoding");
    const length = head.get("content-length");
    this.#chunked = coding !== null && hasToken(coding, "chunked");
    const size = this.#chunked || length === null
      ? Infinity
      : /^\d{1,15}$/.test(length)
      ? Number(length)
      : 0;
    const none = head.status < 200 || head.status === 204 || head.status === 304;
    this.#wanted = none ? 0 : Math.min(size, most);
    this.done = this.#wanted === 0;
  }

  /** What has come of it. */
  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#pieces));
  }

  /**
   * Takes the next bytes.
   *
   * @param bytes What came from the server; the caller may use it again afterwards.
   * @returns Whether all has come that is wanted.
   */
  push(bytes: Uint8Array): boolean {
    if (!this.#chunked) {
      this.#take(bytes);
      return this.done;
    }
    for (let at = 0; at < bytes.length && !this.done;) {
      if (this.#line === undefined) {
        const size = Math.min(this.#chunk, bytes.length - at);
        this.#take(bytes.subarray(at, at + size));
        this.#chunk -= size;
        at += size;
        // Behind a chunk comes an empty line, and the size of the next.
        if (this.#chunk === 0) this.#line = "";
      } else {
        this.#readLine(bytes[at++]);
      }
    }
    return this.done;
  }

  #take(bytes: Uint8Array): void {
    const size = Math.min(bytes.length, this.#wanted);
    if (size > 0) this.#pieces.push(bytes.slice(0, size));
    this.#wanted -= size;
    if (this.#wanted === 0) this.done = true;
  }

  #readLine(byte: number): void {
    this.#line += String.fromCharCode(byte);
    const line = this.#line!;
    if (line === "\r\n" && this.#pieces.length > 0) {
      this.#line = "";
    } else if (line.endsWith("\n")) {
      const match = CHUNK_SIZE.exec(line.replace(/\r?\n$/, ""));
      this.#chunk = match === null ? 0 : parseInt(match[1], 16);
      if (this.#chunk === 0) this.done = true;
      else this.#line = undefined;
    } else if (line.length > MAX_SIZE_LINE) {
      this.done = true;
    }
  }
}
