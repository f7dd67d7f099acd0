/**
 * The connection must be failed (RFC 6455 §7.1.7) with {@linkcode ProtocolError.closeCode}: the peer
 * broke a rule of RFC 6455 or RFC 7692 or went over a limit, or an extension of ours threw (1011).
 *
 * @example
 * ```ts
 * import { ProtocolError } from "@duet/websocket/protocol";
 *
 * const error = new ProtocolError(1002, "Cannot accept a frame: it is not masked", "RFC 6455 §5.1");
 * console.assert(error.closeCode === 1002);
 * console.assert(error.rule === "RFC 6455 §5.1");
 * ```
 */
export class ProtocolError extends Error {
  /** The error's name, for logs. */
  override readonly name = "ProtocolError";
  /** The status code of the Close frame that this error calls for (RFC 6455 §7.4.1). */
  readonly closeCode: number;
  /** The rule: a document with its section, or the name of the limit. */
  readonly rule: string;

  /**
   * Makes an error.
   *
   * @param closeCode The status code to fail the connection with.
   * @param message What could not be done and why.
   * @param rule The rule that was broken, or that the close code follows.
   * @param cause What was thrown, where an extension failed. It is not part of the message, which
   * may be sent to the peer.
   */
  constructor(closeCode: number, message: string, rule: string, cause?: unknown) {
    super(`${message} (${rule})`, cause === undefined ? undefined : { cause });
    this.closeCode = closeCode;
    this.rule = rule;
  }
}
