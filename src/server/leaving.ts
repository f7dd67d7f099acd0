import { WebSocketError } from "../base/errors.ts";
import {
  checkNumber,
  COUNT,
  invalid,
  isRecord,
  readMembers,
  strangersIn,
  TIME,
} from "../base/option_values.ts";
import { sessionOf, type WebSocketConnection } from "../connection/connection.ts";
import { CloseCode, closePayload } from "../protocol/mod.ts";

/**
 * How a server takes leave of its clients: what `shutdown()` takes.
 *
 * @example
 * ```ts
 * import { WebSocketServer } from "@duet/websocket";
 *
 * const server = await new WebSocketServer({ hostname: "127.0.0.1" }).start();
 * await server.shutdown({ code: 1012, reason: "a new version", drain: 30, perSecond: 200 });
 * ```
 */
export interface ShutdownOptions {
  /** The close code that clients are told (RFC 6455 §7.4); default 1001, going away. */
  code?: number | undefined;
  /** The reason that they are told, at most 123 bytes of UTF-8; by default none. */
  reason?: string | undefined;
  /**
   * Over how many seconds clients are told to leave, each at a moment of its own. Until then they are served as
   * before. `onShutdown` comes first, and has this time too. Default 0: all at once.
   */
  drain?: number | undefined;
  /**
   * The most clients that are told in one second, beside `drain` only; those that are left at its end are told
   * all at once. By default they are spread evenly over `drain`.
   */
  perSecond?: number | undefined;
}

const NAMES = ["code", "reason", "drain", "perSecond"];
/** How often is looked for those whose moment has come, in milliseconds. */
const TICK_MS = 20;

/**
 * Reads how a server is to take leave.
 *
 * @param options What `shutdown()` was given.
 * @param draining Whether it is leaving already, so that `drain` need not be repeated.
 * @returns The options that are set.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT that names what is wrong and what it takes.
 */
export function readShutdownOptions(options: ShutdownOptions, draining: boolean): ShutdownOptions {
  if (!isRecord(options)) {
    throw invalid("the options of shutdown()", options, `an object with ${NAMES.join(", ")}`);
  }
  const [unknown] = strangersIn(options, NAMES);
  if (unknown !== undefined) {
    throw new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      `Cannot shut down with "${unknown}": there is no such option. Use ${NAMES.join(", ")}.`,
    );
  }
  const read: ShutdownOptions = readMembers(options, NAMES);
  const { code = CloseCode.GOING_AWAY, reason, drain, perSecond } = read;
  if (drain !== undefined) checkNumber("drain", drain, TIME);
  if (perSecond !== undefined) {
    checkNumber("perSecond", perSecond, COUNT);
    if (!draining && !drain) {
      throw invalid("perSecond", perSecond, "drain beside it, the seconds that telling may take");
    }
  }
  try {
    closePayload(code, reason);
  } catch (error) {
    throw new WebSocketError("ERR_INVALID_ARGUMENT", (error as Error).message, error);
  }
  return read;
}

/** The time in which a server takes leave of its clients. */
export class Leaving {
  /** What clients are told. */
  code: number = CloseCode.GOING_AWAY;
  /** Why. */
  reason = "";
  readonly #over = new AbortController();
  #perSecond: number | undefined;
  // When it is over, in milliseconds of performance.now().
  #end = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ShutdownOptions) {
    this.change({ ...options, drain: options.drain ?? 0 });
  }

  /** Aborted once all who are left are to be told at once. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Changes what is still to come: what is told, how fast, and to an earlier end. */
  change({ code, reason, drain, perSecond }: ShutdownOptions): void {
    if (code !== undefined) this.code = code;
    if (reason !== undefined) this.reason = reason;
    if (perSecond !== undefined) this.#perSecond = perSecond;
    if (drain === undefined || performance.now() + drain * 1000 >= this.#end) return;
    this.#end = performance.now() + drain * 1000;
    this.stop();
    if (drain === 0) this.#over.abort();
    else this.#timer = setTimeout(() => this.#over.abort(), drain * 1000);
  }

  /** Nobody is left to be told. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  /**
   * Tells clients one after the other, until all are told or the time is over. The moment of each is its own
   * within an even share of the time, so that they do not come back elsewhere all at once. A client whose
   * message is being dealt with is told when that is done.
   *
   * @param connections Who is here.
   * @param tell Tells one of them.
   */
  async tell<C extends WebSocketConnection>(
    connections: ReadonlySet<C>,
    tell: (connection: C) => void,
  ): Promise<void> {
    let left = [...connections];
    const shares = left.map((_, i) => i + Math.random());
    const moments = new Map(left.map((connection, i) => [connection, shares[i]]));
    const start = performance.now();
    const count = left.length;
    while (left.length > 0 && !this.over.aborted) {
      const share = this.#perSecond === undefined
        ? (this.#end - start) / count
        : 1000 / this.#perSecond;
      const passed = performance.now() - start;
      left = left.filter((connection) => {
        const { state, delivery } = sessionOf(connection);
        if (state !== "ready") return false;
        if (moments.get(connection)! * share > passed || !delivery.idle) return true;
        tell(connection);
        return false;
      });
      if (left.length > 0) await this.#tick();
    }
  }

  #tick(): Promise<void> {
    return new Promise((resolve) => {
      const { over } = this;
      const done = () => {
        clearTimeout(timer);
        over.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, TICK_MS);
      over.addEventListener("abort", done);
    });
  }
}
