import { describe, it } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { type Engine, MemoryEngine, type WebSocketError, WebSocketServer } from "../../mod.ts";
import { Journal } from "../support/journal.ts";
import { transports } from "../support/transports.ts";
import { gather, pathOf } from "./gathering.ts";

const HISTORY = { topics: { history: { count: 100, age: 60 } } };
const START = { position: { epoch: "", offset: 0 } };

/** The memory engine, but history is read only when a test lets it. */
function patientEngine(memory: MemoryEngine) {
  const reads = new Journal<() => void>();
  const engine = new Proxy(memory, {
    get(target, name) {
      if (name === "read") {
        return (...args: Parameters<MemoryEngine["read"]>) =>
          new Promise((resolve) => reads.add(() => resolve(target.read(...args))));
      }
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  }) as Engine;
  return { engine, reads };
}

for (const variant of transports) {
  const path = pathOf(variant);

  describe(`limits of topics over ${variant.name}`, () => {
    it("maxTopicsPerConnection: those under way count", async () => {
      await using gathering = await gather(path, { maxTopicsPerConnection: 2 });
      const { connection } = await gathering.come();
      const results = await Promise.allSettled(
        ["a", "b", "c"].map((it) => connection.subscribe(it)),
      );
      assertEquals(results.map((it) => it.status), ["fulfilled", "fulfilled", "rejected"]);
      const error = (results[2] as PromiseRejectedResult).reason as WebSocketError;
      assertEquals(error.code, "ERR_LIMIT");
      connection.unsubscribe("a");
      assertEquals((await connection.subscribe("c")).topic, "c");
    });

    it("maxSubscribersPerTopic", async () => {
      await using gathering = await gather(path, { maxSubscribersPerTopic: 1 });
      const [ada, grace] = [await gathering.come(), await gathering.come()];
      await ada.connection.subscribe("t");
      const error = await assertRejects(() => grace.connection.subscribe("t")) as WebSocketError;
      assertEquals(error.code, "ERR_LIMIT");
      await grace.connection.subscribe("other");
      ada.connection.unsubscribe("t");
      assertEquals((await grace.connection.subscribe("t")).topic, "t");
    });

    for (const [name, limit] of [["maxRecovered", 3], ["maxRecoveredBytes", 9]] as const) {
      it(`${name}: who has missed more does not recover`, async () => {
        await using gathering = await gather(path, { ...HISTORY, [name]: limit });
        const { server } = gathering;
        for (const data of ["one", "two", "six"]) await server.publish("t", data);
        const ada = await gathering.come();
        assertEquals((await ada.connection.subscribe("t", START)).recovered, true);
        for (const data of ["one", "two", "six"]) assertEquals(await ada.next(), data);
        await server.publish("t", "ten");
        const grace = await gathering.come();
        const { recovered, position } = await grace.connection.subscribe("t", START);
        assertEquals([recovered, position?.offset], [false, 4]);
        await server.publish("t", "live");
        assertEquals(await grace.next(), "live", "and is sent nothing of it");
      });
    }

    for (const [name, limit] of [["maxHeld", 2], ["maxHeldBytes", 6]] as const) {
      it(`${name}: what is beyond while history is read has it read once more`, async () => {
        for (const count of [2, 3]) {
          const memory = new MemoryEngine();
          await using elsewhere = new WebSocketServer({ engine: memory, ...HISTORY });
          await elsewhere.publish("t", "old");
          const { engine, reads } = patientEngine(new MemoryEngine({ shareWith: memory }));
          await using gathering = await gather(path, { engine, ...HISTORY, [name]: limit });
          const ada = await gathering.come();
          const subscribed = ada.connection.subscribe("t", START);
          const read = await reads.next();
          for (let i = 0; i < count; i++) await elsewhere.publish("t", `${i}..`);
          read();
          if (count > 2) (await reads.next())();
          assertEquals((await subscribed).recovered, true);
          assertEquals(await ada.next(), "old");
          for (let i = 0; i < count; i++) assertEquals(await ada.next(), `${i}..`);
          assertEquals(reads.entries.length, count > 2 ? 2 : 1);
        }
      });
    }
  });
}

describe("limits of the memory engine", () => {
  it("maxHistoryBytes: the oldest publication of all topics goes", async () => {
    await using server = new WebSocketServer({ ...HISTORY, maxHistoryBytes: 4096 });
    const kept = async () => {
      const pages = await Promise.all(
        ["a", "b"].map((it) => server.history(it, { limit: 100 })),
      );
      return pages.map(({ publications }) => publications.length);
    };
    for (const topic of ["a", "b"]) await server.publish(topic, "x".repeat(512));
    assertEquals(await kept(), [1, 1]);
    for (let i = 0; i < 8; i++) await server.publish("b", "x".repeat(512));
    const [a, b] = await kept();
    assertEquals([a, b > 0 && b < 9], [0, true]);
  });
});
