import { messageOf, WebSocketError } from "../base/errors.ts";
import { LeveledLogger } from "../base/logger.ts";
import { isThenable } from "../base/thenable.ts";
import { sessionOf, type WebSocketConnection } from "../connection/connection.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { Settings } from "./settings.ts";

/** What becomes of a server's errors: they are kept, logged and told. */
export class Reports<S, C extends WebSocketConnection> {
  readonly log: LeveledLogger;
  /** The last error. */
  lastError: WebSocketError | undefined;
  readonly #server: S;
  readonly #settings: Pick<Settings<S, C>, "debug" | "logger" | "onError">;
  readonly #diagnostics: Diagnostics;

  /**
   * @param server What `onError` is given.
   * @param settings Read anew for each error.
   * @param diagnostics Told of each error.
   */
  constructor(
    server: S,
    settings: Pick<Settings<S, C>, "debug" | "logger" | "onError">,
    diagnostics: Diagnostics,
  ) {
    this.#diagnostics = diagnostics;
    this.#server = server;
    this.#settings = settings;
    this.log = new LeveledLogger(settings);
  }

  /** Keeps and logs an error, and tells those who want to know; never throws. */
  report(error: unknown, connection?: object): void {
    const known = error instanceof WebSocketError
      ? error
      : new WebSocketError("ERR_STATE", messageOf(error), error);
    this.lastError = known;
    const of = connection as C | undefined;
    const where = of === undefined ? "" : `${placeOf(of)}: `;
    const byPeer = known.code === "ERR_PROTOCOL" || known.code === "ERR_TOO_SLOW";
    if (byPeer) this.log.warn(where + known.message);
    else this.log.error(where + known.message, known.cause);
    this.#diagnostics.error(known, of);
    this.#tell(() => this.#settings.onError?.(this.#server, known, of));
    if (of !== undefined) this.#tell(() => of.onError?.(of, known));
  }

  /** Keeps an error that is thrown to the caller, who need not be told otherwise. */
  keep(error: WebSocketError): WebSocketError {
    return this.lastError = error;
  }

  /** Does what may throw to the caller, and keeps the error. */
  keeping<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      if (error instanceof WebSocketError) this.keep(error);
      throw error;
    }
  }

  #tell(handler: () => unknown): void {
    // An error handler that fails is logged and not told of again, or it would fail for ever.
    const failed = (cause: unknown) => this.log.error("An error handler failed", cause);
    try {
      const result = handler();
      if (isThenable(result)) result.then(undefined, failed);
    } catch (cause) {
      failed(cause);
    }
  }
}

/** Where a connection's peer is, for logs. A subclass may have an `ip` of its own, which may throw. */
export function placeOf(connection: WebSocketConnection): string {
  const { ip, port } = sessionOf(connection).remote;
  return `${ip}:${port}`;
}
