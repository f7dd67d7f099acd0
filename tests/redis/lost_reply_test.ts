import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Keys } from "../../src/redis/keys.ts";
import { redisEngine } from "../../src/redis/mod.ts";
import type { EngineTopic, Publication, PublishResult } from "../../src/topics/engine.ts";
import { patiently } from "../support/patience.ts";
import { NO_REDIS, RedisServer } from "../support/redis_server.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { client } from "./harness.ts";

const KEPT: EngineTopic = { name: "kept", history: { count: 100, age: 600 } };
const UNKEPT: EngineTopic = { name: "unkept", history: null };
/** What only the connection for commands sends. */
const COMMANDS = /evalsha/;

const soon = () => new Promise((resolve) => setTimeout(resolve, 10));

interface Scene {
  readonly redis: RedisServer;
  readonly proxy: TcpProxy;
  readonly heard: Publication[];
  subscribe(topic: EngineTopic): Promise<void>;
  publish(topic: EngineTopic, data: string, idempotencyKey?: string): Promise<PublishResult>;
}

/** Runs a test with an engine whose connections go through a proxy. */
async function within(test: (scene: Scene) => Promise<void>): Promise<void> {
  const redis = await RedisServer.start();
  const proxy = await TcpProxy.start(redis.port);
  const engine = redisEngine(client(proxy.port));
  const heard: Publication[] = [];
  let number = 0;
  await engine.start({
    publication: (_, publication) => void heard.push(publication),
    presence() {},
    control() {},
    down() {},
    up() {},
    dropped() {},
    error() {},
  });
  try {
    await test({
      redis,
      proxy,
      heard,
      subscribe: async (topic) => await engine.subscribe([topic]),
      publish: async (topic, data, idempotencyKey) =>
        await engine.publish(topic, { data, id: `lost.${++number}`, idempotencyKey }, null),
    });
  } finally {
    await engine.close();
    await proxy.close();
    await redis.close();
  }
}

/** Waits until a topic's history has so many publications. */
async function kept(redis: RedisServer, topic: EngineTopic, count: number): Promise<void> {
  const outside = client(redis.port);
  const { stream } = new Keys("duet").of(topic.name);
  const wait = async () => {
    while (await outside.xlen(stream) < count) await soon();
  };
  await patiently(wait(), `${count} in history`);
  outside.disconnect();
}

describe("a reply to publishing is lost", () => {
  it(
    "after it was done, with history: it is found there",
    { skip: NO_REDIS },
    () =>
      within(async ({ redis, proxy, publish }) => {
        const first = await publish(KEPT, "1");
        proxy.lose("replies", COMMANDS);
        const results = [publish(KEPT, "2"), publish(KEPT, "3")];
        await kept(redis, KEPT, 3);
        proxy.cut();
        const { epoch } = first.position!;
        assertEquals(await Promise.all(results), [
          { accepted: true, position: { epoch, offset: 2 } },
          { accepted: true, position: { epoch, offset: 3 } },
        ]);
      }),
  );

  it(
    "before it was done, with history: it is not there, and never will be",
    { skip: NO_REDIS },
    () =>
      within(async ({ proxy, publish }) => {
        await publish(KEPT, "1");
        proxy.lose("requests", COMMANDS);
        const lost = publish(KEPT, "2");
        await soon();
        proxy.cut();
        const { accepted, error } = await lost;
        assertEquals(accepted, false);
        assert(error instanceof Error);
        const again = await publish(KEPT, "3");
        assertEquals([again.accepted, again.position?.offset], [true, 2]);
      }),
  );

  it(
    "of a repeat, which has the name of the first one there: it is never refused",
    { skip: NO_REDIS },
    () =>
      within(async ({ proxy, publish }) => {
        assertEquals((await publish(KEPT, "1", "key")).accepted, true);
        proxy.lose("requests", COMMANDS);
        const lost = publish(KEPT, "1", "key");
        await soon();
        proxy.cut();
        assertEquals((await lost).accepted, "unknown");
        assertEquals((await publish(KEPT, "1", "key")).repeated, true);
      }),
  );

  it(
    "after it was done, without history: it was announced to this server",
    { skip: NO_REDIS },
    () =>
      within(async ({ proxy, heard, subscribe, publish }) => {
        await subscribe(UNKEPT);
        await publish(UNKEPT, "1");
        proxy.lose("replies", COMMANDS);
        const lost = publish(UNKEPT, "2");
        const wait = async () => {
          while (!heard.some(({ data }) => data === "2")) await soon();
        };
        await patiently(wait(), "the announcement");
        proxy.cut();
        assertEquals(await lost, { accepted: true });
      }),
  );

  it(
    "without history and subscription: nobody knows",
    { skip: NO_REDIS },
    () =>
      within(async ({ proxy, publish }) => {
        await publish(UNKEPT, "1");
        proxy.lose("replies", COMMANDS);
        const lost = publish(UNKEPT, "2");
        await soon();
        proxy.cut();
        const { accepted, error } = await lost;
        assertEquals(accepted, "unknown");
        assert(error instanceof Error);
      }),
  );

  it("and Redis hangs: there is an answer all the same, and the next one is refused at once", {
    skip: NO_REDIS,
  }, () =>
    within(async ({ redis, publish }) => {
      await publish(KEPT, "1");
      redis.hang();
      const results = await patiently(
        Promise.all([publish(KEPT, "2"), publish(UNKEPT, "2")]),
        "the answer",
      );
      assertEquals(results.map(({ accepted }) => accepted), ["unknown", "unknown"]);
      const refused = await publish(KEPT, "3");
      assertEquals(refused.accepted, false);
      redis.goOn();
    }));
});
