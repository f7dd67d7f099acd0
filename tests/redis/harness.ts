import { Redis } from "ioredis";
import type { Engine, EngineTopic } from "../../src/topics/engine.ts";
import { Keys } from "../../src/redis/keys.ts";
import { redisEngine } from "../../src/redis/mod.ts";
import type { RedisServer } from "../support/redis_server.ts";
import type { EngineHarness } from "../topics/engine_suite.ts";

let places = 0;

/** A client as an application makes it; its connection is never used. */
export function client(port: number): Redis {
  return new Redis({ port, host: "127.0.0.1", lazyConnect: true });
}

/** A place for servers to meet on one Redis. */
export function redisHarness(
  server: RedisServer,
): Required<Pick<EngineHarness, "cut" | "rewind">> & {
  join(): Engine;
  close(): void;
  readonly prefix: string;
} {
  const prefix = `place${++places}`;
  return {
    prefix,
    join: () => redisEngine(client(server.port), { prefix }),
    close() {},
    async cut() {
      await server.kill();
      return () => server.start();
    },
    rewind: (topic, publications) => rewind(server.port, prefix, topic, publications),
  };
}

/** Has a topic lose its last publications, as if a stale replica had been promoted. */
async function rewind(
  port: number,
  prefix: string,
  topic: EngineTopic,
  publications: number,
): Promise<void> {
  const redis = client(port);
  const { meta, stream } = new Keys(prefix).of(topic.name);
  const all = await redis.xrangeBuffer(stream, "-", "+");
  const left = all.slice(0, -publications);
  const first = Number(all[left.length][0].toString().split("-")[0]);
  // Made anew: a stream does not forget the last ID that it had.
  await redis.del(stream);
  for (const [id, fields] of left) await redis.xadd(stream, id, ...fields);
  await redis.pexpire(stream, 60_000);
  await redis.hset(meta, "o", first - 1);
  redis.disconnect();
}

/** Gives what Redis holds. */
export async function keysOf(port: number): Promise<string[]> {
  const redis = client(port);
  const keys = await redis.keys("*");
  redis.disconnect();
  return keys;
}

/** Gives the keys that do not expire. */
export async function lasting(port: number): Promise<string[]> {
  const redis = client(port);
  const keys = await redis.keys("*");
  const times = await Promise.all(keys.map((key) => redis.pttl(key)));
  redis.disconnect();
  return keys.filter((_, i) => times[i] === -1);
}
