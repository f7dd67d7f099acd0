import { WebSocketError } from "./errors.ts";

/** The numbers that an option takes. */
export interface NumberRange {
  /** The least. */
  readonly low: number;
  /** The most. */
  readonly high: number;
  /** What they count; empty where the name of the option tells. */
  readonly unit: string;
  /** Whether fractions are refused. */
  readonly whole: boolean;
}

/** A number of bytes. */
export const SIZE: NumberRange = {
  low: 0,
  high: Number.MAX_SAFE_INTEGER,
  unit: "bytes",
  whole: true,
};
/** How many there may be of something, at least one. */
export const COUNT: NumberRange = { low: 1, high: Number.MAX_SAFE_INTEGER, unit: "", whole: true };
/** A number of seconds; timers take at most 2^31 - 1 milliseconds. */
export const TIME: NumberRange = { low: 0, high: 2_147_483, unit: "seconds", whole: false };
/** A number of seconds in which something has to happen: with none at all it never could. */
export const DURATION: NumberRange = { ...TIME, low: 0.001 };

/**
 * Checks a number that the user has set.
 *
 * @param name The option.
 * @param value What was given.
 * @param range What the option takes.
 * @returns The number.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT when it is not in that range.
 */
export function checkNumber(name: string, value: unknown, range: NumberRange = SIZE): number {
  const { low, high, unit, whole } = range;
  const valid = typeof value === "number" && (whole ? Number.isInteger(value) : true) &&
    value >= low && value <= high;
  // Of the two zeros, only one is a number that anybody means.
  if (valid) return (value as number) + 0;
  const numbers = high === Number.MAX_SAFE_INTEGER ? `from ${low} on` : `from ${low} to ${high}`;
  throw invalid(
    name,
    value,
    `${whole ? "a whole number" : "a number"} ${numbers}${unit && ` (${unit})`}`,
  );
}

/**
 * Makes the error for an option that has an invalid value.
 *
 * @param name The option.
 * @param value What was given.
 * @param takes What it takes.
 * @returns The error.
 */
export function invalid(name: string, value: unknown, takes: string): WebSocketError {
  return new WebSocketError(
    "ERR_INVALID_ARGUMENT",
    `Cannot use ${name} ${show(value)}: it takes ${takes}`,
  );
}

/** What has options as its members: no list, and nothing that keeps its entries elsewhere, as a Map does. */
const RECORD = /^\[object (?:Object|Module)\]$/;

/**
 * Tells an object with options from other values.
 *
 * @param value Any value.
 * @returns Whether it is one: a plain object, an object of a class of the caller's own, or a module.
 */
export function isRecord(value: unknown): value is object {
  return RECORD.test(Object.prototype.toString.call(value));
}

/**
 * Finds options that there are not.
 *
 * @param options The options, inherited ones among them.
 * @param names Those that there are.
 * @returns The names that are none of them.
 */
export function strangersIn(options: object, names: readonly string[]): string[] {
  const strangers: string[] = [];
  for (const name in options) if (!names.includes(name)) strangers.push(name);
  return strangers;
}

/**
 * Reads options, each once: a getter may give something else the next time. Those that are inherited, or are
 * accessors of a class, count too.
 *
 * @param options The options.
 * @param names Those that there are.
 * @returns Those that are not undefined, in an object of their own.
 */
export function readMembers(
  options: object,
  names: readonly string[],
): Readonly<Record<string, unknown>> {
  const given = options as Readonly<Record<string, unknown>>;
  const read: Record<string, unknown> = {};
  for (const name of names) {
    const value = given[name];
    if (value !== undefined) read[name] = value;
  }
  return read;
}

/**
 * Shows a value in the message of an error: of an object only the keys, since a private key, say, must not
 * get into one.
 *
 * @param value The value.
 * @param inArray Whether it is an element of an array that is shown.
 * @returns The text.
 */
export function show(value: unknown, inArray = false): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  if (inArray && Array.isArray(value)) return "[…]";
  if (Array.isArray(value)) return `[${value.map((it) => show(it, true)).join(", ")}]`;
  return `{ ${Object.keys(value).join(", ")} }`;
}
