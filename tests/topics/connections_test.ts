import { describe, it } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import {
  type Position,
  type SubscribeOptions,
  type WebSocketConnection,
  type WebSocketError,
  WebSocketServer,
} from "../../mod.ts";
import { allPaths } from "../support/all_paths.ts";
import { startApplication } from "../support/application.ts";
import { clientFrame, closeBytes } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient } from "../support/raw_client.ts";
import { runtime, transports } from "../support/transports.ts";
import { gather, pathOf } from "./gathering.ts";

const HISTORY = { topics: { history: { count: 100, age: 60 } } };

for (const path of allPaths) {
  describe(`topics over ${path.name}`, () => {
    it("what is sent, published, subscribed and unsubscribed keeps the order of the calls", async () => {
      await using gathering = await gather(path);
      const { server } = gathering;
      const ada = await gathering.come();
      const { connection } = ada;
      void server.publish("t", "before");
      void connection.subscribe("t");
      connection.send("1");
      void server.publish("t", "2");
      void server.publish("t", new Uint8Array([51]));
      connection.send("4");
      connection.unsubscribe("t");
      void server.publish("t", "not subscribed");
      connection.send("5");
      void connection.subscribe("t");
      void server.publish("t", "6");
      for (const text of ["1", "2", "3", "4", "5", "6"]) assertEquals(await ada.next(), text);
      assertEquals(gathering.errors, []);
    });

    it("a publication comes to all subscribers but the one that it is from", async () => {
      await using gathering = await gather(path);
      const [ada, grace, stranger] = [
        await gathering.come(),
        await gathering.come(),
        await gathering.come(),
      ];
      await Promise.all([ada.connection.subscribe("t"), grace.connection.subscribe("t")]);
      assertEquals(await ada.connection.publish("t", "from Ada"), { accepted: true });
      assertEquals((await stranger.connection.publish("t", "from outside")).accepted, true);
      for (const { connection } of [ada, grace, stranger]) connection.send("end");
      assertEquals([await ada.next(), await ada.next()], ["from outside", "end"]);
      assertEquals(await grace.next(), "from Ada");
      assertEquals([await grace.next(), await grace.next()], ["from outside", "end"]);
      assertEquals(await stranger.next(), "end");
    });
  });
}

for (const variant of transports) {
  const path = pathOf(variant);

  describe(`connection.subscribe over ${variant.name}`, () => {
    it("tells of the topic; twice is once; isSubscribed and subscriptions tell", async () => {
      await using gathering = await gather(path);
      const { connection, ...ada } = await gathering.come();
      assertEquals([connection.isSubscribed("t"), connection.subscriptions.size], [false, 0]);
      const subscribed = connection.subscribe("t");
      const result = { topic: "t", position: undefined, recovered: false };
      assertEquals(await subscribed, result);
      assertEquals(await connection.subscribe("t"), result);
      assertEquals([connection.isSubscribed("t"), [...connection.subscriptions.keys()]], [true, [
        "t",
      ]]);
      void gathering.server.publish("t", "once");
      connection.send("end");
      assertEquals([await ada.next(), await ada.next()], ["once", "end"]);
      assertEquals([connection.unsubscribe("t"), connection.unsubscribe("t")], [true, false]);
      assertEquals([connection.isSubscribed("t"), connection.subscriptions.size], [false, 0]);
    });

    it("with a position: everything after it, in order and once, before what is live", async () => {
      await using gathering = await gather(path, HISTORY);
      const { server } = gathering;
      const positions: (Position | undefined)[] = [];
      for (const text of ["a", "b", "c"]) {
        positions.push((await server.publish("t", text)).position);
      }
      assertEquals(positions.map((it) => it?.offset), [1, 2, 3]);
      assertEquals(await server.position("t"), positions[2]);
      const ada = await gathering.come();
      const subscribed = ada.connection.subscribe("t", { position: positions[0] });
      void server.publish("t", "d");
      assertEquals((await subscribed).recovered, true);
      assertEquals([await ada.next(), await ada.next(), await ada.next()], ["b", "c", "d"]);
      const { position, recovered, leftOut } = ada.connection.subscriptions.get("t")!;
      assertEquals([position?.offset, recovered, leftOut], [4, true, 0]);
      // Of another incarnation nothing is known.
      const grace = await gathering.come();
      const lost = await grace.connection.subscribe("t", { position: { epoch: "x", offset: 1 } });
      assertEquals([lost.recovered, lost.position?.offset], [false, 4]);
      const fresh = await (await gathering.come()).connection.subscribe("t");
      assertEquals([fresh.recovered, fresh.position], [false, lost.position]);
    });

    it("rejects, and never throws: before the connection is open, after its end, and for what it does not take", async () => {
      const early = new Journal<[Promise<unknown>]>();
      await using gathering = await gather(path, {}, {
        handshake: (connection) => early.add([connection.subscribe("t")]),
      });
      const { connection, client } = await gathering.come();
      const rejects = async (promise: Promise<unknown>, code: string, text: string) => {
        const error = await assertRejects(() => promise, Error, text) as WebSocketError;
        assertEquals(error.code, code);
      };
      await rejects((await early.next())[0], "ERR_STATE", "from the ready event on");
      const wrong: [unknown, unknown, string][] = [
        ["", undefined, "1 to 255"],
        ["x".repeat(256), undefined, "1 to 255"],
        [7, undefined, "string"],
        ["t", 7, "options"],
        ["t", [], "options"],
        ["t", { positon: undefined }, "positon"],
        ["t", { position: null }, "position"],
        ["t", { position: { epoch: "e", offset: -1 } }, "position"],
        ["t", { position: { epoch: "e", offset: 0.5 } }, "position"],
        ["t", { user: 7 }, "user"],
        ["t", { info: {} }, "info"],
      ];
      for (const [topic, options, text] of wrong) {
        const promise = connection.subscribe(topic as string, options as SubscribeOptions);
        await rejects(promise, "ERR_INVALID_ARGUMENT", text);
      }
      client.write(clientFrame(8, closeBytes(1000)));
      await gathering.ends.next();
      await rejects(connection.subscribe("t"), "ERR_STATE", "not open");
      assertEquals(gathering.server.topics.size, 0);
    });

    it("ends with the connection: subscriptions still tells all of them in disconnect", async () => {
      const left = new Journal<[string, string[], boolean]>();
      const heard = new Journal<string>();
      await using gathering = await gather(path, {
        onUnsubscribe: (_server, _connection, topic) => heard.add(topic),
      }, {
        disconnect(connection) {
          const names = [...connection.subscriptions.keys()];
          left.add([heard.entries.toSorted().join(), names, connection.isSubscribed("a")]);
          void connection.publish("a", "has left");
        },
      });
      const ways: Record<string, (connection: WebSocketConnection, client: RawClient) => void> = {
        "the client's Close": (_connection, client) =>
          client.write(clientFrame(8, closeBytes(1000))),
        "disconnect()": (connection, client) => {
          connection.disconnect();
          client.write(clientFrame(8, closeBytes(1000)));
        },
        "terminate()": (connection, client) => {
          connection.terminate();
          client.socket.destroy();
        },
        "a reset": (_connection, client) => client.reset(),
      };
      const observer = await gathering.come();
      void observer.connection.subscribe("a");
      for (const [way, end] of Object.entries(ways)) {
        heard.entries.length = 0;
        const { connection, client } = await gathering.come();
        void connection.subscribe("a");
        void connection.subscribe("b");
        end(connection, client);
        assertEquals(await left.next(), ["a,b", ["a", "b"], false], way);
        assertEquals(await observer.next(), "has left", way);
        assertEquals(gathering.server.subscriberCount("a"), 1, way);
        client.socket.destroy();
      }
    });

    it("a subscription does not outlive the Close frame: its position is what was sent", async () => {
      await using gathering = await gather(path, HISTORY);
      const { server } = gathering;
      const { connection } = await gathering.come();
      await connection.subscribe("t");
      await server.publish("t", "sent");
      connection.disconnect();
      await server.publish("t", "too late");
      assertEquals(connection.subscriptions.get("t")?.position?.offset, 1);
      assertEquals(server.subscriberCount("t"), 0);
    });

    it("shutdown ends them: onShutdown can still publish, and the handlers hear of the end", async () => {
      const course: string[] = [];
      const gathering = await gather(path, {
        closeTimeout: 0.5,
        onShutdown: (server) => void server.publish("t", "goodbye"),
        onUnsubscribe: (_server, _connection, topic) => void course.push(`left ${topic}`),
        onTopicClose: (_server, topic) => void course.push(`closed ${topic}`),
      }, {
        disconnect: (connection) => void course.push(`had ${[...connection.subscriptions.keys()]}`),
      });
      const ada = await gathering.come();
      await ada.connection.subscribe("t");
      const done = gathering.server.shutdown();
      assertEquals(await ada.next(), "goodbye");
      ada.client.write(clientFrame(8, closeBytes(1001)));
      await done;
      assertEquals(course, ["left t", "closed t", "had t"]);
      const { accepted, error } = await gathering.server.publish("t", "too late");
      assertEquals([accepted, (error as WebSocketError).code], [false, "ERR_STATE"]);
      await assertRejects(() => gathering.server.position("t"), Error, "shut down");
    });
  });
}

const skip = runtime === "node" && "Node has no HTTP server whose requests upgrade() takes";
describe(`topics of a mounted server on ${runtime}_http`, { skip }, () => {
  it("work from the first request on, and before it", async () => {
    const errors: Error[] = [];
    await using server = new WebSocketServer({
      debug: 0,
      ...HISTORY,
      onError: (_server, error) => void errors.push(error),
      onConnect: (_server, connection) =>
        void connection.on({
          ready: (connection) =>
            void connection.subscribe("t", { position: { epoch: "", offset: 0 } }),
        }),
    });
    const { position } = await server.publish("t", "before anybody came");
    assertEquals(position?.offset, 1);
    await using application = startApplication(
      (request, info) => server.upgrade(request, info),
      { websocket: server.websocket },
    );
    using client = await RawClient.open(application.url);
    assertEquals((await client.frame())?.payload.toString(), "before anybody came");
    await server.publish("t", "live");
    assertEquals((await client.frame())?.payload.toString(), "live");
    assertEquals(errors, []);
  });
});
