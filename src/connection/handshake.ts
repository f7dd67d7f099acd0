import {
  type ExtensionOffer,
  parseExtensions,
  parseSubprotocols,
  readOrigin,
  readVersion,
  type RequestHead,
  requestUrl,
} from "../protocol/mod.ts";
import { WebSocketError } from "../base/errors.ts";
import { WebSocketVersion } from "./version.ts";

/** The body and header fields of a response that refuses a handshake. */
export interface Rejection {
  /** The body; by default empty. */
  body?: string | Uint8Array;
  /** Further header fields. */
  headers?: Headers | Record<string, string> | [name: string, value: string][];
}

/** The request of an opening handshake (RFC 6455 §4.1). */
export class HandshakeRequest {
  readonly #head: RequestHead;
  /** Whether it came over TLS. */
  readonly isSecure: boolean;

  /** Made by the server. */
  constructor(head: RequestHead, isSecure: boolean) {
    this.#head = head;
    this.isSecure = isSecure;
  }

  /** The HTTP method: "GET". */
  get method(): string {
    return this.#head.method;
  }

  /** The whole URL with its query, `ws:` or `wss:`. */
  get uri(): URL {
    return new URL(requestUrl(this.#head, this.isSecure).replace(/^http/i, "ws"));
  }

  /** A copy of the header fields. */
  get headers(): Headers {
    return new Headers([...this.#head]);
  }

  /** `Origin` as it came: what every browser says of the page behind it (RFC 6455 §10.2). */
  get origin(): string | null {
    return readOrigin(this.#head);
  }

  /** `Host` as it came. */
  get host(): string | null {
    return this.#head.get("host");
  }

  /** The cookies by name; of those with the same name the first. */
  get cookies(): ReadonlyMap<string, string> {
    const cookies = new Map<string, string>();
    for (const pair of (this.#head.get("cookie") ?? "").split(/[;,] ?/)) {
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

  /** The protocol version; undefined when it is none that there is, which the `origin` event can see. */
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

/** What the answer to a handshake will hold. */
export class HandshakeResponse {
  /** Header fields to add to those that the protocol demands. */
  readonly headers: Headers = new Headers();
}

/** An opening handshake, given to the `handshake` event. */
export class Handshake {
  /** What the client asks for. */
  readonly request: HandshakeRequest;
  #response: HandshakeResponse | undefined;
  #rejection: { status: number; body: string | Uint8Array; headers: Headers } | undefined;

  /** Made by the server. */
  constructor(request: HandshakeRequest) {
    this.request = request;
  }

  /** What the answer will hold; header fields may be added. */
  get response(): HandshakeResponse {
    return this.#response ??= new HandshakeResponse();
  }

  /**
   * Refuses the handshake.
   *
   * @param status The HTTP status to answer with: 300 to 599.
   * @param rejection The body and header fields to answer with.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for another status.
   * @throws {TypeError} When a header field has a character that must not be in one.
   */
  reject(status: number, rejection: Rejection = {}): void {
    if (!Number.isInteger(status) || status < 300 || status > 599) {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        `Cannot refuse a handshake with status ${status}: use 300 to 599`,
      );
    }
    this.#rejection = {
      status,
      body: rejection.body ?? "",
      headers: new Headers(rejection.headers),
    };
  }

  /** How it was refused, if it was. */
  get rejection(): { status: number; body: string | Uint8Array; headers: Headers } | undefined {
    return this.#rejection;
  }

  /** Header fields that were added to the answer. */
  get added(): Headers | undefined {
    return this.#response?.headers;
  }
}
