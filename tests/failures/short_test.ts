import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { redisEngine } from "../../src/redis/mod.ts";
import { client, keysOf, lasting } from "../redis/harness.ts";
import { patiently } from "../support/patience.ts";
import { NO_REDIS, RedisServer } from "../support/redis_server.ts";
import { Account } from "./account.ts";
import { FAULTS } from "./faults.ts";
import { Participant, TOPIC } from "./participant.ts";

/** A Redis that has written what it has answered. */
const LASTING = ["--appendonly", "yes", "--appendfsync", "always"];
const SERVERS = ["a", "b"];
const SUBSCRIBERS = ["1", "2"];

const soon = () => new Promise((resolve) => setTimeout(resolve, 10));

describe("Redis fails while two servers publish all the time", () => {
  for (const fault of FAULTS) {
    it(
      `${fault.name}: nothing lost, out of order or repeated`,
      { skip: NO_REDIS },
      async (context) => {
        const redis = await RedisServer.start(...LASTING);
        const account = new Account();
        const servers = SERVERS.map((name) =>
          new Participant(name, redisEngine(client(redis.port)), account)
        );
        try {
          for (const [i, server] of servers.entries()) {
            const names = SUBSCRIBERS.map((it) => `${SERVERS[i]}${it}`);
            for (const name of names) account.seat(name);
            await server.start(names);
          }
          const everywhere = async (what: string) => {
            // A mark may be one of those that are lost, and told to be: then the next one counts.
            for (let arrived = false; !arrived;) {
              const marks = await Promise.all(servers.map((it) => it.mark(what)));
              const later = performance.now() + 500;
              const reached = () => marks.every((it) => account.reached(it));
              while (!(arrived = reached()) && performance.now() < later) await soon();
            }
          };
          await patiently(everywhere("before"), "before");
          for (const server of servers) server.publishEvery(5);
          await patiently(fault.happen(redis), fault.name);
          await patiently(everywhere("after"), "after");
          for (const server of servers) server.pause();
          await patiently(everywhere("end"), "the end");
          assertEquals([account.faults, account.details], [
            { lost: 0, outOfOrder: 0, repeated: 0, untrue: 0 },
            [],
          ]);
          assertEquals(account.interrupted > 0, fault.loses, `${account}`);
          const present = async () => {
            const expected = SERVERS.length * SUBSCRIBERS.length;
            while ((await servers[0].hub.memberCount(TOPIC)).connections !== expected) await soon();
          };
          await patiently(present(), "everybody present");
          assertEquals(await lasting(redis.port), []);
          assert((await keysOf(redis.port)).length > 0);
          context.diagnostic?.(`${account}`);
        } finally {
          for (const server of servers) await server.close();
          await redis.close();
        }
      },
    );
  }
});
