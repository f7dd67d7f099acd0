import { Keys } from "../../src/redis/keys.ts";
import { client } from "../redis/harness.ts";
import type { RedisServer } from "../support/redis_server.ts";
import type { TcpProxy } from "../support/tcp_proxy.ts";
import type { FaultOf, Running } from "./setting.ts";

/** One Redis that has written what it has answered, behind a proxy. */
export interface Single extends Running {
  readonly address: number;
  readonly redis: RedisServer;
  readonly proxy: TcpProxy;
}

export const seconds = (count: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, count * 1000));

/** Asks a Redis something from outside. */
export async function ask(port: number, ...command: (string | number)[]): Promise<unknown> {
  const outside = client(port);
  try {
    const [name, ...rest] = command;
    return await outside.call(`${name}`, ...rest);
  } finally {
    outside.disconnect();
  }
}

/** Names the connections for subscriptions. */
async function subscribers(port: number): Promise<string[]> {
  const list = String(await ask(port, "client", "list", "type", "pubsub"));
  return [...list.matchAll(/^id=(\d+)/gm)].map(([, id]) => id);
}

/** All that can become of one Redis that writes what it has to disk. */
export const REDIS_FAULTS: readonly FaultOf<Single>[] = [
  {
    name: "killed for a second and started again with what it had stored",
    loses: false,
    async happen({ redis }) {
      await redis.kill();
      await seconds(1);
      await redis.start();
    },
  },
  {
    name: "stopped for a second and continued",
    loses: false,
    async happen({ redis }) {
      redis.hang();
      await seconds(1);
      redis.goOn();
    },
  },
  {
    name: "stopped for 4.5 s, which is taken for dead, and continued",
    loses: false,
    async happen({ redis }) {
      redis.hang();
      await seconds(4.5);
      redis.goOn();
    },
  },
  {
    name: "the connections for subscriptions cut",
    loses: false,
    async happen({ redis }) {
      await ask(redis.port, "client", "kill", "type", "pubsub");
    },
  },
  {
    name: "the connections for subscriptions cut by client-output-buffer-limit",
    loses: false,
    async happen({ redis: { port } }) {
      const setLimit = (limit: string) =>
        ask(port, "config", "set", "client-output-buffer-limit", `pubsub ${limit}`);
      const before = await subscribers(port);
      await setLimit("1 0 0");
      // A control message that no server knows, too large for the buffer that each connection has anyway.
      const message = JSON.stringify({ kind: "none", filler: "x".repeat(100_000) });
      await ask(port, "publish", new Keys("duet").control, message);
      while ((await subscribers(port)).some((it) => before.includes(it))) await seconds(0.01);
      await setLimit("32mb 8mb 60");
    },
  },
  {
    name: "the connections for commands cut",
    loses: false,
    async happen({ redis }) {
      await ask(redis.port, "client", "kill", "type", "normal");
    },
  },
  {
    name: "replies lost after what they answer was done",
    loses: false,
    async happen({ proxy }) {
      proxy.lose("replies", /evalsha/);
      await seconds(0.3);
      proxy.cut();
    },
  },
  {
    name: "the scripts forgotten",
    loses: false,
    async happen({ redis }) {
      await ask(redis.port, "script", "flush");
    },
  },
  {
    name: "flushed",
    loses: true,
    async happen({ redis }) {
      await ask(redis.port, "flushall");
    },
  },
  {
    name: "killed and started again with nothing",
    loses: true,
    async happen({ redis }) {
      await redis.kill();
      redis.forget();
      await seconds(0.5);
      await redis.start();
    },
  },
];
