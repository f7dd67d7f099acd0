import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { MemoryEngine, type WebSocketServerOptions } from "../../mod.ts";
import type { Grant } from "../../src/centrifuge/mod.ts";
import type { EngineEvents } from "../../src/topics/engine.ts";
import { transports } from "../support/transports.ts";
import { host, KEEPING, Talk } from "./talk.ts";

const seen = (lines: readonly { data: unknown }[] = []) => lines.map((it) => it.data);

for (const variant of transports) {
  const hostWith = (grant: Grant, options: WebSocketServerOptions = KEEPING) =>
    host(variant, { onSubscribe: () => grant }, options);

  describe(`Centrifuge recovery over ${variant.name}`, () => {
    it("everything that was missed, in order, behind the position that was asked with", async () => {
      await using hosted = await hostWith({ recover: true });
      const talk = await hosted.join();
      const { subscribe: { epoch } } = await talk.ask({ subscribe: { channel: "t" } });
      await hosted.server.publish("t", "1");
      assertEquals((await talk.next()).push.pub.offset, 1);
      await talk.ask({ unsubscribe: { channel: "t" } });
      for (const data of ["2", "3"]) await hosted.server.publish("t", data);
      const position = { channel: "t", recover: true, epoch, offset: 1 };
      const { subscribe } = await talk.ask({ subscribe: position });
      assertEquals(seen(subscribe.publications), [2, 3]);
      const { recovered, was_recovering, offset } = subscribe;
      assertEquals([recovered, was_recovering, offset], [true, true, 1]);
      await hosted.server.publish("t", "4");
      assertEquals((await talk.next()).push.pub.offset, 4);
    });

    it("recovered also where nothing was missed; an empty epoch stands for any", async () => {
      await using hosted = await hostWith({ recover: true });
      const talk = await hosted.join();
      await hosted.server.publish("t", "1");
      const { subscribe } = await talk.ask({
        subscribe: { channel: "t", recover: true, offset: 1 },
      });
      assertEquals([subscribe.recovered, subscribe.publications], [true, undefined]);
    });

    it("what cannot be recovered is said so, with the position; or is error 112 for who asks for that", async () => {
      await using hosted = await hostWith({ recover: true });
      const talk = await hosted.join();
      await hosted.server.publish("t", "1");
      const lost = { channel: "t", recover: true, epoch: "another", offset: 0 };
      assertEquals((await talk.ask({ subscribe: { ...lost, flag: 2 } })).error.code, 112);
      assertEquals(hosted.server.subscriberCount("t"), 0);
      const { subscribe } = await talk.ask({ subscribe: lost });
      const { recovered, was_recovering, offset, publications } = subscribe;
      assertEquals([recovered, was_recovering, offset, publications], [
        undefined,
        true,
        1,
        undefined,
      ]);
    });

    it("only the newest, where the grant or the topic says so", async () => {
      for (const slow of ["disconnect", "latest"] as const) {
        await using hosted = await hostWith({ recover: slow === "latest" ? true : "latest" }, {
          topics: { history: { count: 100, age: 60 }, slow },
        });
        const talk = await hosted.join();
        for (const data of ["1", "2", "3"]) await hosted.server.publish("t", data);
        const ask = async (position: object) => {
          const { subscribe } = await talk.ask({
            subscribe: { channel: "t", recover: true, ...position },
          });
          await talk.ask({ unsubscribe: { channel: "t" } });
          return subscribe;
        };
        const first = await ask({});
        assertEquals([first.recovered, seen(first.publications), first.offset], [true, [3], 2]);
        const known = await ask({ epoch: first.epoch, offset: 3 });
        assertEquals([known.recovered, seen(known.publications), known.offset], [true, [], 3]);
        const lost = await ask({ epoch: "another", offset: 3 });
        assertEquals([lost.recovered, seen(lost.publications)], [true, [3]]);
      }
    });

    it('nothing, where the topic has no history, or drops what is too much ("drop")', async () => {
      const history = { count: 100, age: 60 };
      for (const topics of [{}, { history, slow: "drop" as const }]) {
        await using hosted = await hostWith({ recover: true }, { topics });
        const talk = await hosted.join();
        const { subscribe } = await talk.ask({ subscribe: { channel: "t", recover: true } });
        assertEquals(subscribe, { was_recovering: true });
      }
    });

    it("announcements that are lost on the way, or come twice, leave no gap", async () => {
      let announced = 0;
      class Careless extends MemoryEngine {
        override start(events: EngineEvents): void {
          const publication = events.publication.bind(events);
          events.publication = (...announcement) => {
            const times = [1, 0, 2, 0, 0][announced++ % 5];
            for (let n = 0; n < times; n++) publication(...announcement);
          };
          super.start(events);
        }
      }
      await using hosted = await host(variant, {}, { ...KEEPING, engine: new Careless() });
      const talk = await hosted.join();
      await talk.ask({ subscribe: { channel: "t" } });
      // The last one is announced.
      for (let n = 1; n <= 23; n++) await hosted.server.publish("t", `${n}`);
      for (let n = 1; n <= 23; n++) {
        const { data, offset } = (await talk.next()).push.pub;
        assertEquals([data, offset], [n, n]);
      }
    });

    it("a stream that has begun anew ends subscriptions with 2500, or the connection with 3010", async () => {
      const engine = new MemoryEngine();
      await using hosted = await host(variant, {
        onConnect: ({ token }) => ({
          user: token,
          subs: token === "ada" ? { t: { recover: true } } : undefined,
        }),
      }, { ...KEEPING, engine });
      const ada = await hosted.join({ token: "ada" });
      const grace = await hosted.join({ token: "grace" });
      const { subscribe: { epoch } } = await grace.ask({ subscribe: { channel: "t" } });
      engine.renew({ name: "t", history: { count: 100, age: 60 } }, epoch);
      void hosted.server.publish("t", "1");
      assertEquals(await ada.end(), [3010, "insufficient state"]);
      const { push } = await grace.next();
      assertEquals(push, {
        channel: "t",
        unsubscribe: { code: 2500, reason: "insufficient state" },
      });
    });

    it("the server subscribes a client with its connect, and recovers what that missed", async () => {
      await using hosted = await host(variant, {
        onConnect: () => ({ user: "ada", subs: { t: { recover: true, joinLeave: true } } }),
      });
      await hosted.server.publish("t", "1");
      const talk = await Talk.open(hosted.url);
      const { connect: { subs } } = await talk.ask({
        connect: { subs: { t: { recover: true, offset: 0 } } },
      });
      assertEquals([subs.t.recovered, seen(subs.t.publications)], [true, [1]]);
      assertEquals((await talk.next()).push.join.info.user, "ada");
      await hosted.server.publish("t", "2");
      assertEquals((await talk.next()).push.pub.data, 2);
      assertEquals((await talk.ask({ subscribe: { channel: "t" } })).error.code, 105);
    });
  });
}
