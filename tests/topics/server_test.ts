import { describe, it } from "node:test";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  MemoryEngine,
  type PublishOptions,
  type ServerPublishOptions,
  type WebSocketConnection,
  type WebSocketError,
  WebSocketServer,
  type WebSocketServerOptions,
} from "../../mod.ts";
import { Journal } from "../support/journal.ts";
import { transports } from "../support/transports.ts";
import { gather, pathOf } from "./gathering.ts";

const HISTORY = { topics: { history: { count: 100, age: 60 } } };
const PRESENCE = { topics: { presence: true } };

for (const variant of transports) {
  const path = pathOf(variant);

  describe(`server.publish over ${variant.name}`, () => {
    it("leaves out one connection, or many", async () => {
      await using gathering = await gather(path);
      const { server } = gathering;
      const guests = [await gathering.come(), await gathering.come(), await gathering.come()];
      const [ada, grace, alan] = guests;
      for (const { connection } of guests) await connection.subscribe("t");
      await server.publish("t", "not for Ada", { except: ada.connection });
      await server.publish("t", "for Alan", {
        except: new Set([ada.connection, grace.connection]),
      });
      await server.publish("t", "for all", { except: [] });
      assertEquals(await ada.next(), "for all");
      assertEquals([await grace.next(), await grace.next()], ["not for Ada", "for all"]);
      assertEquals([await alan.next(), await alan.next()], ["not for Ada", "for Alan"]);
    });

    it("whoever is left out, its position moves on; recovery from before delivers it all the same", async () => {
      await using gathering = await gather(path, HISTORY);
      const ada = await gathering.come();
      await ada.connection.subscribe("t");
      const before = await gathering.server.position("t");
      await ada.connection.publish("t", "one's own");
      assertEquals(ada.connection.subscriptions.get("t")?.position?.offset, 1);
      ada.connection.unsubscribe("t");
      await ada.connection.subscribe("t", { position: before });
      assertEquals(await ada.next(), "one's own");
    });

    it("a repeat with the same idempotencyKey is accepted once, per topic", async () => {
      await using gathering = await gather(path, HISTORY);
      const { server } = gathering;
      const ada = await gathering.come();
      await ada.connection.subscribe("t");
      const first = await server.publish("t", "once", { idempotencyKey: "k" });
      const again = await ada.connection.publish("t", "twice", { idempotencyKey: "k" });
      assertEquals(again, { ...first, repeated: true });
      await server.publish("t", "end");
      assertEquals([await ada.next(), await ada.next()], ["once", "end"]);
    });

    it("never rejects or throws: it tells what was refused, and onError hears of it", async () => {
      await using gathering = await gather(path, { maxSendSize: 10 });
      const { server, errors } = gathering;
      const { connection } = await gathering.come();
      const wrong: [unknown, unknown, unknown, string][] = [
        ["", "x", undefined, "1 to 255"],
        ["t", 7, undefined, "a string, a Uint8Array"],
        ["t", "\ud800", undefined, "lone surrogate"],
        ["t", "x".repeat(11), undefined, "maxSendSize is 10"],
        ["t", "\u20ac".repeat(4), undefined, "12 bytes: maxSendSize is 10"],
        ["t", new Uint8Array(11), undefined, "maxSendSize is 10"],
        ["t", "x", 7, "options"],
        ["t", "x", null, "options"],
        ["t", "x", [], "options"],
        ["t", "x", { keey: "k" }, "keey"],
        ["t", "x", { key: 7 }, "key"],
        ["t", "x", { idempotencyKey: {} }, "idempotencyKey"],
        ["t", "x", { tags: { a: 7 } }, "tags"],
        ["t", "x", { tags: ["a"] }, "tags"],
      ];
      for (const [topic, data, options, text] of wrong) {
        for (const publisher of [server, connection]) {
          const result = await publisher.publish(
            topic as string,
            data as string,
            options as PublishOptions,
          );
          assertEquals(result.accepted, false, text);
          assert(result.error!.message.includes(text), `${result.error!.message}: ${text}`);
          assertEquals(errors.pop()!.message, result.error!.message);
        }
      }
      for (const except of [7, [7], null, {}]) {
        const options = { except } as unknown as ServerPublishOptions;
        const { accepted, error } = await server.publish("t", "x", options);
        assertEquals([accepted, (error as WebSocketError).code], [false, "ERR_INVALID_ARGUMENT"]);
        errors.pop();
      }
      assertEquals((await server.publish("t", "x".repeat(10))).accepted, true);
      assertEquals(errors, []);
    });

    it("one subscriber's failure keeps a publication from nobody, and is not taken for recovered", async () => {
      await using gathering = await gather(path, HISTORY);
      const { server, errors } = gathering;
      const guests = [await gathering.come(), await gathering.come(), await gathering.come()];
      for (const { connection } of guests) {
        await connection.subscribe("t", { position: { epoch: "", offset: 0 } });
      }
      const small = guests[1].connection;
      small.maxSendSize = 4;
      await server.publish("t", "large");
      await server.publish("t", "end");
      assertEquals([await guests[0].next(), await guests[0].next()], ["large", "end"]);
      assertEquals(await guests[1].next(), "end");
      assertEquals([await guests[2].next(), await guests[2].next()], ["large", "end"]);
      assertEquals(errors.length, 1);
      assert(errors[0].message.includes("maxSendSize is 4"));
      const { leftOut, recovered, position } = small.subscriptions.get("t")!;
      assertEquals([leftOut, recovered, position], [1, false, undefined]);
    });
  });

  describe(`the topics of a server over ${variant.name}`, () => {
    it("are told live: names, counts, connections, positions", async () => {
      await using gathering = await gather(path, HISTORY);
      const { server } = gathering;
      const { topics } = server;
      assertEquals([topics.size, [...topics], topics.get("a")], [0, [], undefined]);
      const [ada, grace] = [await gathering.come(), await gathering.come()];
      await ada.connection.subscribe("a");
      await grace.connection.subscribe("a");
      await grace.connection.subscribe("b");
      await server.publish("b", "x");
      const seen = [...topics].map(({ name, subscriberCount, connections, position, counts }) => ({
        name,
        subscriberCount,
        connections: [...connections],
        offset: position?.offset,
        published: counts.published,
      }));
      const both = [ada.connection, grace.connection];
      assertEquals(
        seen.map(({ connections: _, ...rest }) => rest),
        [
          { name: "a", subscriberCount: 2, offset: 0, published: 0 },
          { name: "b", subscriberCount: 1, offset: 1, published: 1 },
        ],
      );
      assert(seen[0].connections.every((it, i) => it === both[i]));
      assert(seen[1].connections[0] === grace.connection);
      const a = topics.get("a")!;
      ada.connection.unsubscribe("a");
      assertEquals([a.subscriberCount, server.subscriberCount("a")], [1, 1]);
      grace.connection.unsubscribe("a");
      assertEquals([topics.size, server.subscriberCount("a")], [1, 0]);
    });

    it("handlers hear of the first subscriber, of the last one gone, and decide", async () => {
      const course: string[] = [];
      await using gathering = await gather(path, {
        onSubscribe: (_server, _connection, topic) => void course.push(`asks for ${topic}`),
        onUnsubscribe: (_server, _connection, topic) => void course.push(`leaves ${topic}`),
        onTopicOpen: (server, topic) => void course.push(`opens ${topic} ${server.topics.size}`),
        onTopicClose: (server, topic) => void course.push(`closes ${topic} ${server.topics.size}`),
      });
      const [ada, grace] = [await gathering.come(), await gathering.come()];
      await ada.connection.subscribe("t");
      await grace.connection.subscribe("t");
      ada.connection.unsubscribe("t");
      grace.connection.unsubscribe("t");
      assertEquals(course, [
        "asks for t",
        "opens t 1",
        "asks for t",
        "leaves t",
        "leaves t",
        "closes t 0",
      ]);
    });

    it("onSubscribe refuses by false, by a throw, and by either of a promise", async () => {
      const asked: [unknown, WebSocketConnection][] = [];
      await using gathering = await gather(path, {
        onSubscribe(server, connection, topic) {
          asked.push([server, connection]);
          if (topic === "false") return false;
          if (topic === "throw") throw new Error("no");
          if (topic === "later false") return Promise.resolve(false);
          if (topic === "later throw") return Promise.reject(new Error("no"));
          return undefined;
        },
      });
      const { server, errors } = gathering;
      const { connection } = await gathering.come();
      const codes: string[] = [];
      for (const topic of ["false", "throw", "later false", "later throw"]) {
        const error = await assertRejects(() => connection.subscribe(topic)) as WebSocketError;
        codes.push(error.code);
      }
      assertEquals(codes, ["ERR_REFUSED", "ERR_HANDLER", "ERR_REFUSED", "ERR_HANDLER"]);
      assertEquals(errors.map((it) => it.message), [
        "The handler onSubscribe failed: no",
        "The handler onSubscribe failed: no",
      ]);
      assert(asked.every(([a, b]) => a === server && b === connection));
      assertEquals([connection.subscriptions.size, server.topics.size], [0, 0]);
      assertEquals((await connection.subscribe("fine")).topic, "fine");
    });

    it("unsubscribe wins over a subscribe under way, and so does the end", async () => {
      const decision = Promise.withResolvers<void>();
      await using gathering = await gather(path, { onSubscribe: () => decision.promise });
      const { connection } = await gathering.come();
      const first = connection.subscribe("t");
      assertEquals([connection.isSubscribed("t"), connection.subscriptions.size], [false, 1]);
      assertEquals(connection.unsubscribe("t"), true);
      await assertRejects(() => first, Error, "unsubscribe() was called meanwhile");
      const second = connection.subscribe("t");
      connection.terminate();
      await gathering.ends.next();
      await assertRejects(() => second, Error, "the connection has ended");
      decision.resolve();
      await decision.promise;
      assertEquals(gathering.server.topics.size, 0);
    });

    it("what handlers throw, or reject with, goes to onError and harms nobody", async () => {
      const failing = () => {
        throw new Error("thrown");
      };
      await using gathering = await gather(path, {
        onTopicOpen: failing,
        onTopicClose: () => Promise.reject(new Error("rejected")),
        onUnsubscribe: failing,
      });
      const { connection } = await gathering.come();
      await connection.subscribe("t");
      connection.unsubscribe("t");
      await Promise.resolve();
      assertEquals(gathering.errors.map((it) => it.message), [
        "The handler onTopicOpen failed: thrown",
        "The handler onUnsubscribe failed: thrown",
        "The handler onTopicClose failed: rejected",
      ]);
    });

    it("presence: who is there, as which user, and gone with the connection", async () => {
      const heard = new Journal<string>();
      await using gathering = await gather(path, {
        ...PRESENCE,
        onUnsubscribe: (_server, _connection, topic) => heard.add(topic),
      });
      const { server } = gathering;
      const [first, second, nobody] = [
        await gathering.come(),
        await gathering.come(),
        await gathering.come(),
      ];
      await first.connection.subscribe("t", { user: "ada", info: "on a phone" });
      await second.connection.subscribe("t", { user: "ada" });
      await nobody.connection.subscribe("t");
      const members = await server.members("t");
      assertEquals(members.map(({ user, info }) => [user, info]), [
        ["ada", "on a phone"],
        ["ada", undefined],
        ["", undefined],
      ]);
      assertEquals((await server.members("t", 2)).length, 2);
      assertEquals(new Set(members.map(({ id }) => id)).size, 3);
      assertEquals(await server.memberCount("t"), { connections: 3, users: 2 });
      first.connection.terminate();
      await heard.next();
      assertEquals(await server.memberCount("t"), { connections: 2, users: 2 });
    });
  });
}

describe("topics without a listener", () => {
  it("a server that was not started can publish, and tells positions and history", async () => {
    await using server = new WebSocketServer(HISTORY);
    const { accepted, position } = await server.publish("t", "x", { key: "k", tags: { a: "b" } });
    assertEquals([accepted, position?.offset], [true, 1]);
    assertEquals(await server.position("t"), position);
    const page = await server.history("t", { limit: 10 });
    const [{ data, key, tags }] = page.publications;
    assertEquals([data, key, tags], ["x", "k", { a: "b" }]);
  });

  it("the option topics may be a function of the name", async () => {
    await using server = new WebSocketServer({
      debug: 0,
      topics: (name) => name.startsWith("log/") ? HISTORY.topics : undefined,
    });
    assertEquals((await server.publish("log/1", "x")).position?.offset, 1);
    assertEquals((await server.publish("t", "x")).position, undefined);
    assertEquals(await server.position("t"), undefined);
    await assertRejects(() => server.history("t", { limit: 1 }), Error, "it has none");
    await assertRejects(() => server.members("t"), Error, "it has none");
  });

  it("servers of one process share topics by their engines", async () => {
    const engine = new MemoryEngine();
    await using first = new WebSocketServer({ engine, ...HISTORY });
    await using second = new WebSocketServer({
      engine: new MemoryEngine({ shareWith: engine }),
      ...HISTORY,
    });
    await first.publish("t", "a");
    await second.publish("t", "b");
    assertEquals((await first.position("t"))?.offset, 2);
    assertEquals(await second.position("t"), await first.position("t"));
  });

  it("one engine for two servers is refused, and told", async () => {
    const engine = new MemoryEngine();
    await using first = new WebSocketServer({ engine });
    await first.publish("t", "a");
    const errors: Error[] = [];
    await using second = new WebSocketServer({
      engine,
      debug: 0,
      onError: (_server, error) => void errors.push(error),
    });
    await second.publish("t", "b");
    assertEquals(errors.length, 1);
    assert(errors[0].message.includes("shareWith"));
  });

  it("options that are not right are refused", () => {
    const wrong: [unknown, string][] = [
      [{ topics: 7 }, "topics"],
      [{ topics: { history: { count: 0, age: 1 } } }, "topics.history.count"],
      [{ topics: { history: { count: 1 } } }, "topics.history.age"],
      [{ topics: { slow: "never" } }, "topics.slow"],
      [{ topics: { presence: 1 } }, "topics.presence"],
      [{ topics: { keep: 1 } }, "topics.keep"],
      [{ engine: {} }, "engine"],
      [{ engine: null }, "engine"],
      [{ engine: new MemoryEngine(), maxHistoryBytes: 1 }, "maxHistoryBytes"],
      [{ onSubscribe: 7 }, "onSubscribe"],
    ];
    for (const [options, name] of wrong) {
      const error = assertThrows(() => new WebSocketServer(options as WebSocketServerOptions));
      assert((error as Error).message.includes(name), `${error}: ${name}`);
    }
  });

  it("server.on takes the handlers by event", () => {
    const server = new WebSocketServer();
    const handler = () => {};
    server.on({
      subscribe: handler,
      unsubscribe: handler,
      topicOpen: handler,
      topicClose: handler,
    });
    assert([server.onSubscribe, server.onUnsubscribe, server.onTopicOpen, server.onTopicClose]
      .every((it) => it === handler));
  });
});
