import type { WebSocketConnection } from "../connection/connection.ts";
import { readHandlers } from "../connection/handlers.ts";
import type { HandlersOf } from "./options.ts";

/** The handlers of a server by event, as `on()` takes them. */
export interface EventsOf<S, C extends WebSocketConnection> {
  /** See `onAccept`. */
  accept?: HandlersOf<S, C>["onAccept"] | undefined;
  /** See `onConnect`. */
  connect?: HandlersOf<S, C>["onConnect"] | undefined;
  /** See `onShutdown`. */
  shutdown?: HandlersOf<S, C>["onShutdown"] | undefined;
  /** See `onTick`. */
  tick?: HandlersOf<S, C>["onTick"] | undefined;
  /** See `onError`. */
  error?: HandlersOf<S, C>["onError"] | undefined;
  /** See `onSubscribe`. */
  subscribe?: HandlersOf<S, C>["onSubscribe"] | undefined;
  /** See `onUnsubscribe`. */
  unsubscribe?: HandlersOf<S, C>["onUnsubscribe"] | undefined;
  /** See `onTopicOpen`. */
  topicOpen?: HandlersOf<S, C>["onTopicOpen"] | undefined;
  /** See `onTopicClose`. */
  topicClose?: HandlersOf<S, C>["onTopicClose"] | undefined;
}

/** The events of a server, each with the option that is the handler's. */
const EVENTS = {
  accept: "onAccept",
  connect: "onConnect",
  shutdown: "onShutdown",
  tick: "onTick",
  error: "onError",
  subscribe: "onSubscribe",
  unsubscribe: "onUnsubscribe",
  topicOpen: "onTopicOpen",
  topicClose: "onTopicClose",
} as const satisfies Record<keyof EventsOf<unknown, WebSocketConnection>, string>;

/**
 * Sets handlers by event, all or none.
 *
 * @param target Where the handlers are, under the names of the options.
 * @param handlers The handlers; undefined takes one away.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for an unknown event or a value that is no function.
 */
export function setEvents<S, C extends WebSocketConnection>(
  target: HandlersOf<S, C>,
  handlers: EventsOf<S, C>,
): void {
  const read = readHandlers(handlers, Object.keys(EVENTS), "server");
  for (const [event, handler] of Object.entries(read)) {
    target[EVENTS[event as keyof typeof EVENTS]] = handler;
  }
}
