import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { CentrifugeError } from "../../src/centrifuge/mod.ts";
import { transports } from "../support/transports.ts";
import { host, KEEPING, OPEN, Talk } from "./talk.ts";

for (const variant of transports) {
  describe(`Centrifuge commands over ${variant.name}`, () => {
    it("connect is answered with an id, the interval of pings and that pongs are wanted", async () => {
      await using hosted = await host(variant, {
        onConnect: ({ token, data, headers, name }) => ({
          user: token,
          data: JSON.stringify([data, headers, name]),
        }),
      });
      const talk = await hosted.come();
      const { connect } = await talk.ask({
        connect: { token: "ada", data: { a: 1 }, headers: { h: "1" }, name: "test" },
      });
      const { client, ...rest } = connect;
      assertMatch(client, /^\S+$/);
      const data = ['{"a":1}', { h: "1" }, "test"];
      assertEquals(rest, { version: "duet", data, ping: 25, pong: true });
    });

    it("what comes behind connect in one message waits until that is answered", async () => {
      const let_in = Promise.withResolvers<{ user: string }>();
      await using hosted = await host(variant, {
        onConnect: () => let_in.promise,
        onRpc: (client) => JSON.stringify(client.user),
      });
      const talk = await hosted.come();
      talk.send('{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"t"}}\n{"id":3,"rpc":{}}\n');
      let_in.resolve({ user: "ada" });
      const answers = [await talk.next(), await talk.next(), await talk.next()];
      assertEquals(answers[0].id, 1);
      // Both were begun once it was in.
      assertEquals(answers.find((it) => it.id === 3), { id: 3, rpc: { data: "ada" } });
      assertEquals(answers.find((it) => it.id === 2).subscribe.recoverable, true);
    });

    it("subscribe, publish, history, presence and unsubscribe", async () => {
      await using hosted = await host(variant);
      const [ada, grace] = [
        await hosted.join({ token: "ada" }),
        await hosted.join({ token: "grace" }),
      ];
      const { subscribe } = await ada.ask({ subscribe: { channel: "t" } });
      const { epoch, ...position } = subscribe;
      assertMatch(epoch, /^\S+$/);
      assertEquals(position, { recoverable: true, positioned: true });
      await grace.ask({ subscribe: { channel: "t" } });
      assertEquals(await grace.ask({ publish: { channel: "other", data: 1 } }), { publish: {} });
      grace.send('{"id":9,"publish":{"channel":"t","data":{"hello":"all"}}}');
      const { push: { channel, pub } } = await ada.next();
      assertEquals([channel, pub.data, pub.offset, pub.info.user], [
        "t",
        { hello: "all" },
        1,
        "grace",
      ]);
      assertEquals((await grace.next()).push.pub, pub);
      assertEquals(await grace.next(), { id: 9, publish: {} });

      const { history } = await ada.ask({ history: { channel: "t", limit: -1 } });
      assertEquals(history, { publications: [pub], epoch, offset: 1 });
      const top = await ada.ask({ history: { channel: "t" } });
      assertEquals(top.history, { publications: [], epoch, offset: 1 });
      const lost = { channel: "t", limit: 1, since: { epoch: "another", offset: 0 } };
      assertEquals((await ada.ask({ history: lost })).error.code, 112);

      const { presence: { presence } } = await ada.ask({ presence: { channel: "t" } });
      assertEquals(Object.values(presence).map((it) => (it as { user: string }).user).sort(), [
        "ada",
        "grace",
      ]);
      const { presence_stats } = await ada.ask({ presence_stats: { channel: "t" } });
      assertEquals(presence_stats, { num_clients: 2, num_users: 2 });

      assertEquals(await ada.ask({ unsubscribe: { channel: "t" } }), { unsubscribe: {} });
      assertEquals(await ada.ask({ unsubscribe: { channel: "t" } }), { unsubscribe: {} });
      assertEquals(hosted.server.subscriberCount("t"), 1);
      assertEquals(hosted.errors, []);
    });

    it("an answer to history has at most 1,000 publications", async () => {
      await using hosted = await host(variant, {}, {
        topics: { history: { count: 2000, age: 60 } },
      });
      const talk = await hosted.join();
      const all = Array.from({ length: 1010 }, (_, n) => hosted.server.publish("t", `${n}`));
      await Promise.all(all);
      await talk.ask({ subscribe: { channel: "t" } });
      for (const limit of [-1, 1005]) {
        const { history } = await talk.ask({ history: { channel: "t", limit } });
        assertEquals([history.publications.length, history.offset], [1000, 1010]);
      }
    });

    it("data goes through as it was sent: no digit is lost, and no white space", async () => {
      await using hosted = await host(variant, { onRpc: (_client, { data }) => data });
      const talk = await hosted.join();
      await talk.ask({ subscribe: { channel: "t" } });
      const data = '{ "n": 12345678901234567890, "s":"\\n\\u0041\\"}", "n":[ 1e400 ,-0.0] }';
      talk.send(`{"id":8,"rpc":{"data":${data}}}`);
      assertEquals(await talk.lines.next(), `{"id":8,"rpc":{"data":${data}}}`);
      talk.send(`{"id":9,"publish":{"channel":"t","data":${data}}}`);
      const push = await talk.lines.next();
      assert(push.startsWith(`{"push":{"channel":"t","pub":{"data":${data},`), push);
    });

    it("line breaks between the tokens of what the server publishes are taken out", async () => {
      await using hosted = await host(variant);
      const talk = await hosted.join();
      await talk.ask({ subscribe: { channel: "t" } });
      void hosted.server.publish("t", '{\r\n  "a": "b\\nc"\n}');
      assert((await talk.lines.next()).includes('"data":{  "a": "b\\nc"}'));
    });

    it("a publication that is no JSON ends a client that speaks JSON with 3506", async () => {
      await using hosted = await host(variant);
      const talk = await hosted.join();
      await talk.ask({ subscribe: { channel: "t" } });
      void hosted.server.publish("t", "no JSON");
      assertEquals(await talk.end(), [3506, "inappropriate protocol"]);
    });

    it("errors: what is refused, unknown, too much, or not there", async () => {
      await using hosted = await host(variant, {
        ...OPEN,
        onSubscribe: (_client, { topic }) => {
          if (topic === "mine") throw new CentrifugeError(450, "mine alone", true);
          return topic === "secret" ? false : {};
        },
        onPublish: () => false,
        maxTopics: 2,
      });
      const talk = await hosted.join();
      const code = async (command: object) => (await talk.ask(command)).error?.code;
      assertEquals(await code({ subscribe: { channel: "secret" } }), 103);
      assertEquals(await talk.ask({ subscribe: { channel: "mine" } }), {
        error: { code: 450, message: "mine alone", temporary: true },
      });
      assertEquals(await code({ subscribe: { channel: "a" } }), undefined);
      assertEquals(await code({ subscribe: { channel: "a" } }), 105);
      assertEquals(await code({ subscribe: { channel: "b" } }), undefined);
      assertEquals(await code({ subscribe: { channel: "c" } }), 106);
      assertEquals(await code({ subscribe: { channel: "" } }), 107);
      assertEquals(await code({ subscribe: { channel: "x".repeat(256) } }), 107);
      assertEquals(await code({ publish: { channel: "a", data: 1 } }), 103);
      assertEquals(await code({ publish: { channel: "a" } }), 107);
      assertEquals(await code({ presence: { channel: "a" } }), 103);
      assertEquals(await code({ presence: { channel: "c" } }), 103);
      assertEquals(await code({ history: { channel: "a" } }), 103);
      assertEquals(await code({ rpc: { method: "m" } }), 108);
      assertEquals(await code({ refresh: { token: "t" } }), 108);
      assertEquals(await code({ sub_refresh: { channel: "c", token: "t" } }), 103);
      await talk.ask({ unsubscribe: { channel: "a" } });
      assertEquals(await code({ subscribe: { channel: "c", type: 1 } }), 108);
      assertEquals(await code({ subscribe: { channel: "c", tf: { op: "eq" } } }), 107);
      assertEquals(hosted.errors, []);
      talk.send('{"send":{"data":{}}}');
      assertEquals(await talk.end(), [3508, "not available"]);
    });

    it("presence and history of a topic that keeps none are error 108", async () => {
      await using hosted = await host(variant, {}, {});
      const talk = await hosted.join();
      await talk.ask({ subscribe: { channel: "t" } });
      for (const name of ["presence", "presence_stats", "history"]) {
        assertEquals((await talk.ask({ [name]: { channel: "t" } })).error.code, 108, name);
      }
    });

    it("what a handler throws stays here: the client hears of an internal error", async () => {
      await using hosted = await host(variant, {
        onRpc: () => {
          throw new Error("the password is 1234");
        },
      });
      const talk = await hosted.join();
      assertEquals(await talk.ask({ rpc: {} }), {
        error: { code: 100, message: "internal server error", temporary: true },
      });
      assertMatch(hosted.errors[0].message, /onRpc failed: the password is 1234/);
    });

    it("a message without an answer comes to onMessage, in order", async () => {
      const told: unknown[] = [];
      await using hosted = await host(variant, {
        onMessage: (_client, data) => void told.push(data),
        onRpc: () => JSON.stringify(told),
      });
      const talk = await hosted.join();
      talk.send('{"send":{"data":"a"}}\n{"send":{"data":[ 2 ]}}\n{"id":7,"rpc":{}}');
      assertEquals((await talk.next()).rpc.data, ['"a"', "[ 2 ]"]);
    });

    it("commands about one topic are dealt with one after the other, others meanwhile", async () => {
      const slow = Promise.withResolvers<void>();
      await using hosted = await host(variant, {
        onSubscribe: async () => {
          await slow.promise;
          return {};
        },
        onRpc: () => {
          slow.resolve();
          return "1";
        },
      });
      const talk = await hosted.join();
      talk.send(
        '{"id":7,"subscribe":{"channel":"t"}}\n{"id":8,"unsubscribe":{"channel":"t"}}\n{"id":9,"rpc":{}}',
      );
      const order = [await talk.next(), await talk.next(), await talk.next()].map((it) => it.id);
      // The subscription waits for the call, and would for ever if that waited for it.
      assertEquals(order.filter((it) => it !== 9), [7, 8]);
      assertEquals(hosted.server.subscriberCount("t"), 0);
    });

    it("of a flood no more than maxCommands are at work at once, and all are answered", async () => {
      let [working, most] = [0, 0];
      await using hosted = await host(variant, {
        maxCommands: 5,
        onRpc: async () => {
          most = Math.max(most, ++working);
          await new Promise((resolve) => setTimeout(resolve, 0));
          working--;
        },
      });
      const talk = await hosted.join();
      const flood = Array.from({ length: 200 }, (_, at) => `{"id":${at + 2},"rpc":{}}`);
      talk.send(flood.slice(0, 100).join("\n"));
      for (const command of flood.slice(100)) talk.send(command);
      const lines = await talk.lines.first(201);
      assertEquals(new Set(lines.slice(1).map((it) => JSON.parse(it).id)).size, 200);
      assertEquals(most, 5);
    });

    it("both formats and plain subscribers share a topic, each publication encoded once for each", async () => {
      await using hosted = await host(variant, {}, {
        ...KEEPING,
        onConnect: (_server, connection) =>
          void connection.on({ ready: (connection) => void connection.subscribe("t") }),
      });
      const { jsonCodec } = await import("../../src/centrifuge/json_codec.ts");
      const plain = await Talk.open(hosted.url.replace("/connection/websocket", "/plain"));
      const many = await Promise.all(Array.from({ length: 10 }, () => hosted.join()));
      for (const talk of many) await talk.ask({ subscribe: { channel: "t" } });
      const { encode } = jsonCodec;
      let encoded = 0;
      jsonCodec.encode = (reply) => {
        if (reply.push?.pub !== undefined) encoded++;
        return encode(reply);
      };
      try {
        await hosted.server.publish("t", '{"a":1}');
        for (const talk of many) assertEquals((await talk.next()).push.pub.data, { a: 1 });
      } finally {
        jsonCodec.encode = encode;
      }
      assertEquals(encoded, 1);
      assertEquals(await plain.lines.next(), '{"a":1}');
    });
  });
}
