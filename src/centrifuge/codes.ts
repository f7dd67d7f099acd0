import { invalid } from "../base/option_values.ts";

/**
 * What a handler throws to have the client told: an error in the reply, or from 3000 on the end of the
 * connection. Whatever else a handler throws stays on the server, and the client hears of an internal error.
 *
 * Codes of the protocol: 100 internal, 101 unauthorized, 102 unknown channel, 103 permission denied,
 * 104 method not found, 106 limit exceeded, 107 bad request, 108 not available, 109 token expired,
 * 110 expired, 111 too many requests, 113 conflict; your own from 400 to 1999. As close codes 3500 invalid
 * token, 3503 force disconnect, 3507 permission denied; your own from 4000, and from 4500 on those after
 * which the client stays away.
 *
 * @example
 * ```ts
 * import { CentrifugeError } from "@duet/websocket/centrifuge";
 *
 * const error = new CentrifugeError(103, "permission denied");
 * console.assert(error.code === 103 && !error.temporary);
 * ```
 */
export class CentrifugeError extends Error {
  /** The error's name, for logs. */
  override readonly name = "CentrifugeError";
  /** The code that the client is told. */
  readonly code: number;
  /** Whether the client is to try again. */
  readonly temporary: boolean;

  /**
   * Makes an error.
   *
   * @param code The code: 100 to 1999 in a reply, 3000 to 4999 to end the connection.
   * @param message What the client is told; as the reason of an end at most 123 bytes, and no JSON.
   * @param temporary Whether the client is to try again; default false.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for another code, or a message that a client would not
   * understand.
   */
  constructor(code: number, message: string, temporary = false) {
    super(message);
    if (code >= 3000) checkEnd(code, message);
    else if (!Number.isInteger(code) || code < 100 || code > 1999) {
      throw invalid("code", code, "100 to 1999, or 3000 to 4999");
    }
    this.code = code;
    this.temporary = temporary;
  }
}

/** Errors in replies that this server gives by itself, by their names. */
export const Failure = {
  INTERNAL: new CentrifugeError(100, "internal server error", true),
  DENIED: new CentrifugeError(103, "permission denied"),
  ALREADY_SUBSCRIBED: new CentrifugeError(105, "already subscribed"),
  LIMIT: new CentrifugeError(106, "limit exceeded"),
  BAD_REQUEST: new CentrifugeError(107, "bad request"),
  NOT_AVAILABLE: new CentrifugeError(108, "not available"),
  TOKEN_EXPIRED: new CentrifugeError(109, "token expired"),
  UNRECOVERABLE: new CentrifugeError(112, "unrecoverable position"),
} as const;

/** Close codes with their reasons. After those from 3500 on a client stays away. */
export const End = {
  EXPIRED: [3005, "connection expired"],
  SLOW: [3008, "slow"],
  INSUFFICIENT_STATE: [3010, "insufficient state"],
  NO_PONG: [3012, "no pong"],
  BAD_REQUEST: [3501, "bad request"],
  STALE: [3502, "stale"],
  FORCED: [3503, "force disconnect"],
  INAPPROPRIATE: [3506, "inappropriate protocol"],
  NOT_AVAILABLE: [3508, "not available"],
} as const satisfies Readonly<Record<string, readonly [code: number, reason: string]>>;

/** Why the server ends a subscription. After those from 2500 on a client subscribes again. */
export const Unsubscribed = {
  BY_SERVER: [2000, "server unsubscribe"],
  INSUFFICIENT_STATE: [2500, "insufficient state"],
  EXPIRED: [2501, "subscription expired"],
} as const satisfies Readonly<Record<string, readonly [code: number, reason: string]>>;

/**
 * Checks how a connection is to be ended.
 *
 * @param code The close code.
 * @param reason The reason.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for a code that is not the protocol's, and for a reason that
 * is too long or that the JavaScript client would read as JSON.
 */
export function checkEnd(code: number, reason: string): void {
  if (!Number.isInteger(code) || code < 3000 || code > 4999) {
    throw invalid("code", code, "3000 to 4999");
  }
  const fits = typeof reason === "string" && reason.isWellFormed() &&
    new TextEncoder().encode(reason).length <= 123;
  if (!fits || isJson(reason)) {
    throw invalid("reason", reason, "a text of at most 123 bytes that is no JSON");
  }
}

/**
 * Checks why a subscription is to be ended.
 *
 * @param code The code.
 * @param reason The same in words.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for a code that is not the protocol's, and for a reason that
 * is no text.
 */
export function checkUnsubscribed(code: number, reason: string): void {
  if (!Number.isInteger(code) || code < 2000 || code > 2999) {
    throw invalid("code", code, "2000 to 2999");
  }
  if (typeof reason !== "string" || !reason.isWellFormed()) {
    throw invalid("reason", reason, "a text");
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
