import { after, it } from "node:test";
import { NO_REDIS, RedisServer } from "../support/redis_server.ts";
import { testEngine } from "../topics/engine_suite.ts";
import { redisHarness } from "./harness.ts";

if (NO_REDIS === undefined) {
  const server = await RedisServer.start();
  after(() => server.close());
  testEngine("redis", () => redisHarness(server), { can: ["cut", "rewind"] });
} else {
  it("the suite of engines over Redis", { skip: NO_REDIS }, () => {});
}
