import { WebSocketError } from "./errors.ts";
import { isRecord, strangersIn } from "./option_values.ts";

/** What a call that waits takes. */
export interface WaitOptions {
  /** Gives the wait up. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads the options of a call that waits.
 *
 * @param call The call, such as "recv()".
 * @param options What it was given.
 * @returns The signal among them, if there is one.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for anything else.
 */
export function signalOf(call: string, options: WaitOptions | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined;
  const given = isRecord(options);
  const [unknown] = given ? strangersIn(options, ["signal"]) : [];
  const signal = given ? options.signal : undefined;
  if (
    given && unknown === undefined && (signal === undefined || signal instanceof AbortSignal)
  ) return signal;
  throw new WebSocketError(
    "ERR_INVALID_ARGUMENT",
    `Cannot ${call} with ${unknown ?? "these options"}: it takes { signal }, an AbortSignal`,
  );
}

/**
 * Waits for a promise, unless a signal aborts first.
 *
 * @param promise What is waited for.
 * @param signal Gives the wait up; it keeps nothing of it once that is over.
 * @returns What the promise comes to; it rejects with the signal's reason.
 */
export function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return promise;
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
