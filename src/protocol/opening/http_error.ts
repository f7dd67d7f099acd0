/** A request that cannot be served: what to answer instead. */
export class HttpError extends Error {
  /** The error's name, for logs. */
  override readonly name = "HttpError";
  /** The status to answer with, 400 to 599. */
  readonly status: number;
  /** Header fields that the answer needs. */
  readonly headers: Readonly<Record<string, string>>;

  /**
   * Makes an error.
   *
   * @param status The status to answer with.
   * @param message What could not be done and why; the body of the answer.
   * @param headers Header fields that the answer needs.
   *
   * @example
   * ```ts
   * import { HttpError } from "@duet/websocket/protocol";
   *
   * const error = new HttpError(405, "Cannot upgrade a POST: use GET", { Allow: "GET" });
   * console.assert(error.status === 405);
   * ```
   */
  constructor(status: number, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}
