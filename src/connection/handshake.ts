import type { IncomingMessage } from "node:http";
import {
  type ExtensionOffer,
  parseExtensions,
  parseSubprotocols,
  readOrigin,
  readVersion,
  type RequestHead,
  requestUrl,
} from "../protocol/mod.ts";
import type { ClientAddress } from "../transport/transport.ts";
import { isBytes } from "../base/bytes.ts";
import { WebSocketError } from "../base/errors.ts";
import { isRecord, readMembers, show, strangersIn } from "../base/option_values.ts";
import { WebSocketVersion } from "./version.ts";

/** The body and header fields of a response that refuses a handshake. */
export interface Rejection {
  /** The body; empty by default. A response of status 304 has none (RFC 9110 §15.4.5). */
  body?: string | Uint8Array | undefined;
  /** Header fields; `Content-Length` and `Transfer-Encoding` follow from the body and cannot be set. */
  headers?: Headers | Record<string, string> | [name: string, value: string][] | undefined;
}

/** The request of an opening handshake (RFC 6455 §4.1). */
export class HandshakeRequest {
  readonly #head: RequestHead;
  readonly #client: Pick<ClientAddress, "secure" | "host">;
  /** Whether it came over TLS; behind a proxy of `trustProxy`, whether it had reached that over TLS. */
  readonly isSecure: boolean;

  /** Made by the server. */
  constructor(
    head: RequestHead,
    isSecure: boolean,
    incoming?: IncomingMessage,
    client: Pick<ClientAddress, "secure" | "host"> = {},
  ) {
    this.incoming = incoming;
    this.#client = client;
    this.#head = head;
    this.isSecure = isSecure;
  }

  /** The request as `node:http` has it, where it came by `server.handleUpgrade()`. */
  readonly incoming: IncomingMessage | undefined;

  /** The HTTP method: "GET". */
  get method(): string {
    return this.#head.method;
  }

  /**
   * The whole URL with its query, `ws:` or `wss:`: an absolute request target as it came, and otherwise put
   * together from TLS or its absence, `Host` and the target (RFC 9112 §3.3). Behind a proxy of `trustProxy`
   * the scheme and the host are what the client has asked that for, as far as the proxy tells.
   */
  get uri(): URL {
    const url = new URL(requestUrl(this.#head, this.isSecure).replace("http", "ws"));
    const { secure, host = url.host } = this.#client;
    const protocol = secure === undefined ? url.protocol : secure ? "wss:" : "ws:";
    return new URL(`${protocol}//${host}${url.pathname}${url.search}`);
  }

  /** A copy of the header fields. */
  get headers(): Headers {
    return new Headers([...this.#head]);
  }

  /** `Origin` as it came: every browser sends the origin of the page (RFC 6455 §10.2). */
  get origin(): string | null {
    return readOrigin(this.#head);
  }

  /** `Host` as it came. */
  get host(): string | null {
    return this.#head.get("host");
  }

  /** The cookies by name (RFC 6265 §4.2.1). Of several with the same name, the first counts. */
  get cookies(): ReadonlyMap<string, string> {
    const cookies = new Map<string, string>();
    for (const pair of (this.#head.get("cookie") ?? "").split(";")) {
      const [name, ...value] = pair.split("=");
      const key = name.trim();
      if (value.length > 0 && !cookies.has(key)) cookies.set(key, unquote(value.join("=").trim()));
    }
    return cookies;
  }

  /** The subprotocols offered, most wanted first. */
  get subprotocols(): readonly string[] {
    return parseSubprotocols(this.#head.get("sec-websocket-protocol") ?? "");
  }

  /** The extensions offered, most wanted first. */
  get extensions(): readonly ExtensionOffer[] {
    return parseExtensions(this.#head.get("sec-websocket-extensions") ?? "");
  }

  /** The protocol version; undefined in the `origin` event when the client asks for an unknown one. */
  get version(): WebSocketVersion | undefined {
    const version = readVersion(this.#head);
    return WebSocketVersion.exists(version) ? new WebSocketVersion(version) : undefined;
  }
}

function unquote(value: string): string {
  return value.length > 1 && value.startsWith('"') && value.endsWith('"')
    ? value.slice(1, -1)
    : value;
}

/** The response to a handshake. */
export class HandshakeResponse {
  /** Header fields to send beside those that the protocol demands. */
  readonly headers: Headers = new Headers();
}

/** An opening handshake, given to the `handshake` event. */
export class Handshake {
  /** The client's request. */
  readonly request: HandshakeRequest;
  #response: HandshakeResponse | undefined;
  #rejection: { status: number; body: string | Uint8Array; headers: Headers } | undefined;

  readonly #isOver: () => boolean;

  /** Made by the server. */
  constructor(request: HandshakeRequest, isOver: () => boolean = () => false) {
    this.request = request;
    this.#isOver = isOver;
  }

  /** The response, to which header fields may be added. */
  get response(): HandshakeResponse {
    return this.#response ??= new HandshakeResponse();
  }

  /**
   * Refuses the handshake.
   *
   * @param status The HTTP status to answer with: 300 to 599.
   * @param rejection The body and header fields to answer with.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for another status, an unknown key, a body that is
   * neither a string nor a `Uint8Array`, a body of a 304, or a header field that follows from the body;
   * ERR_STATE once the WebSocket is open.
   * @throws {TypeError} When a header field has a character that is not allowed.
   */
  reject(status: number, rejection: Rejection = {}): void {
    if (this.#isOver()) {
      throw new WebSocketError(
        "ERR_STATE",
        "Cannot refuse a handshake that is over: do so in the handshake event, or disconnect()",
      );
    }
    if (!Number.isInteger(status) || status < 300 || status > 599) {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        `Cannot refuse a handshake with status ${String(status)}: use 300 to 599`,
      );
    }
    const { body = "", headers: fields } = readRejection(rejection);
    checkBody(status, body);
    const headers = new Headers(fields);
    for (const name of ["content-length", "transfer-encoding"]) {
      if (headers.has(name)) {
        throw cannotRefuse(`header field "${name}"`, "it follows from the body; leave it out");
      }
    }
    this.#rejection = { status, body, headers };
  }

  /** The refusal, if {@linkcode Handshake.reject} was called. */
  get rejection(): { status: number; body: string | Uint8Array; headers: Headers } | undefined {
    return this.#rejection;
  }

  /** The header fields that were added to the response, if any. */
  get added(): Headers | undefined {
    return this.#response?.headers;
  }
}

const REJECTION = ["body", "headers"];

function readRejection(rejection: Rejection): Rejection {
  if (!isRecord(rejection)) {
    throw cannotRefuse(show(rejection), "give an object with a body, headers or both");
  }
  const [unknown] = strangersIn(rejection, REJECTION);
  if (unknown !== undefined) throw cannotRefuse(show(unknown), "use body and headers");
  return readMembers(rejection, REJECTION);
}

function checkBody(status: number, body: string | Uint8Array): void {
  if (typeof body !== "string" && !isBytes(body)) {
    throw cannotRefuse(`a body of type ${typeof body}`, "use a string or a Uint8Array");
  }
  if (status === 304 && body.length > 0) {
    throw cannotRefuse("status 304 and a body", "a 304 has none (RFC 9110 §15.4.5); leave it out");
  }
}

function cannotRefuse(what: string, why: string): WebSocketError {
  return new WebSocketError(
    "ERR_INVALID_ARGUMENT",
    `Cannot refuse a handshake with ${what}: ${why}`,
  );
}
