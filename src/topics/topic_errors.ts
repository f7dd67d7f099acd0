import { WebSocketError } from "../base/errors.ts";

/** The error for calls after the end. */
export function closed(): WebSocketError {
  return new WebSocketError("ERR_STATE", "Cannot use topics: the server has shut down");
}

/** The error for one subscriber too many. */
export function full(name: string, subscribers: number): WebSocketError {
  return new WebSocketError(
    "ERR_LIMIT",
    `Cannot subscribe to ${
      JSON.stringify(name)
    }: it has ${subscribers} subscribers on this server. ` +
      "Raise maxSubscribersPerTopic",
  );
}

/** The error for a publication that has waited in vain. */
export function unanswered(name: string, seconds: number): WebSocketError {
  return new WebSocketError(
    "ERR_STATE",
    `Cannot publish to ${
      JSON.stringify(name)
    }: the engine has not acknowledged the subscription to it ` +
      `in ${seconds} s. Try again`,
  );
}

/** The error for what a topic's settings do not have. */
export function without(name: string, what: "history" | "presence"): WebSocketError {
  return new WebSocketError(
    "ERR_STATE",
    `Cannot read the ${what} of ${
      JSON.stringify(name)
    }: it has none. Turn it on in the topics option`,
  );
}
