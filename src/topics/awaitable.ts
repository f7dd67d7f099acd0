import { isThenable } from "../base/thenable.ts";
import type { Awaitable } from "./engine.ts";

/**
 * Goes on with what an engine answers: within the call where it answers at once, so that what is published,
 * subscribed and sent in one turn keeps its order.
 *
 * @param ask Asks the engine; may throw.
 * @param done Called with the answer.
 * @param failed Called with what was thrown, or what the promise rejects with.
 */
export function proceed<T>(
  ask: () => Awaitable<T>,
  done: (answer: T) => void,
  failed: (error: unknown) => void,
): void {
  let answer: Awaitable<T>;
  try {
    answer = ask();
  } catch (error) {
    failed(error);
    return;
  }
  if (isThenable(answer)) answer.then(done as (answer: unknown) => void, failed);
  else done(answer);
}

/**
 * Makes an error of whatever was thrown.
 *
 * @param thrown Anything.
 * @returns It, if it is an error.
 */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
