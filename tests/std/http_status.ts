/**
 * Stands in for `@std/http/status` where JSR cannot be reached: the part that
 * `examples/http_app.ts` uses.
 *
 * @module
 */

import { STATUS_CODES } from "node:http";

/** The names of the status codes. */
export const STATUS_TEXT: Record<number, string> = Object.fromEntries(
  Object.entries(STATUS_CODES).map(([code, text = ""]) => [Number(code), text]),
);
