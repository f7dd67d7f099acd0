/**
 * Topics over many servers, by way of NATS with JetStream: 2.11 or later for history and presence, 2.9 or
 * later without them. The client library is the application's: `@nats-io/transport-node` 3, which runs under
 * Deno (with `--allow-net`) and under Bun.
 *
 * @module
 */
import type { Engine } from "../topics/engine.ts";
import type { NatsConnection } from "./client.ts";
import { NatsEngine } from "./nats_engine.ts";
import type { NatsEngineOptions } from "./options.ts";

/**
 * Makes an engine that carries publications over NATS, for one server.
 *
 * @param connect Connects to NATS. The engine calls it again whenever a connection is lost, and closes what it
 * gives.
 * @param options What the names in NATS begin with, and how many servers of NATS keep history.
 * @returns The engine.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for something else than a function or for an invalid option.
 *
 * @example
 * ```ts
 * import { natsEngine, type NatsConnection } from "@duet/websocket/nats";
 *
 * function engineOf(connect: () => Promise<NatsConnection>) {
 *   return natsEngine(connect, { prefix: "chat" });
 * }
 * console.assert(typeof engineOf === "function");
 * ```
 */
export function natsEngine(
  connect: () => PromiseLike<NatsConnection>,
  options: NatsEngineOptions = {},
): Engine {
  return new NatsEngine(connect, options);
}

export type { NatsConnection, NatsServerInfo, NatsStatus, NatsSubscription } from "./client.ts";
export type { NatsEngineOptions } from "./options.ts";
export type {
  Awaitable,
  Engine,
  EngineEvents,
  EngineState,
  EngineTopic,
  HistoryPage,
  HistoryRange,
  HistorySettings,
  Member,
  MemberCount,
  Message,
  Place,
  Position,
  PresenceEntry,
  Publication,
  PublishResult,
} from "../topics/engine.ts";
