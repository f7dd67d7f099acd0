// Starts two servers with Redis or NATS between them, and measures what gets from one to the other.

import { NatsServer, NO_NATS } from "../tests/support/nats_server.ts";
import { NO_REDIS, RedisServer } from "../tests/support/redis_server.ts";
import type { Children } from "./child.ts";
import type { EngineJob, Figures } from "./job.ts";
import type { ServerEntry } from "./servers.ts";

/** Why a broker cannot be started here; undefined where it can. */
const MISSING = { redis: NO_REDIS, nats: NO_NATS };

type Load = Omit<EngineJob, "port" | "pid" | "protocol" | "orders" | "publisher" | "engine">;

/**
 * Both servers are on the servers' processor; Redis or NATS and the load process, which are the same for
 * all, share the other one.
 */
export async function measureWithEngine(
  entry: ServerEntry,
  load: Load,
  children: Children,
): Promise<Figures> {
  const missing = MISSING[entry.broker!];
  if (missing !== undefined) throw new Error(missing);
  const broker = entry.broker === "nats" ? await NatsServer.start() : await RedisServer.start();
  const stops = [() => broker.close()];
  try {
    children.pinToLoad(broker.pid);
    const wishes = { broker: broker.port, perTurn: load.perTurn };
    const start = async () => {
      const server = await children.startServer(entry, {
        broadcast: false,
        topics: undefined,
        deflate: false,
        maxSize: load.bytes,
        ...wishes,
      });
      stops.unshift(() => server.stop());
      return server;
    };
    const [publisher, receiver] = [await start(), await start()];
    return await children.load({
      ...load,
      port: receiver.port,
      pid: receiver.pid,
      protocol: entry.protocol,
      orders: publisher.orders!,
      publisher: publisher.pid,
      engine: broker.pid,
    });
  } finally {
    for (const stop of stops) await stop();
  }
}
