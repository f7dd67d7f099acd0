import { Redis } from "ioredis";
import { patiently } from "./patience.ts";
import { freePort } from "./engine_program.ts";
import { RedisServer } from "./redis_server.ts";

const SLOTS = 16_384;

/** A cluster of three Redis, without replicas. */
export class RedisCluster {
  readonly nodes: readonly RedisServer[];

  private constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes;
  }

  /** Starts one and waits until all of its nodes know of the others. */
  static async start(): Promise<RedisCluster> {
    const buses = [await freePort(), await freePort(), await freePort()];
    const nodes = await Promise.all(
      buses.map((bus) => RedisServer.start("--cluster-enabled", "yes", "--cluster-port", `${bus}`)),
    );
    const clients = nodes.map(({ port }) => new Redis({ port, host: "127.0.0.1" }));
    for (const [i, client] of clients.entries()) {
      const [first, last] = [i, i + 1].map((it) => Math.floor(SLOTS * it / nodes.length));
      await client.call("cluster", "addslotsrange", first, last - 1);
      await client.call("cluster", "meet", "127.0.0.1", nodes[0].port, buses[0]);
    }
    const known = async () => {
      for (const client of clients) {
        for (let ok = false; !ok;) {
          const info = String(await client.call("cluster", "info"));
          ok = info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:3");
          if (!ok) await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    };
    await patiently(known(), "the cluster");
    for (const client of clients) client.disconnect();
    return new RedisCluster(nodes);
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await node.close();
  }
}
