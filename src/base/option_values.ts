import { WebSocketError } from "./errors.ts";

const SIZE = { low: 0, high: Number.MAX_SAFE_INTEGER, unit: "bytes", whole: true };
const COUNT = { low: 1, high: Number.MAX_SAFE_INTEGER, unit: "", whole: true };
// Timers take at most 2^31 - 1 milliseconds.
const TIME = { low: 0, high: 2_147_483, unit: "seconds", whole: false };
/** The options that are numbers, with what they take. */
export const NUMBERS = {
  port: { low: 0, high: 65_535, unit: "", whole: true },
  debug: { low: 0, high: 4, unit: "", whole: true },
  compressionThreshold: SIZE,
  maxRecvSize: SIZE,
  maxSendSize: SIZE,
  maxFragments: COUNT,
  maxReserve: COUNT,
  maxControlFrames: COUNT,
  maxHeaderSize: COUNT,
  maxHeaderFields: COUNT,
  maxConnections: COUNT,
  maxConnectionsPerAddress: COUNT,
  highWaterMark: SIZE,
  maxBufferedAmount: SIZE,
  handshakeTimeout: TIME,
  closeTimeout: TIME,
  silenceMax: TIME,
  silenceCheckInterval: TIME,
  tickPeriod: TIME,
} as const;

/** The name of an option that is a number. */
export type NumberName = keyof typeof NUMBERS;

/**
 * Checks a number that the user has set.
 *
 * @param name The option.
 * @param value What was given.
 * @returns The number.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT when it is not in the option's range.
 */
export function checkNumber(name: NumberName, value: unknown): number {
  const { low, high, unit, whole } = NUMBERS[name];
  const valid = typeof value === "number" && (whole ? Number.isInteger(value) : true) &&
    value >= low && value <= high;
  if (valid) return value as number;
  const range = high === Number.MAX_SAFE_INTEGER ? `from ${low} on` : `from ${low} to ${high}`;
  throw invalid(
    name,
    value,
    `${whole ? "a whole number" : "a number"} ${range}${unit && ` (${unit})`}`,
  );
}

/**
 * Makes the error for an option that is not right.
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

/** Of an object only the keys: a private key, say, must not get into a message. */
function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return `a function ${value.name}`;
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (typeof value === "object" && value !== null) return `{ ${Object.keys(value).join(", ")} }`;
  return String(value);
}
