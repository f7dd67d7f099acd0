import { hash } from "node:crypto";
import type { ExtensionOffer } from "../frames/extension.ts";
import { isHostField } from "./host_field.ts";
import { HttpError } from "./http_error.ts";
import { formatFields } from "./response_head.ts";
import { hasToken, parseExtensions, parseSubprotocols } from "./negotiation.ts";

/** What the opening handshake needs of a request. A `RequestHead` has it. */
export interface RequestFields {
  /** The HTTP method. */
  readonly method: string;
  /** 0 for HTTP/1.0, 1 for HTTP/1.1 or unknown. */
  readonly minorVersion: number;
  /** Gives a header field's value by its name in lower case; repeated fields are joined with ", ". */
  get(name: string): string | null;
}

/** What a client's opening handshake asks for (RFC 6455 §4.1). */
export interface OpeningHandshake {
  /** `Sec-WebSocket-Key`. */
  readonly key: string;
  /** `Sec-WebSocket-Version`; NaN when it is missing or not a number. */
  readonly version: number;
  /** `Origin` as it came, or null; browsers always send it. */
  readonly origin: string | null;
  /** The subprotocols offered, most wanted first. */
  readonly subprotocols: readonly string[];
  /** The extensions offered, most wanted first. */
  readonly extensions: readonly ExtensionOffer[];
}

/**
 * Tells whether a request asks for a WebSocket, even if it has mistakes: its `Upgrade` field names the
 * protocol (RFC 6455 §4.2.1).
 *
 * @param request The request.
 * @returns false for a plain HTTP request.
 *
 * @example
 * ```ts
 * import { isUpgradeRequest } from "@duet/websocket/protocol";
 *
 * const fields: Record<string, string> = { upgrade: "WebSocket" };
 * const request = { method: "GET", minorVersion: 1, get: (name: string) => fields[name] ?? null };
 * console.assert(isUpgradeRequest(request));
 * ```
 */
export function isUpgradeRequest(request: RequestFields): boolean {
  const upgrade = request.get("upgrade");
  return upgrade !== null && hasToken(upgrade, "websocket");
}

/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/**
 * Reads a client's opening handshake and checks everything that RFC 6455 §4.2.1 demands of it except
 * the version, which the server checks. A field that is no list and came several times is refused.
 *
 * @param request The request head.
 * @returns What the client asks for.
 * @throws {HttpError} 405 for a method other than GET, 426 for a request without the upgrade fields,
 * 400 for a malformed one.
 *
 * @example The handshake of RFC 6455 §1.2
 * ```ts
 * import { readOpeningHandshake, RequestHeadParser } from "@duet/websocket/protocol";
 *
 * const head = new RequestHeadParser({ maxSize: 16_384, maxFields: 100 }).push(
 *   new TextEncoder().encode([
 *     "GET /chat HTTP/1.1",
 *     "Host: server.example.com",
 *     "Upgrade: websocket",
 *     "Connection: Upgrade",
 *     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
 *     "Sec-WebSocket-Protocol: chat, superchat",
 *     "Sec-WebSocket-Version: 13",
 *     "\r\n",
 *   ].join("\r\n")),
 * )!;
 * console.assert(readOpeningHandshake(head).subprotocols[1] === "superchat");
 * ```
 */
export function readOpeningHandshake(request: RequestFields): OpeningHandshake {
  if (request.method !== "GET") {
    throw new HttpError(405, "Cannot open a WebSocket with this method: use GET", { Allow: "GET" });
  }
  if (request.minorVersion < 1) {
    throw new HttpError(400, "Cannot open a WebSocket over HTTP/1.0: use HTTP/1.1");
  }
  if (!isUpgradeRequest(request)) {
    throw new HttpError(426, "Cannot serve plain HTTP here: open a WebSocket", {
      Upgrade: "websocket",
      Connection: "Upgrade",
    });
  }
  if (!hasToken(request.get("connection") ?? "", "upgrade")) {
    throw new HttpError(400, "Cannot open a WebSocket without the field Connection: Upgrade");
  }
  const host = request.get("host");
  if (host !== null && (host === "" || !isHostField(host))) {
    throw new HttpError(400, "Cannot open a WebSocket: Host does not name one host");
  }
  const length = request.get("content-length");
  if ((length !== null && Number(length) !== 0) || request.get("transfer-encoding") !== null) {
    throw new HttpError(400, "Cannot open a WebSocket with a request that has a body");
  }
  const key = request.get("sec-websocket-key");
  if (key === null || !KEY.test(key)) {
    throw new HttpError(
      400,
      "Cannot open a WebSocket: Sec-WebSocket-Key is not 16 bytes in base64",
    );
  }
  const version = readVersion(request);
  const origin = readOrigin(request, version);
  if (origin?.includes(", ")) {
    throw new HttpError(400, "Cannot open a WebSocket: Origin came more than once");
  }
  const subprotocols = request.get("sec-websocket-protocol");
  const extensions = request.get("sec-websocket-extensions");
  return {
    key,
    version,
    origin,
    subprotocols: subprotocols === null ? NONE : parseSubprotocols(subprotocols),
    extensions: extensions === null ? NONE : parseExtensions(extensions),
  };
}

const NONE: readonly never[] = [];

/**
 * Reads `Sec-WebSocket-Version`.
 *
 * @param request The request head.
 * @returns The version; NaN when the field is missing or not a number.
 *
 * @example
 * ```ts
 * import { readVersion, RequestHead } from "@duet/websocket/protocol";
 *
 * const head = new RequestHead("GET", "/", 1, "\r\nSec-WebSocket-Version: 13");
 * console.assert(readVersion(head) === 13);
 * ```
 */
export function readVersion(request: RequestFields): number {
  const version = request.get("sec-websocket-version") ?? "";
  return /^(?:0|[1-9]\d{0,2})$/.test(version) ? Number(version) : NaN;
}

/**
 * Reads `Origin`, or `Sec-WebSocket-Origin` of the drafts before RFC 6455.
 *
 * @param request The request head.
 * @param version The version that it asks for, if that has been read already.
 * @returns The origin as it came; null when there is none.
 *
 * @example
 * ```ts
 * import { readOrigin, RequestHead } from "@duet/websocket/protocol";
 *
 * const head = new RequestHead("GET", "/", 1, "\r\nOrigin: https://example.com");
 * console.assert(readOrigin(head) === "https://example.com");
 * ```
 */
export function readOrigin(
  request: RequestFields,
  version: number = readVersion(request),
): string | null {
  const origin = request.get("origin");
  return origin === null && version < 13 ? request.get("sec-websocket-origin") : origin;
}

/**
 * Gives the answer for a version that is not served (RFC 6455 §4.2.2, §4.4).
 *
 * @param versions The versions served, most wanted first.
 * @returns The error: 426 with the versions to choose from.
 *
 * @example
 * ```ts
 * import { versionNotServed } from "@duet/websocket/protocol";
 *
 * console.assert(versionNotServed([13]).headers["Sec-WebSocket-Version"] === "13");
 * ```
 */
export function versionNotServed(versions: readonly number[]): HttpError {
  return new HttpError(426, `Cannot serve this WebSocket version: use ${versions.join(" or ")}`, {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": versions.join(", "),
  });
}

/**
 * Computes `Sec-WebSocket-Accept` from `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
 *
 * @param key The client's key.
 * @returns The value, which proves that the server understood the handshake.
 *
 * @example The keys of RFC 6455 §1.3
 * ```ts
 * import { acceptKey } from "@duet/websocket/protocol";
 *
 * console.assert(acceptKey("dGhlIHNhbXBsZSBub25jZQ==") === "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
 * ```
 */
export function acceptKey(key: string): string {
  return hash("sha1", `${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`, "base64");
}

/**
 * Makes the head of the response that opens a WebSocket (RFC 6455 §4.2.2).
 *
 * @param key The client's key.
 * @param headers Further header fields, after those that the protocol demands.
 * @returns The head, its blank line included; every character of it is one byte (Latin-1).
 * @throws {TypeError} When a header field has a character that must not be in one.
 *
 * @example
 * ```ts
 * import { openingResponse } from "@duet/websocket/protocol";
 *
 * const head = openingResponse("dGhlIHNhbXBsZSBub25jZQ==", [["Sec-WebSocket-Protocol", "chat"]]);
 * console.assert(head.startsWith("HTTP/1.1 101 Switching Protocols\r\n"));
 * ```
 */
export function openingResponse(
  key: string,
  headers: readonly (readonly [name: string, value: string])[],
): string {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${acceptKey(key)}\r\n${formatFields(headers)}\r\n`;
}
