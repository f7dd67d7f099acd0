import { describe, it } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { type Engine, MemoryEngine } from "../../mod.ts";
import type { CentrifugeClient } from "../../src/centrifuge/mod.ts";
import { natsHarness } from "../nats/harness.ts";
import { redisHarness } from "../redis/harness.ts";
import { NatsServer, NO_NATS } from "../support/nats_server.ts";
import { NO_REDIS, RedisServer } from "../support/redis_server.ts";
import { transports, type Variant } from "../support/transports.ts";
import { host, KEEPING, OPEN } from "./talk.ts";

/** Two servers, of which one controls users of the other. */
async function controls(variant: Variant, engines: readonly [Engine, Engine]): Promise<void> {
  const options = { ...OPEN, onRefresh: () => undefined };
  await using here = await host(variant, options, { ...KEEPING, engine: engines[0] });
  await using there = await host(variant, options, { ...KEEPING, engine: engines[1] });
  const ada = await there.join({ token: "ada" });
  const grace = await there.join({ token: "grace" });
  for (const it of [ada, grace]) await it.ask({ subscribe: { channel: "t" } });

  here.centrifuge.unsubscribe("ada", "t");
  assertEquals((await ada.next()).push, {
    channel: "t",
    unsubscribe: { code: 2000, reason: "server unsubscribe" },
  });
  here.centrifuge.refresh("ada", Date.now() / 1000 + 60);
  assertEquals((await ada.next()).push, { refresh: { expires: true, ttl: 60 } });
  here.centrifuge.disconnect("ada", 4500, "banned");
  assertEquals(await ada.end(), [4500, "banned"]);

  // The other user was left alone.
  await here.server.publish("t", "1");
  assertEquals((await grace.next()).push.pub.data, 1);
  here.centrifuge.refresh("grace", 1);
  assertEquals(await grace.end(), [3005, "connection expired"]);
  assertEquals([here.errors, there.errors], [[], []]);
}

for (const variant of transports) {
  describe(`Centrifuge control over ${variant.name}`, () => {
    it("ends, unsubscribes and refreshes a user on whatever server", async () => {
      const engine = new MemoryEngine();
      await controls(variant, [engine, new MemoryEngine({ shareWith: engine })]);
    });

    it("joins and leaves are told on all servers, to those whose grant says so", async () => {
      const engine = new MemoryEngine();
      const options = {
        ...OPEN,
        onSubscribe: (client: CentrifugeClient) => ({
          joinLeave: client.user !== "quiet",
          info: { seat: 1 },
        }),
      };
      await using here = await host(variant, options, { ...KEEPING, engine });
      const shared = new MemoryEngine({ shareWith: engine });
      await using there = await host(variant, options, { ...KEEPING, engine: shared });
      const quiet = await here.join({ token: "quiet" });
      await quiet.ask({ subscribe: { channel: "t" } });
      const ada = await here.join({ token: "ada" });
      await ada.ask({ subscribe: { channel: "t" } });
      assertEquals((await ada.next()).push.join.info.user, "ada");
      const grace = await there.join({ token: "grace" });
      await grace.ask({ subscribe: { channel: "t" } });
      const { push: { join } } = await ada.next();
      assertEquals([join.info.user, join.info.chan_info], ["grace", { seat: 1 }]);
      grace.close();
      assertEquals((await ada.next()).push.leave, join);
      await here.server.publish("t", "1");
      assertEquals((await quiet.next()).push.pub.data, 1);
    });

    it("the application sends, subscribes and unsubscribes a client of its own", async () => {
      const clients: CentrifugeClient[] = [];
      await using hosted = await host(variant, {
        onConnect: () => ({ user: "ada", info: { name: "Ada" } }),
        onRpc: (client) => void clients.push(client),
      });
      const talk = await hosted.join();
      await talk.ask({ rpc: {} });
      const [client] = clients;
      assertEquals([client.user, client.info], ["ada", { name: "Ada" }]);
      client.send('{"n":1}');
      assertEquals((await talk.next()).push, { message: { data: { n: 1 } } });
      await client.subscribe("t", { recover: true });
      const { push } = await talk.next();
      assertEquals([push.channel, push.subscribe.recoverable], ["t", true]);
      assertEquals(client.isSubscribed("t"), true);
      await hosted.server.publish("t", "1", { except: client.connection });
      await hosted.server.publish("t", "2");
      assertEquals((await talk.next()).push.pub.data, 2);
      assertEquals(client.unsubscribe("t"), true);
      assertEquals((await talk.next()).push.unsubscribe.code, 2000);
      client.disconnect();
      assertEquals(await talk.end(), [3503, "force disconnect"]);
      await assertRejects(() => client.subscribe("t"), Error, "not connected");
    });
  });
}

describe("Centrifuge control over an engine", () => {
  it("Redis: ends, unsubscribes and refreshes a user on another server", {
    skip: NO_REDIS !== undefined,
  }, async () => {
    const redis = await RedisServer.start();
    const { join } = redisHarness(redis);
    await controls(transports[0], [join(), join()]);
    await redis.close();
  });

  it("NATS: ends, unsubscribes and refreshes a user on another server", {
    skip: NO_NATS !== undefined,
  }, async () => {
    const nats = await NatsServer.start();
    const { join } = natsHarness(nats);
    await controls(transports[1], [join(), join()]);
    await nats.close();
  });
});
