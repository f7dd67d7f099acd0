import { after, describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { patiently } from "../support/patience.ts";
import { NO_REDIS } from "../support/redis_server.ts";
import { Account } from "./account.ts";
import { Participant, TOPIC } from "./participant.ts";
import { FailureServer } from "./server_process.ts";
import type { Place } from "./setting.ts";
import { SETTINGS } from "./settings.ts";

const SERVERS = ["a", "b"];
const SUBSCRIBERS = ["1", "2"];
const NOTHING_WRONG = { lost: 0, outOfOrder: 0, repeated: 0, untrue: 0 };

const soon = () => new Promise((resolve) => setTimeout(resolve, 10));

/** Has each server publish something until all of that is everywhere. */
async function everywhere(account: Account, mark: () => Promise<string>[]): Promise<void> {
  // A mark may be one of those that are lost, and told to be: then the next one counts.
  for (let arrived = false; !arrived;) {
    const marks = await Promise.all(mark());
    const later = performance.now() + 500;
    const reached = () => marks.every((it) => account.reached(it));
    while (!(arrived = reached()) && performance.now() < later) await soon();
  }
}

const short = SETTINGS.filter(({ faults }) => faults.some(({ long }) => !long));
for (const { name, faults, engineOf, start, missing } of short) {
  describe(`two servers publish all the time; ${name}`, () => {
    let place: Place;
    after(() => place?.close());

    for (const fault of faults.filter(({ long }) => !long)) {
      it(`${fault.name}: nothing lost, out of order or repeated`, { skip: missing }, async () => {
        place ??= await start();
        const account = new Account();
        const servers = SERVERS.map((it) => new Participant(it, engineOf(place.address), account));
        try {
          for (const [i, server] of servers.entries()) {
            const names = SUBSCRIBERS.map((it) => `${SERVERS[i]}${it}`);
            for (const name of names) account.seat(name);
            await server.start(names);
          }
          const arrived = (what: string) =>
            patiently(everywhere(account, () => servers.map((it) => it.mark(what))), what);
          await arrived("before");
          for (const server of servers) server.publishEvery(5);
          await patiently(place.happen(fault), fault.name);
          await arrived("after");
          for (const server of servers) server.pause();
          await arrived("end");
          account.settle();
          assertEquals([account.faults, account.details], [NOTHING_WRONG, []]);
          if (fault.loses !== "maybe") {
            assertEquals(account.interrupted > 0, fault.loses, `${account}`);
          }
          const present = async () => {
            const expected = SERVERS.length * SUBSCRIBERS.length;
            const count = () => servers[0].hub.memberCount(TOPIC).catch(() => null);
            while ((await count())?.connections !== expected) await soon();
          };
          await patiently(present(), "everybody present, and nobody else");
          assertEquals(await place.lasting(), []);
        } finally {
          for (const server of servers) await server.close();
        }
      });
    }
  });
}

describe("servers of both runtimes publish all the time; one Redis", () => {
  it("one of them is killed: the others lose nothing, and its members are gone in their time", {
    skip: NO_REDIS,
  }, async () => {
    const [{ name, start }] = SETTINGS;
    const place = await start();
    const account = new Account();
    const servers = (["deno", "bun", "bun"] as const).map((runtime, i) =>
      new FailureServer(runtime, `${runtime}${i}-`, name, place, account)
    );
    try {
      await patiently(Promise.all(servers.map((it) => it.ask("started"))), "servers");
      for (const server of servers) server.say("go");
      const marks = (what: string) =>
        servers.map((it) => it.ask("marked", `mark ${what}`) as Promise<string>);
      await patiently(everywhere(account, () => marks("before")), "before");
      await servers.splice(1, 1)[0].kill();
      await patiently(everywhere(account, () => marks("after")), "after");
      for (const server of servers) server.say("pause");
      await patiently(everywhere(account, () => marks("end")), "the end");
      account.settle();
      assertEquals([account.faults, account.details], [NOTHING_WRONG, []]);
      assertEquals(account.interrupted, 0);
      assert(account.accepted > 0);
      const present = async () => {
        while (await servers[0].ask("counted", "count") !== account.seats) await soon();
      };
      await patiently(present(), "those present who are left");
      assertEquals(await place.lasting(), []);
    } finally {
      for (const server of servers) await server.kill();
      await place.close();
    }
  });
});
