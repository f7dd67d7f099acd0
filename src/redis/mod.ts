/**
 * Topics over many servers, by way of Redis 7 or later, or Valkey 8 or later. The client library is the
 * application's: `ioredis` 6, or for a Redis that is no cluster `ioredis` 5.11 or `iovalkey`.
 *
 * Under Deno `ioredis` needs `--allow-net` and `--allow-env`, or `--ignore-env` in place of the latter.
 *
 * @module
 */
import type { Engine } from "../topics/engine.ts";
import type { RedisClient } from "./client.ts";
import type { RedisEngineOptions } from "./options.ts";
import { RedisEngine } from "./redis_engine.ts";

/**
 * Makes an engine that carries publications over Redis, for one server.
 *
 * @param client The application's client. The engine makes two connections from it, with options of its own,
 * and neither uses nor closes this one.
 * @param options What the names in Redis begin with.
 * @returns The engine.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for something else than a client or for an invalid prefix,
 * ERR_UNSUPPORTED for Bun's `RedisClient`.
 *
 * @example
 * ```ts
 * import { redisEngine, type RedisClient } from "@duet/websocket/redis";
 *
 * function engineOf(redis: RedisClient) {
 *   return redisEngine(redis, { prefix: "chat" });
 * }
 * console.assert(typeof engineOf === "function");
 * ```
 */
export function redisEngine(client: RedisClient, options: RedisEngineOptions = {}): Engine {
  return new RedisEngine(client, options);
}

export type { RedisClient } from "./client.ts";
export type { RedisEngineOptions } from "./options.ts";
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
