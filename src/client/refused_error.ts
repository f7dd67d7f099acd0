import { WebSocketError } from "../base/errors.ts";

/**
 * A server has answered the opening handshake with another status than 101: what `connect()` rejects with, as
 * an ERR_REFUSED.
 *
 * @example
 * ```ts
 * import { WebSocketServer } from "@duet/websocket";
 * import { connect, RefusedError } from "@duet/websocket/client";
 *
 * await using server = new WebSocketServer({
 *   hostname: "127.0.0.1",
 *   onConnect: (_server, connection) =>
 *     void connection.on({ handshake: (_connection, it) => it.reject(401, { body: "Who are you?" }) }),
 * });
 * await server.start();
 *
 * const error = await connect(`ws://127.0.0.1:${server.port}`).catch((error) => error);
 * console.assert(error instanceof RefusedError && error.status === 401);
 * console.assert(error.text === "Who are you?");
 * ```
 */
export class RefusedError extends WebSocketError {
  /** The status. */
  readonly status: number;
  /** The header fields. */
  readonly headers: Headers;
  /** The body, of which the first 64 KiB are kept. */
  readonly body: Uint8Array;

  /**
   * Made by `connect()`.
   *
   * @param message What could not be done and why.
   * @param response The server's answer.
   */
  constructor(
    message: string,
    { status, headers, body }: { status: number; headers: Headers; body: Uint8Array },
  ) {
    super("ERR_REFUSED", message);
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  /** The body as a text. */
  get text(): string {
    return new TextDecoder().decode(this.body);
  }
}
