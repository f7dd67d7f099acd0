import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { MemoryEngine, type Position } from "../../mod.ts";
import { Journal } from "../support/journal.ts";
import { transports } from "../support/transports.ts";
import { gather, pathOf } from "./gathering.ts";

const history = { count: 100, age: 60 };

for (const variant of transports) {
  describe(`the event interrupted over ${variant.name}`, () => {
    it("tells that publications are lost, and from where on it goes on", async () => {
      const engine = new MemoryEngine();
      const heard = new Journal<[string, Position]>();
      await using gathering = await gather(pathOf(variant), { engine, topics: { history } }, {
        interrupted: (_connection, topic, position) => heard.add([topic, position]),
      });
      const { server } = gathering;
      const [ada, grace] = [await gathering.come(), await gathering.come()];
      await server.publish("t", "before");
      const { position } = await ada.connection.subscribe("t");
      await grace.connection.subscribe("other");
      // What an engine does that has lost its memory.
      engine.renew({ name: "t", history }, position!.epoch);
      await server.publish("t", "after");
      const [topic, now] = await heard.next();
      assertEquals([topic, now.epoch === position!.epoch], ["t", false]);
      assertEquals(heard.entries.length, 1, "only those who are subscribed hear of it");
      assertEquals(ada.connection.subscriptions.get("t")?.recovered, false);
      await server.publish("t", "live");
      ada.connection.send("end");
      const texts: string[] = [];
      while (texts.at(-1) !== "end") texts.push(await ada.next());
      assertEquals(texts.slice(-2), ["live", "end"]);
    });

    it("a handler that throws goes to onError, and the others hear of it all the same", async () => {
      const engine = new MemoryEngine();
      let heard = 0;
      await using gathering = await gather(pathOf(variant), { engine, topics: { history } }, {
        interrupted() {
          heard++;
          throw new Error("no");
        },
      });
      const { server, errors } = gathering;
      for (let i = 0; i < 2; i++) await (await gathering.come()).connection.subscribe("t");
      engine.renew({ name: "t", history }, (await server.position("t"))!.epoch);
      await server.publish("t", "after");
      assertEquals([heard, errors.length], [2, 2]);
    });
  });
}
