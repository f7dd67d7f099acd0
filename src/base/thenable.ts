/**
 * Tells a promise from other values.
 *
 * @param value Any value.
 * @returns Whether it can be awaited.
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (typeof value === "object" || typeof value === "function") && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}
