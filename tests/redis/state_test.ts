import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { WebSocketServer } from "../../mod.ts";
import { redisEngine } from "../../src/redis/mod.ts";
import { patiently } from "../support/patience.ts";
import { NO_REDIS, RedisServer } from "../support/redis_server.ts";
import { client } from "./harness.ts";

const HISTORY = { history: { count: 10, age: 60 } };

async function until(condition: () => boolean, what: string): Promise<void> {
  const wait = async () => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await patiently(wait(), what);
}

describe("server.engine over Redis", () => {
  it("lag grows while an answer is owed, and is back with it", { skip: NO_REDIS }, async () => {
    const redis = await RedisServer.start();
    await using server = new WebSocketServer({
      engine: redisEngine(client(redis.port)),
      topics: HISTORY,
    });
    void server.publish("t", "1");
    await patiently(server.engine.ready, "the engine");
    redis.hang();
    const owed = server.publish("t", "2");
    await until(() => server.engine.state.lag > 0.2, "lag");
    assertEquals(server.engine.state.up, true);
    redis.goOn();
    assertEquals((await owed).accepted, true);
    const { lag } = server.engine.state;
    assert(lag >= 0.2, `${lag}`);
    await server.publish("t", "3");
    assert(server.engine.state.lag < lag);
    await server.shutdown();
    await redis.close();
  });

  it("up and since change when Redis goes and comes back", { skip: NO_REDIS }, async () => {
    const redis = await RedisServer.start();
    const errors: string[] = [];
    await using server = new WebSocketServer({
      engine: redisEngine(client(redis.port)),
      debug: 0,
      onError: (_server, { message }) => void errors.push(message),
    });
    // It is refused: the engine starts with it.
    await server.publish("t", "1");
    errors.length = 0;
    const { engine } = server;
    await patiently(engine.ready, "the engine");
    const first = engine.state.since;
    await redis.kill();
    await until(() => !engine.state.up, "the end");
    const gone = engine.state.since;
    await redis.start();
    await until(() => engine.state.up, "the return");
    assert(first <= gone && gone <= engine.state.since);
    assertEquals(errors.length, 1);
    assert(errors[0].startsWith("Cannot reach Redis"), errors[0]);
    await server.shutdown();
    await redis.close();
  });
});
