import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Keys } from "../../src/redis/keys.ts";
import { redisEngine } from "../../src/redis/mod.ts";
import type { Engine, EngineTopic } from "../../src/topics/engine.ts";
import { patiently } from "../support/patience.ts";
import { NO_REDIS, RedisServer } from "../support/redis_server.ts";
import { client } from "./harness.ts";

const TOPIC: EngineTopic = { name: "taken over", history: { count: 100, age: 600 } };

async function start(redis: RedisServer): Promise<Engine> {
  const engine = redisEngine(client(redis.port));
  await engine.start({
    publication() {},
    presence() {},
    control() {},
    down() {},
    up() {},
    dropped() {},
    error() {},
  });
  return engine;
}

/** Publishes, and gives the offset of each. */
async function publish(engine: Engine, ...texts: string[]): Promise<number[]> {
  const results = await Promise.all(
    texts.map((data) => engine.publish(TOPIC, { data, id: `takeover.${data}` }, null)),
  );
  return results.map(({ position }) => position!.offset);
}

/** What is told to one who has seen all up to an offset. */
async function after(engine: Engine, epoch: string, offset: number): Promise<string[] | null> {
  const { whole, publications } = await engine.read(TOPIC, { epoch, after: offset, limit: 100 });
  return whole ? publications.map(({ data }) => data as string) : null;
}

describe("another Redis takes over", () => {
  it("gives no offset again that the one before gave, whoever is the first to publish", {
    skip: NO_REDIS,
  }, async () => {
    const [master, replica] = await Promise.all([
      RedisServer.start("--repl-diskless-sync-delay", "0"),
      RedisServer.start("--repl-diskless-sync-delay", "0"),
    ]);
    const outside = client(replica.port);
    const before = await start(master);
    assertEquals(await publish(before, "1", "2", "3"), [1, 2, 3]);
    await outside.replicaof("127.0.0.1", master.port);
    const copied = async () => {
      while (!(await outside.info("replication")).includes("master_link_status:up")) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    await patiently(copied(), "the replica's copy");
    await outside.replicaof("NO", "ONE");
    assertEquals(await publish(before, "lost", "lost too"), [4, 5]);
    const { position: { epoch } } = await before.read(TOPIC, { limit: 0 });

    // Nobody here has ever heard of 4 and 5.
    const then = await start(replica);
    const given = await publish(then, "4", "5", "6");
    assert(given.every((offset) => offset > 5), `${given}`);
    const { position } = await then.read(TOPIC, { limit: 0 });
    assertEquals(position, { epoch, offset: given[2] });
    // Who has seen nothing that is lost has missed nothing; who has, is told.
    assertEquals(await after(then, epoch, 2), ["3", "4", "5", "6"]);
    assertEquals(await after(then, epoch, 3), ["4", "5", "6"]);
    assertEquals(await after(then, epoch, 4), null);
    assertEquals(await after(then, epoch, 5), null);
    assertEquals(await after(then, epoch, given[0]), ["5", "6"]);
    assertEquals((await then.read(TOPIC, { epoch, after: 5, limit: 0 })).lost, true);
    // A server that has seen them and publishes has all others told.
    const seen = { epoch, offset: 5 };
    await then.publish(TOPIC, { data: "7", id: "takeover.7" }, seen);
    assert((await then.read(TOPIC, { limit: 0 })).position.epoch !== epoch);

    outside.disconnect();
    await Promise.all([before.close(), then.close()]);
    await Promise.all([master.close(), replica.close()]);
  });

  it("and two that follow the same one, neither of which knows of the other, give different ones", {
    skip: NO_REDIS,
  }, async () => {
    const redis = await RedisServer.start();
    const outside = client(redis.port);
    const { meta, stream } = new Keys("duet").of(TOPIC.name);
    const engine = await start(redis);
    await publish(engine, "1");
    const given: number[] = [];
    for (const text of ["2", "another 2"]) {
      await outside.hset(meta, { o: 1, r: "the one before" });
      await outside.del(stream);
      given.push(...await publish(engine, text));
    }
    assert(given[0] > 1e6 && given[1] > 1e6 && given[0] !== given[1], `${given}`);
    outside.disconnect();
    await engine.close();
    await redis.close();
  });

  it("also the same one, started twice while nothing was published: nobody has missed anything", {
    skip: NO_REDIS,
  }, async () => {
    const redis = await RedisServer.start("--appendonly", "yes");
    const first = await start(redis);
    assertEquals(await publish(first, "1", "2"), [1, 2]);
    const { position: { epoch } } = await first.read(TOPIC, { limit: 0 });
    await first.close();
    for (let i = 0; i < 2; i++) {
      await redis.kill();
      await redis.start();
      const engine = await start(redis);
      assertEquals(await after(engine, epoch, 1), ["2"]);
      assertEquals(await after(engine, epoch, 2), []);
      // A server that has followed it needs to read nothing.
      assertEquals(await engine.positions!([TOPIC], [2]), [{ epoch, offset: 2 }]);
      assert((await engine.positions!([TOPIC], [1]))[0].offset > 2);
      await engine.close();
    }
    const last = await start(redis);
    await publish(last, "3");
    assertEquals(await after(last, epoch, 2), ["3"]);
    assertEquals(await after(last, epoch, 3), null);
    await last.close();
    await redis.close();
  });
});
