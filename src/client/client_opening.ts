import { Buffer } from "node:buffer";
import { WebSocketError } from "../base/errors.ts";
import {
  checkOpeningResponse,
  type OpeningAgreement,
  type OpeningRequest,
  ResponseBody,
  type ResponseHead,
  ResponseHeadParser,
} from "../protocol/mod.ts";
import type { ByteSink, ByteSocket } from "../transport/tcp/byte_socket.ts";

/** The most bytes of a refusal's body that are kept. */
const MAX_BODY = 64 * 1024;

/** Told of how an opening ends, once. */
export interface OpeningEnd {
  /**
   * The server has agreed.
   *
   * @param head Its answer.
   * @param agreed What it has agreed to.
   * @param rest What came behind it, the first frames; it belongs to the callee as in {@linkcode ByteSink.data}.
   * @returns As {@linkcode ByteSink.data}.
   */
  agreed(head: ResponseHead, agreed: OpeningAgreement, rest: Uint8Array): boolean;
  /** The server has answered with another status. */
  refused(head: ResponseHead, body: Uint8Array): void;
  failed(error: unknown): void;
}

/** A client's opening handshake over a socket: sends the request, and reads the response. */
export class ClientOpening implements ByteSink {
  readonly #socket: ByteSocket;
  readonly #request: OpeningRequest;
  readonly #end: OpeningEnd;
  readonly #parser: ResponseHeadParser;
  #writing = false;
  // What has come before the request had gone out: over such a socket nothing else can be written yet.
  #held: Uint8Array[] = [];
  #head: ResponseHead | undefined;
  #body: ResponseBody | undefined;
  #done = false;

  /**
   * @param socket A socket that has just been connected.
   * @param request What is asked for.
   * @param limits The bounds on the response head.
   * @param end Told of how it ends.
   */
  constructor(
    socket: ByteSocket,
    request: OpeningRequest,
    limits: { readonly maxHeaderSize: number; readonly maxHeaderFields: number },
    end: OpeningEnd,
  ) {
    this.#socket = socket;
    this.#request = request;
    this.#end = end;
    const { maxHeaderSize, maxHeaderFields } = limits;
    this.#parser = new ResponseHeadParser({ maxSize: maxHeaderSize, maxFields: maxHeaderFields });
    socket.sink = this;
  }

  /** Sends the request, whose header fields each begin with a line break. */
  begin(fields: string): void {
    const head = `GET ${this.#request.target} HTTP/1.1${fields}\r\n\r\n`;
    this.#writing = !this.#socket.write(Buffer.from(head, "latin1"));
  }

  data(chunk: Uint8Array): boolean {
    if (this.#done) return true;
    if (this.#writing) {
      this.#held.push(chunk);
      return false;
    }
    try {
      return this.#read(chunk);
    } catch (error) {
      this.#fail(error);
      return true;
    }
  }

  #read(chunk: Uint8Array): boolean {
    if (this.#body !== undefined) {
      if (this.#body.push(chunk)) this.#refuse();
      return true;
    }
    const head = this.#parser.push(chunk);
    if (head === undefined) return true;
    const { rest } = this.#parser;
    if (head.status === 101) {
      const agreed = checkOpeningResponse(head, this.#request);
      this.#done = true;
      return this.#end.agreed(head, agreed, rest);
    }
    this.#head = head;
    this.#body = new ResponseBody(head, MAX_BODY);
    if (this.#body.done || this.#body.push(rest)) this.#refuse();
    return true;
  }

  written(): void {
    this.#writing = false;
    const held = this.#held;
    if (held.length === 0) return;
    this.#held = [];
    if (this.data(held.length === 1 ? held[0] : Buffer.concat(held))) this.#socket.resume();
  }

  end(): void {
    this.#over();
  }

  closed(): void {
    this.#over();
  }

  /** The server has ended the connection, which may be the end of a body. */
  #over(): void {
    if (this.#body !== undefined) this.#refuse();
    else {
      this.#fail(
        new WebSocketError(
          "ERR_CONNECT",
          `Cannot open a WebSocket on ${this.#request.host}: the server closed the connection before it had answered`,
        ),
      );
    }
  }

  /**
   * Gives up. A refusal of which not all has come is told all the same.
   *
   * @param reason Why.
   */
  giveUp(reason: unknown): void {
    if (this.#body !== undefined) this.#refuse();
    else this.#fail(reason);
  }

  #refuse(): void {
    if (this.#done) return;
    this.#done = true;
    this.#socket.destroy();
    this.#end.refused(this.#head!, this.#body!.bytes);
  }

  #fail(error: unknown): void {
    if (this.#done) return;
    this.#done = true;
    this.#socket.destroy();
    this.#end.failed(error);
  }
}
