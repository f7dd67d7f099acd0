/**
 * What connects several servers of the chat example, from its flags.
 *
 * @module
 */
import { subscribe } from "node:diagnostics_channel";
import type { Engine, EngineMessage, WebSocketServer } from "../mod.ts";
import { type NatsConnection, natsEngine } from "../src/nats/mod.ts";
import { type RedisClient, redisEngine } from "../src/redis/mod.ts";
import type { Guest } from "./chat_rooms.ts";
import type { ServerMessage } from "./chat_protocol.ts";

/** The flags of the program's own, with what they take and do. */
export const engineFlags = {
  redis: ["URL", "share the rooms with other servers over Redis; needs the package ioredis"],
  nats: ["URL", "the same over NATS; needs the package @nats-io/transport-node"],
} as const;

/**
 * Makes the engine.
 *
 * @param flags The flags as given.
 * @returns The engine; undefined without any flag: then there is one server.
 */
export async function chatEngine(
  { redis, nats }: Readonly<Record<string, string | undefined>>,
): Promise<Engine | undefined> {
  if (redis !== undefined) return redisEngine(await redisClient(redis), { prefix: "chat" });
  if (nats !== undefined) return natsEngine(await natsConnect(nats), { prefix: "chat" });
  return undefined;
}

async function redisClient(url: string): Promise<RedisClient> {
  const { Redis } = await import("ioredis").catch(missing("--redis", "ioredis"));
  return new Redis(url, { lazyConnect: true });
}

async function natsConnect(url: string): Promise<() => Promise<NatsConnection>> {
  const name = "@nats-io/transport-node";
  const { connect } = await import("@nats-io/transport-node").catch(missing("--nats", name));
  return () => connect({ servers: url });
}

/** What to do about a package that is not there. */
function missing(flag: string, name: string): (cause: unknown) => never {
  return (cause) => {
    const advice = `run npm install ${name}, and under Deno add --ignore-env`;
    throw new Error(`Cannot load the package ${name}, which ${flag} needs: ${advice}`, { cause });
  };
}

/** Has the pages told when the engine is away, and when it is back. */
export function tellOfEngine(server: WebSocketServer<Guest>): void {
  const tell = (message: unknown) => {
    const { server: whose, state: { up } } = message as EngineMessage;
    if (whose === server) server.broadcast(engineMessage(up));
  };
  subscribe("duet.engine.down", tell);
  subscribe("duet.engine.up", tell);
}

/** What a page is told. */
export function engineMessage(up: boolean): string {
  const message: ServerMessage = { type: "engine", up };
  return JSON.stringify(message);
}
