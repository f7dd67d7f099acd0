import { WebSocketError } from "../base/errors.ts";
import type { TransportName } from "./transport.ts";

/**
 * Makes the error for what a transport cannot do.
 *
 * @param what What was asked for, as "send a ping".
 * @param transport The transport.
 * @param why Why it cannot.
 * @returns The error.
 */
export function unsupported(what: string, transport: TransportName, why: string): WebSocketError {
  return new WebSocketError(
    "ERR_UNSUPPORTED",
    `Cannot ${what} on ${transport}: ${why}. Use transport: "tcp".`,
  );
}
