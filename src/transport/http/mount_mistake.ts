import { WebSocketError } from "../../base/errors.ts";

/**
 * Makes the error for a mistake in how an application mounts a server in its own HTTP server.
 *
 * @param why Why the request cannot be upgraded, and what to do.
 * @param cause The runtime's own error, if there is one.
 * @returns The error.
 */
export function mountMistake(why: string, cause?: unknown): WebSocketError {
  return new WebSocketError("ERR_INVALID_ARGUMENT", `Cannot upgrade this request: ${why}`, cause);
}

/**
 * Checks what `upgrade()` is given as the request.
 *
 * @param request What it is given.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT when it is no `Request`.
 */
export function checkRequest(request: unknown): void {
  const { url, headers } = (request ?? {}) as Partial<Request>;
  if (typeof url === "string" && typeof headers?.get === "function") return;
  throw mountMistake("it is no Request. Pass the one that the runtime's handler was given.");
}

/**
 * Finds what the runtime's handler was given beside the request: frameworks hand it on as it is, or inside
 * of an object, as `{ server }` and `{ info }`.
 *
 * @param info What `upgrade()` was given.
 * @param matches Whether a value is what is looked for.
 * @returns It, or undefined.
 */
export function findInfo<T extends object>(
  info: unknown,
  matches: (value: Partial<T>) => boolean,
): T | undefined {
  if (typeof info !== "object" || info === null) return undefined;
  const is = (value: unknown): value is T =>
    typeof value === "object" && value !== null && matches(value as Partial<T>);
  return is(info) ? info : Object.values(info).find(is);
}
