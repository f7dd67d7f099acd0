import { WebSocketError } from "../base/errors.ts";
import { CloseCode, closePayload } from "../protocol/mod.ts";

/** The close codes of a connection that has ended as it should. */
const IN_ORDER: readonly number[] = [
  CloseCode.NORMAL_CLOSURE,
  CloseCode.GOING_AWAY,
  CloseCode.NO_STATUS_RECEIVED,
];

/**
 * A connection has ended: what its streams fail with, as an ERR_CLOSED.
 *
 * @example The other side learns why a stream is given up
 * ```ts
 * import { ClosedError, WebSocketServer } from "@duet/websocket";
 *
 * const server = new WebSocketServer({
 *   onConnect: (_server, connection) =>
 *     void connection.on({
 *       async ready({ writable }) {
 *         await writable.abort(new ClosedError(4000, "the file has changed"));
 *       },
 *     }),
 * });
 * ```
 */
export class ClosedError extends WebSocketError {
  /** The status code of the end (RFC 6455 §7.1.5). */
  readonly closeCode: number;
  /** The reason that the peer gave. */
  readonly reason: string;

  /**
   * Makes an error.
   *
   * @param closeCode The status code.
   * @param reason The reason.
   */
  constructor(closeCode: number, reason = "") {
    const why = reason === "" ? "" : `, ${JSON.stringify(reason)}`;
    super("ERR_CLOSED", `Cannot go on: the connection has ended (${closeCode}${why})`);
    this.closeCode = closeCode;
    this.reason = reason;
  }
}

/** How a connection ended: its close code and the reason. */
export type End = readonly [code: number, reason: string];

/**
 * Tells whether a connection has ended as it should.
 *
 * @param end How it has.
 * @returns Whether the code says that nothing went wrong.
 */
export function isInOrder([code]: End): boolean {
  return IN_ORDER.includes(code);
}

/**
 * Makes a close code and a reason of what a stream was ended with.
 *
 * @param cause What was given: an error with a `closeCode`, and maybe a `reason`, is passed on.
 * @param otherwise The code for anything else.
 * @returns What may be sent; nothing of an error is told to the peer.
 */
export function closeOf(cause: unknown, otherwise: number): [code: number, reason: string] {
  const { closeCode, reason = "" } = (cause ?? {}) as { closeCode?: unknown; reason?: unknown };
  if (typeof closeCode !== "number" || typeof reason !== "string") return [otherwise, ""];
  try {
    closePayload(closeCode, reason);
    return [closeCode, reason];
  } catch {
    return [otherwise, ""];
  }
}
