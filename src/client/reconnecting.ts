import { LeveledLogger } from "../base/logger.ts";
import { WebSocketError } from "../base/errors.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { ClientSettings, ReadReconnecting } from "./client_options.ts";
import { RefusedError } from "./refused_error.ts";

/** Opens a WebSocket; what it is given is called when that has ended, with whether the application wanted so. */
export type OpenConnection = (
  ended: (wanted: boolean) => void,
) => Promise<WebSocketConnection>;

/** Statuses of refusals that another attempt may not get (RFC 9110 §15.5.9, RFC 8470, RFC 6585 §4). */
const PASSING = [408, 425, 429];

/** Keeps a client connected: one connection after the other, until the application ends one. */
export class Reconnection {
  readonly #open: OpenConnection;
  readonly #options: ReadReconnecting;
  readonly #signal: AbortSignal | undefined;
  readonly #log: LeveledLogger;
  #failures = 0;

  /**
   * @param open Opens a WebSocket.
   * @param options How it comes again.
   * @param settings The client's settings.
   */
  constructor(open: OpenConnection, options: ReadReconnecting, settings: ClientSettings) {
    this.#open = open;
    this.#options = options;
    this.#signal = settings.signal;
    this.#log = new LeveledLogger(settings);
  }

  /**
   * Opens a WebSocket, sooner or later.
   *
   * @returns The first connection. It rejects for a refusal that is for good, and when the signal aborts.
   */
  async connect(): Promise<WebSocketConnection> {
    for (;;) {
      try {
        const opened = performance.now();
        return await this.#open((wanted) => {
          if (performance.now() - opened >= this.#options.maxDelay * 1000) this.#failures = 0;
          if (!wanted && !this.#signal?.aborted) void this.#connectAgain();
        });
      } catch (error) {
        if (this.#signal?.aborted) throw error;
        const delay = isFinal(error) ? undefined : this.#nextDelay();
        this.#tell(error, delay);
        if (delay === undefined) throw error;
        await this.#wait(delay);
      }
    }
  }

  async #connectAgain(): Promise<void> {
    try {
      await this.#wait(this.#nextDelay());
      await this.connect();
    } catch {
      // It has been told of, or the signal has aborted.
    }
  }

  /** Any time up to a longest one, which doubles: clients that were lost together do not come together. */
  #nextDelay(): number {
    const { minDelay, maxDelay } = this.#options;
    return Math.random() * Math.min(maxDelay, minDelay * 2 ** this.#failures++);
  }

  #tell(error: unknown, delay: number | undefined): void {
    const why = error instanceof Error ? error.message : String(error);
    if (delay === undefined) this.#log.error(why);
    else this.#log.warn(`${why}. Trying again in ${delay.toFixed(1)} s.`);
    try {
      this.#options.onFailure?.(error, delay);
    } catch (error) {
      this.#log.error("The handler onFailure failed", error);
    }
  }

  #wait(seconds: number): Promise<void> {
    const signal = this.#signal;
    return new Promise((resolve, reject) => {
      const abort = () => {
        clearTimeout(timer);
        reject(signal!.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", abort);
        resolve();
      }, seconds * 1000);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }
}

/** Whether another attempt would fail the same way. */
function isFinal(error: unknown): boolean {
  if (error instanceof RefusedError) {
    return error.status >= 400 && error.status < 500 && !PASSING.includes(error.status);
  }
  return error instanceof WebSocketError &&
    (error.code === "ERR_INVALID_ARGUMENT" || error.code === "ERR_UNSUPPORTED");
}
