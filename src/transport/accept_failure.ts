import { messageOf, WebSocketError } from "../base/errors.ts";

/** How long to wait before accepting is tried again: at once would only spin. */
export const ACCEPT_RETRY_MS = 50;

/** What a runtime says when a peer has gone meanwhile: it concerns no other, and is no fault of the server's. */
const GONE_ALREADY = new Set(["ENOTCONN", "ECONNABORTED", "ECONNRESET", "EPIPE", "ETIMEDOUT"]);

/**
 * Tells the failure of one peer's connection from one that others have to hear of.
 *
 * @param error What the runtime said.
 * @returns Whether only that the peer is gone.
 */
export function isPeerGone(error: unknown): boolean {
  return GONE_ALREADY.has((error as { code?: string } | null)?.code ?? "");
}

/**
 * Makes the error for connections that cannot be accepted, as when file descriptors have run out. It
 * has no cause: to print one, Deno opens files, and ends with a panic when it cannot.
 *
 * @param error What the runtime said.
 * @returns The error.
 */
export function acceptFailure(error: unknown): WebSocketError {
  const why = messageOf(error);
  return new WebSocketError(
    "ERR_LISTEN",
    `Cannot accept connections for now: ${why}. Lower maxConnections, or let the process open more files.`,
  );
}
