import { after, it } from "node:test";
import { Cluster } from "ioredis";
import { redisEngine } from "../../src/redis/mod.ts";
import { RedisCluster } from "../support/redis_cluster.ts";
import { NO_REDIS } from "../support/redis_server.ts";
import { testEngine } from "../topics/engine_suite.ts";

if (NO_REDIS === undefined) {
  const cluster = await RedisCluster.start();
  after(() => cluster.close());
  let places = 0;
  testEngine("redis, a cluster of three", () => {
    const prefix = `place${++places}`;
    const nodes = cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port }));
    return {
      join: () => redisEngine(new Cluster(nodes, { lazyConnect: true }), { prefix }),
      close() {},
    };
  });
} else {
  it("the suite of engines over a cluster", { skip: NO_REDIS }, () => {});
}
