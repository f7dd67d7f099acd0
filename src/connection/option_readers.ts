import type { Logger } from "../base/logger.ts";
import { checkNumber, invalid, type NumberRange } from "../base/option_values.ts";
import { type Extension, isToken, permessageDeflate } from "../protocol/mod.ts";
import { WebSocketConnection } from "./connection.ts";
import type { ConnectionInit } from "./connection_init.ts";

/** What `extensions` takes: the name of one that is built in, or an extension. */
export type ExtensionLike = string | Extension;

/** A class of connections. */
export type ConnectionClass<C extends WebSocketConnection> = new (init: ConnectionInit) => C;

/**
 * Reads the value of an option, which is not undefined. Throws a `WebSocketError` ERR_INVALID_ARGUMENT
 * that says what the option takes for any other value.
 */
export type Reader<T> = (value: unknown, name: string) => T;

/** Makes a reader of numbers. */
export function numberIn<T extends number = number>(range: NumberRange): Reader<T> {
  return (value, name) => checkNumber(name, value, range) as T;
}

/** Takes one value for a list of it. A hole in an array is an undefined value. */
export function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? [...value] : [value];
}

export const readFlag: Reader<boolean> = (value, name) => {
  if (typeof value === "boolean") return value;
  throw invalid(name, value, "true or false");
};

// deno-lint-ignore no-explicit-any -- the options give each handler the types of its own
export const readFunction: Reader<(...args: any[]) => any> = (value, name) => {
  // deno-lint-ignore no-explicit-any -- which arguments it takes cannot be seen at run time
  if (typeof value === "function") return value as (...args: any[]) => any;
  throw invalid(name, value, "a function");
};

/** Whether the messages of one connection are delivered one after the other, or several at once. */
export type MessageOrder = "serial" | "concurrent";

export const readMessageOrder: Reader<MessageOrder> = (value, name) => {
  if (value === "serial" || value === "concurrent") return value;
  throw invalid(name, value, '"serial" or "concurrent"');
};

/**
 * Tells how many messages of one connection may be with handlers at once.
 *
 * @param settings What was read.
 * @returns The number.
 */
export function concurrency(
  settings: { readonly messageOrder: MessageOrder; readonly maxConcurrentMessages: number },
): number {
  return settings.messageOrder === "serial" ? 1 : settings.maxConcurrentMessages;
}

/**
 * Refuses a bound on messages at once where they come one after the other.
 *
 * @param order The order as it was read.
 * @param bound What was given as the bound.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT that says what to do.
 */
export function checkConcurrency(order: MessageOrder, bound: unknown): void {
  if (order === "concurrent" || bound === undefined) return;
  const takes = 'nothing without messageOrder: "concurrent"';
  throw invalid("maxConcurrentMessages", bound, takes);
}

const LEVELS = ["debug", "info", "warn", "error"] as const;

export const readLogger: Reader<Logger> = (value, name) => {
  const logger = value as Logger | null;
  if (LEVELS.every((it) => typeof logger?.[it] === "function")) return logger!;
  throw invalid(name, value, `an object with the methods ${LEVELS.join(", ")}`);
};

export const readExtensions: Reader<readonly Extension[]> = (value, name) => {
  const extensions = listOf(value).map((it) => {
    if (it === "permessage-deflate") return permessageDeflate();
    if (isExtension(it)) return it;
    throw invalid("extension", it, '"permessage-deflate" or an Extension');
  });
  const names = new Set(extensions.map((it) => it.name));
  if (names.size < extensions.length) {
    throw invalid(name, [...names].join(", "), "each extension once");
  }
  return extensions;
};

function isExtension(value: unknown): value is Extension {
  const { name, negotiate } = (value ?? {}) as Partial<Extension>;
  return typeof name === "string" && isToken(name) && typeof negotiate === "function";
}

export const readSubprotocols: Reader<readonly string[]> = (value, name) => {
  if (!Array.isArray(value) || ![...value].every((it) => typeof it === "string" && isToken(it))) {
    throw invalid(name, value, "an array of tokens (RFC 6455 §4.1)");
  }
  return [...value];
};

export const readConnectionClass: Reader<ConnectionClass<WebSocketConnection>> = (value, name) => {
  if (value === WebSocketConnection) return WebSocketConnection;
  if (typeof value === "function" && value.prototype instanceof WebSocketConnection) {
    return value as ConnectionClass<WebSocketConnection>;
  }
  throw invalid(name, value, "a subclass of WebSocketConnection");
};
