/** How long something is waited for. */
export interface Patience {
  /** How many seconds; by default without end. */
  readonly seconds?: number;
  /** Ends the waiting at once. */
  readonly until?: AbortSignal;
}

/** What is given instead of a value that was waited for no longer. */
export const GAVE_UP: unique symbol = Symbol("gave up");

/**
 * Waits for a promise, but not for ever. Nothing of the waiting is left afterwards, neither a timer nor a
 * listener.
 *
 * @param promise What is waited for.
 * @param patience How long.
 * @param tell Told when it rejects after all, later than it was waited for.
 * @returns Its value, or that the waiting was given up; rejects as it does.
 */
export function waitFor<T>(
  promise: PromiseLike<T>,
  { seconds, until }: Patience,
  tell: (error: unknown) => void,
): Promise<T | typeof GAVE_UP> {
  return new Promise((resolve, reject) => {
    let waiting = true;
    const end = () => {
      waiting = false;
      clearTimeout(timer);
      until?.removeEventListener("abort", giveUp);
    };
    const giveUp = () => {
      end();
      resolve(GAVE_UP);
    };
    const timer = seconds === undefined ? undefined : setTimeout(giveUp, seconds * 1000);
    until?.addEventListener("abort", giveUp);
    // Of the application's own: `then` may throw, or call back more than once.
    Promise.resolve(promise).then((value) => {
      if (waiting) end();
      resolve(value);
    }, (error) => {
      if (!waiting) return tell(error);
      end();
      reject(error);
    });
    if (until?.aborted) giveUp();
  });
}
