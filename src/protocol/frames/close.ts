import { Buffer } from "node:buffer";
import { MAX_CONTROL_PAYLOAD } from "./frame.ts";
import { ProtocolError } from "./protocol_error.ts";
import { decodeUtf8 } from "./utf8.ts";

/** The status codes of RFC 6455 §7.4.1 and the registry that it founded. */
export const CloseCode = {
  /** The purpose of the connection is fulfilled. */
  NORMAL_CLOSURE: 1000,
  /** The server goes down, or the user leaves the page. */
  GOING_AWAY: 1001,
  /** The peer broke the protocol. */
  PROTOCOL_ERROR: 1002,
  /** Data of a type that this endpoint cannot accept. */
  UNSUPPORTED_DATA: 1003,
  /** Never on the wire: the Close frame held no code. */
  NO_STATUS_RECEIVED: 1005,
  /** Never on the wire: the connection was lost without a Close frame. */
  ABNORMAL_CLOSURE: 1006,
  /** A payload that does not match its type, such as text that is not UTF-8. */
  INVALID_PAYLOAD: 1007,
  /** A message against this endpoint's policy. */
  POLICY_VIOLATION: 1008,
  /** A message too big to take. */
  MESSAGE_TOO_BIG: 1009,
  /** The client wanted an extension that the server did not grant. */
  MANDATORY_EXTENSION: 1010,
  /** The server met a condition that it could not handle. */
  INTERNAL_ERROR: 1011,
  /** The server restarts. */
  SERVICE_RESTART: 1012,
  /** The server is overloaded: try again later. */
  TRY_AGAIN_LATER: 1013,
  /** A gateway got a bad answer from behind it. */
  BAD_GATEWAY: 1014,
} as const;

/** The most bytes of UTF-8 that the reason of a Close frame may have (RFC 6455 §5.5, §5.5.1). */
export const MAX_CLOSE_REASON = MAX_CONTROL_PAYLOAD - 2;

/**
 * Tells whether a status code may stand in a Close frame (RFC 6455 §7.4): one that the registry
 * defines for the wire, or one of 3000 to 4999, which libraries and applications define.
 *
 * @param code The status code.
 * @returns Whether it may be sent and received.
 *
 * @example
 * ```ts
 * import { isCloseCode } from "@duet/websocket/protocol";
 *
 * console.assert(isCloseCode(1000) && isCloseCode(4999));
 * console.assert(!isCloseCode(1005) && !isCloseCode(2000));
 * ```
 */
export function isCloseCode(code: number): boolean {
  return Number.isInteger(code) &&
    ((code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
      (code >= 3000 && code <= 4999));
}

/** What the payload of a Close frame says. */
export interface CloseStatus {
  /** The status code; 1005 when the frame held none. */
  code: number;
  /** The reason; empty when the frame held none. */
  reason: string;
}

/**
 * Reads the payload of a Close frame (RFC 6455 §5.5.1).
 *
 * @param payload The unmasked payload.
 * @returns Its code and reason.
 * @throws {ProtocolError} 1002 for a payload of one byte or a code that may not be on the wire,
 * 1007 for a reason that is not UTF-8.
 *
 * @example
 * ```ts
 * import { readCloseStatus } from "@duet/websocket/protocol";
 *
 * console.assert(readCloseStatus(Uint8Array.of(0x03, 0xe8)).code === 1000);
 * console.assert(readCloseStatus(new Uint8Array()).code === 1005);
 * ```
 */
export function readCloseStatus(payload: Uint8Array): CloseStatus {
  if (payload.length === 0) return { code: CloseCode.NO_STATUS_RECEIVED, reason: "" };
  if (payload.length === 1) {
    throw new ProtocolError(
      CloseCode.PROTOCOL_ERROR,
      "Cannot read a Close frame: its payload has one byte, a status code has two",
      "RFC 6455 §5.5.1",
    );
  }
  const code = (payload[0] << 8) | payload[1];
  if (!isCloseCode(code)) {
    throw new ProtocolError(
      CloseCode.PROTOCOL_ERROR,
      `Cannot accept a Close frame: its status code ${code} may not be on the wire`,
      "RFC 6455 §7.4",
    );
  }
  const reason = decodeUtf8(payload, 2, payload.length);
  if (reason === undefined) {
    throw new ProtocolError(
      CloseCode.INVALID_PAYLOAD,
      "Cannot read a Close frame: its reason is not UTF-8",
      "RFC 6455 §5.5.1",
    );
  }
  return { code, reason };
}

/**
 * Makes the payload of a Close frame.
 *
 * @param code The status code; left out, the payload is empty.
 * @param reason At most 123 bytes of UTF-8.
 * @returns The payload.
 * @throws {RangeError} When the code may not be on the wire, or the reason is too long or not
 * well-formed.
 *
 * @example
 * ```ts
 * import { closePayload } from "@duet/websocket/protocol";
 *
 * console.assert(closePayload(1000, "done").length === 6);
 * ```
 */
export function closePayload(code?: number, reason = ""): Uint8Array {
  if (code === undefined) {
    if (reason !== "") {
      throw new RangeError("Cannot send a close reason without a status code: give one, as 1000");
    }
    return new Uint8Array(0);
  }
  if (!isCloseCode(code)) {
    throw new RangeError(
      `Cannot close with status code ${code}: use 1000 to 1003, 1007 to 1014, or 3000 to 4999`,
    );
  }
  if (typeof reason !== "string") {
    throw new RangeError(`Cannot send a close reason that is a ${typeof reason}: use a string`);
  }
  if (!reason.isWellFormed()) {
    throw new RangeError("Cannot send a close reason with a lone surrogate: it has no UTF-8 form");
  }
  const length = Buffer.byteLength(reason);
  if (length > MAX_CLOSE_REASON) {
    throw new RangeError(
      `Cannot send a close reason of ${length} bytes: a Close frame takes at most ${MAX_CLOSE_REASON}`,
    );
  }
  const payload = new Uint8Array(2 + length);
  payload[0] = code >>> 8;
  payload[1] = code;
  new TextEncoder().encodeInto(reason, payload.subarray(2));
  return payload;
}
