/**
 * Stands in for `@std/assert` where JSR cannot be reached: the assertions that the tests use, over
 * `node:assert`. Equality is Node's strict one: stricter than JSR's in that -0 is not 0
 * and that prototypes must be the same.
 *
 * @module
 */

import { AssertionError, deepStrictEqual, match, notDeepStrictEqual } from "node:assert/strict";

type ErrorConstructor<E extends Error> = abstract new (...args: never[]) => E;

/** Fails with `message`. */
export function fail(message = "Failed"): never {
  throw new AssertionError({ message });
}

/** Fails unless `condition` is truthy. */
export function assert(condition: unknown, message = "Expected a truthy value"): asserts condition {
  if (!condition) fail(message);
}

/** Fails unless both are equal in depth. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  explain(() => deepStrictEqual(actual, expected), message);
}

/** Fails if both are equal in depth. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  explain(() => notDeepStrictEqual(actual, expected), message);
}

/** Fails unless both are the same value. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  message?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  throw new AssertionError({ message, actual, expected, operator: "strictEqual" });
}

/** Fails unless `actual` matches `expected`. */
export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  explain(() => match(actual, expected), message);
}

/** Fails unless `actual` holds `expected`. */
export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  if (actual.includes(expected)) return;
  fail(withDetail(`Expected ${quote(actual)} to include ${quote(expected)}`, message));
}

/** Fails unless `actual` is an instance of `expectedType`. */
export function assertInstanceOf<T extends abstract new (...args: never[]) => unknown>(
  actual: unknown,
  expectedType: T,
  message?: string,
): asserts actual is InstanceType<T> {
  if (actual instanceof expectedType) return;
  fail(
    withDetail(`Expected an instance of ${expectedType.name}, got ${describe(actual)}`, message),
  );
}

/** Fails unless `run` throws; returns what it threw. */
export function assertThrows(run: () => unknown, message?: string): unknown;
/** Fails unless `run` throws an `ErrorClass` whose message includes `includes`; returns it. */
export function assertThrows<E extends Error>(
  run: () => unknown,
  ErrorClass: ErrorConstructor<E>,
  includes?: string,
  message?: string,
): E;
export function assertThrows(
  run: () => unknown,
  ...expectation: [string?] | [ErrorConstructor<Error>, string?, string?]
): unknown {
  const { ErrorClass, includes, message } = readExpectation(expectation);
  let error: unknown;
  try {
    run();
  } catch (thrown) {
    error = thrown;
    checkError(error, ErrorClass, includes, message);
    return error;
  }
  fail(withDetail("Expected the function to throw", message));
}

/** Fails unless the promise that `run` returns rejects; resolves to the reason. */
export function assertRejects(run: () => PromiseLike<unknown>, message?: string): Promise<unknown>;
/** Fails unless it rejects with an `ErrorClass` whose message includes `includes`. */
export function assertRejects<E extends Error>(
  run: () => PromiseLike<unknown>,
  ErrorClass: ErrorConstructor<E>,
  includes?: string,
  message?: string,
): Promise<E>;
export async function assertRejects(
  run: () => PromiseLike<unknown>,
  ...expectation: [string?] | [ErrorConstructor<Error>, string?, string?]
): Promise<unknown> {
  const { ErrorClass, includes, message } = readExpectation(expectation);
  let promise: PromiseLike<unknown>;
  try {
    promise = run();
  } catch (thrown) {
    fail(withDetail(`Expected a rejection, but it threw at once: ${describe(thrown)}`, message));
  }
  try {
    await promise;
  } catch (reason) {
    checkError(reason, ErrorClass, includes, message);
    return reason;
  }
  fail(withDetail("Expected the promise to reject", message));
}

function readExpectation(
  expectation: [string?] | [ErrorConstructor<Error>, string?, string?],
): { ErrorClass?: ErrorConstructor<Error>; includes?: string; message?: string } {
  const [first, includes, message] = expectation;
  return typeof first === "function"
    ? { ErrorClass: first, includes, message }
    : { message: first };
}

function checkError(
  error: unknown,
  ErrorClass: ErrorConstructor<Error> | undefined,
  includes = "",
  message?: string,
): void {
  if (ErrorClass === undefined) return;
  assertInstanceOf(error, ErrorClass, message);
  assertStringIncludes(error.message, includes, message);
}

/** Puts the caller's message before what `check` has to say. */
function explain(check: () => void, message: string | undefined): void {
  try {
    check();
  } catch (error) {
    if (message !== undefined && error instanceof AssertionError) {
      error.message = withDetail(error.message, message);
    }
    throw error;
  }
}

function withDetail(detail: string, message: string | undefined): string {
  return message === undefined ? detail : `${message}: ${detail}`;
}

function describe(value: unknown): string {
  return value instanceof Error ? `${value.name}: ${value.message}` : String(value);
}

function quote(text: string): string {
  return JSON.stringify(text);
}
