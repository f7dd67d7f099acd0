import { client } from "../redis/harness.ts";
import type { RedisServer } from "../support/redis_server.ts";

/** Something that becomes of Redis. */
export interface Fault {
  readonly name: string;
  /** Whether what was stored is lost, which subscribers then have to be told. */
  readonly loses: boolean;
  /** Has it happen, and be over. */
  happen(redis: RedisServer): Promise<void>;
}

const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 1000));

/** Asks Redis something from outside. */
async function ask(redis: RedisServer, ...command: [string, ...string[]]): Promise<void> {
  const outside = client(redis.port);
  await outside.call(...command);
  outside.disconnect();
}

/** All that can become of one Redis that writes what it has to disk. */
export const FAULTS: readonly Fault[] = [
  {
    name: "killed for a second and started again with what it had stored",
    loses: false,
    async happen(redis) {
      await redis.kill();
      await seconds(1);
      await redis.start();
    },
  },
  {
    name: "stopped for a second and continued",
    loses: false,
    async happen(redis) {
      redis.hang();
      await seconds(1);
      redis.goOn();
    },
  },
  {
    name: "stopped for 4.5 s, which is taken for dead, and continued",
    loses: false,
    async happen(redis) {
      redis.hang();
      await seconds(4.5);
      redis.goOn();
    },
  },
  {
    name: "the connections for subscriptions cut",
    loses: false,
    happen: (redis) => ask(redis, "client", "kill", "type", "pubsub"),
  },
  {
    name: "the connections for commands cut",
    loses: false,
    happen: (redis) => ask(redis, "client", "kill", "type", "normal"),
  },
  {
    name: "the scripts forgotten",
    loses: false,
    happen: (redis) => ask(redis, "script", "flush"),
  },
  {
    name: "flushed",
    loses: true,
    happen: (redis) => ask(redis, "flushall"),
  },
  {
    name: "killed and started again with nothing",
    loses: true,
    async happen(redis) {
      await redis.kill();
      redis.forget();
      await seconds(0.5);
      await redis.start();
    },
  },
];
