/**
 * What an engine says of a publication.
 *
 * @module
 */
import { WebSocketError } from "../base/errors.ts";
import type { EngineTopic, Position, PublishResult } from "../topics/engine.ts";

/** What is said of one without a position. */
export const ACCEPTED: PublishResult = { accepted: true };

/** It was published, at this place if it has one. */
export function accepted(position: Position | undefined): PublishResult {
  return position === undefined ? ACCEPTED : { accepted: true, position };
}

/** It will not be published. */
export function refused(topic: EngineTopic, why: string, cause?: unknown): PublishResult {
  return { accepted: false, error: failure(topic, why, cause) };
}

/** Nobody knows whether it was published. */
export function unknown(topic: EngineTopic, why: string): PublishResult {
  return { accepted: "unknown", error: failure(topic, why) };
}

function failure({ name }: EngineTopic, why: string, cause?: unknown): WebSocketError {
  return new WebSocketError(
    "ERR_STATE",
    `Cannot publish to ${JSON.stringify(name)}: ${why}`,
    cause,
  );
}
