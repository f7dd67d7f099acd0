import { WebSocketError } from "../base/errors.ts";
import { show } from "../base/option_values.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import {
  CONNECTION_EVENTS,
  type ConnectionHandlers,
  readHandlers,
} from "../connection/handlers.ts";
import { OPTIONS, readOption } from "./option_table.ts";
import type { OptionsOf } from "./options.ts";
import type { RouteParams } from "./route_params.ts";

/**
 * The names of the options that may be another for one route.
 *
 * @internal
 */
type RouteOption =
  | "allowedOrigins"
  | "connectionClass"
  | "subprotocol"
  | "selectSubprotocol"
  | "maxRecvSize"
  | "maxSendSize"
  | "compressionThreshold";

const ROUTE_OPTIONS: readonly RouteOption[] = [
  "allowedOrigins",
  "connectionClass",
  "subprotocol",
  "selectSubprotocol",
  "maxRecvSize",
  "maxSendSize",
  "compressionThreshold",
];

/** A connection of class `C` that came by a route: its `params` are those of the route's pattern. */
export type Routed<C extends WebSocketConnection, Pattern extends string> = C & {
  readonly params: RouteParams<Pattern>;
};

/**
 * What is different for the connections of one route. What is left out, or undefined, is as for the whole
 * server.
 */
export interface RouteOptions<C extends WebSocketConnection, Pattern extends string>
  extends Pick<OptionsOf<unknown, C>, RouteOption> {
  /** Handlers for its connections, which are set before `onConnect` is called. */
  handlers?: ConnectionHandlers<Routed<C, Pattern>> | undefined;
}

/** What `route()` was given, as it was read. */
export interface RouteSettings {
  readonly handlers: ConnectionHandlers<unknown>;
  /** By name, those that are set. */
  readonly options: Readonly<Partial<Record<RouteOption, unknown>>>;
}

/**
 * Reads what `route()` is given: handlers, or options with handlers among them.
 *
 * @param given What it is given.
 * @returns The same, in one form.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for a value that cannot be used, and for an option that only the
 * whole server has.
 */
export function readRoute(given: object): RouteSettings {
  const names = typeof given === "object" && given !== null ? Object.keys(given) : [];
  const isOptions = names.some((it) => it === "handlers" || Object.hasOwn(OPTIONS, it));
  if (!isOptions) return { handlers: readHandlers(given), options: {} };
  const { handlers, ...options } = given as Record<string, unknown>;
  const read: Partial<Record<RouteOption, unknown>> = {};
  for (const [name, value] of Object.entries(options)) {
    checkName(name);
    if (value !== undefined) read[name] = readOption(name, value);
  }
  return { handlers: readHandlers(handlers ?? {}), options: read };
}

function checkName(name: string): asserts name is RouteOption {
  if ((ROUTE_OPTIONS as readonly string[]).includes(name)) return;
  const why = Object.hasOwn(OPTIONS, name)
    ? `it is the whole server's. A route takes handlers, ${ROUTE_OPTIONS.join(", ")}`
    : (CONNECTION_EVENTS as readonly string[]).includes(name)
    ? "beside options, put it into handlers"
    : "there is none";
  throw new WebSocketError(
    "ERR_INVALID_ARGUMENT",
    `Cannot use ${show(name)} for a route: ${why}`,
  );
}
