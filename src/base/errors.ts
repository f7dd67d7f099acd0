/** What went wrong, in one word. */
export type WebSocketErrorCode =
  /** An option, an argument or an event name is not one that there is. */
  | "ERR_INVALID_ARGUMENT"
  /** The transport, or this runtime, cannot do it. */
  | "ERR_UNSUPPORTED"
  /** Listening failed. */
  | "ERR_LISTEN"
  /** A server cannot be reached, or has not answered in time. */
  | "ERR_CONNECT"
  /** The call does not fit what the server or connection is doing. */
  | "ERR_STATE"
  /** The connection has ended. */
  | "ERR_CLOSED"
  /** A limit of this side is reached. */
  | "ERR_LIMIT"
  /** The application, an engine, or the server that was asked, does not allow it. */
  | "ERR_REFUSED"
  /** A handler threw or rejected, and `cause` is what it threw; or a shutdown waited in vain for one. */
  | "ERR_HANDLER"
  /** The peer broke the protocol or a limit; `cause` tells the rule. */
  | "ERR_PROTOCOL"
  /** The peer takes less than it is sent. */
  | "ERR_TOO_SLOW";

/**
 * What this library throws, rejects with, and keeps in `server.error` and `connection.error`.
 *
 * @example
 * ```ts
 * import { WebSocketError, WebSocketServer } from "@duet/websocket";
 *
 * try {
 *   new WebSocketServer({ port: 65_536 });
 * } catch (error) {
 *   console.assert(error instanceof WebSocketError && error.code === "ERR_INVALID_ARGUMENT");
 * }
 * ```
 */
export class WebSocketError extends Error {
  /** The error's name, for logs. */
  override readonly name = "WebSocketError";
  /** What went wrong, in one word. */
  readonly code: WebSocketErrorCode;

  /**
   * Makes an error.
   *
   * @param code What went wrong, in one word.
   * @param message What could not be done, why, and what to do.
   * @param cause The error behind it, if there is one.
   */
  constructor(code: WebSocketErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/**
 * Tells in words what was thrown. Anything may be thrown, an object without a text too; this does not throw.
 *
 * @param thrown What was thrown.
 * @returns Its message.
 */
export function messageOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return "what was thrown has no text";
  }
}

/**
 * Makes the error for a handler that failed.
 *
 * @param name The handler.
 * @param cause What it threw.
 * @returns The error.
 */
export function handlerError(name: string, cause: unknown): WebSocketError {
  if (cause instanceof WebSocketError) return cause;
  return new WebSocketError(
    "ERR_HANDLER",
    `The handler ${name} failed: ${messageOf(cause)}`,
    cause,
  );
}
