import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { MemoryEngine, type WebSocketConnection } from "../../mod.ts";
import { CentrifugeError } from "../../src/centrifuge/mod.ts";
import type { EngineTopic } from "../../src/topics/engine.ts";
import { clientFrame } from "../support/client_frame.ts";
import { RawClient } from "../support/raw_client.ts";
import { transports } from "../support/transports.ts";
import { host, KEEPING, OPEN, Talk } from "./talk.ts";
import { sign, verify } from "./token.ts";

const DEPTH = 200_000;
/** A connect in protobuf, behind its length. */
const CONNECT_BYTES = [4, 8, 1, 34, 0];
const BROKEN_PROTOBUF = [
  [5, 8, 1], // a length beyond the end
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], // a huge one
  [...new Array(11).fill(0x80), 1], // one of too many bytes
  [2, 8, 0x80], // a number that is cut off
  [1, 0x0b], // a group
  [8, 8, 2, 42, 4, 10, 2, 0xff, 0xff], // a channel that is no UTF-8
  [...new Array(1000).fill(0)], // pongs that nobody asked for
  new Array(1000).fill([2, 98, 0]).flat(), // messages without data
];

for (const variant of transports) {
  describe(`hostile clients of Centrifuge over ${variant.name}`, () => {
    it("JSON of any depth ends nobody but its client, at the most", async () => {
      await using hosted = await host(variant, { onRpc: (_client, { data }) => data });
      const honest = await hosted.join();
      for (const [open, close] of [["[", "]"], ['{"a":', "}"]]) {
        const deep = `${open.repeat(DEPTH)}1${close.repeat(DEPTH)}`;
        const talk = await hosted.join();
        talk.send(`{"id":5,"rpc":{"data":${deep}}}`);
        talk.send(`${open.repeat(DEPTH)}`);
        assertEquals(await talk.end(), [3501, "bad request"]);
      }
      assertEquals(await honest.ask({ rpc: { data: 1 } }), { rpc: { data: 1 } });
      assertEquals(hosted.errors, []);
    });

    it("protobuf that is broken ends its client with 3501, before it is let in and after", async () => {
      await using hosted = await host(variant);
      const honest = await hosted.join();
      for (const broken of BROKEN_PROTOBUF) {
        for (const before of [[], CONNECT_BYTES]) {
          const talk = await Talk.open(hosted.url, "centrifuge-protobuf");
          talk.send(Uint8Array.from([...before, ...broken]));
          assertEquals(await talk.end(), [3501, "bad request"]);
        }
      }
      assertEquals(await honest.ask({ unsubscribe: { channel: "t" } }), { unsubscribe: {} });
      assertEquals(hosted.errors, []);
    });

    it("tokens of nobody let nobody in, and nothing of who brought them stays", async () => {
      const asked: string[] = [];
      await using hosted = await host(variant, {
        onConnect({ token }) {
          asked.push(token);
          const claims = verify(token, "secret");
          if (claims === undefined) throw new CentrifugeError(3500, "invalid token");
          return { user: claims.sub ?? "" };
        },
      });
      const [head, claims] = sign({ sub: "ada" }, "secret").split(".");
      const tokens = ["", "...", "x".repeat(1_000_000), `${head}.${claims}.`, `${head}.${claims}`];
      tokens.push(sign({ sub: "ada" }, "guessed"), '{"sub":"ada"}', "\u0000", "__proto__");
      const ends = await Promise.all(tokens.map(async (token) => {
        const talk = await hosted.come();
        talk.send(`${JSON.stringify({ id: 1, connect: { token } })}\n{"id":2,"rpc":{}}`);
        return await talk.end();
      }));
      assertEquals(ends, tokens.map(() => [3500, "invalid token"]));
      assertEquals(asked.length, tokens.length);
      const talk = await hosted.join({ token: sign({ sub: "ada" }, "secret") });
      hosted.centrifuge.disconnect("ada");
      assertEquals(await talk.end(), [3503, "force disconnect"]);
      assertEquals(hosted.errors, []);
    });

    it("who is never let in is ended with 3502, however often it tries", async () => {
      let asked = 0;
      await using hosted = await host(variant, {
        connectTimeout: 0.1,
        async onConnect() {
          asked++;
          await new Promise((resolve) => setTimeout(resolve, 150));
          throw new CentrifugeError(109, "token expired");
        },
      });
      const talk = await hosted.come();
      talk.send('{"id":1,"connect":{}}\n{"id":2,"connect":{}}');
      assertEquals(await talk.end(), [3502, "stale"]);
      assertEquals(asked, 1);
    });

    it("names of JavaScript's own are names like others", async () => {
      await using hosted = await host(variant, { onConnect: () => ({ user: "__proto__" }) });
      const talk = await hosted.come();
      talk.send(
        '{"id":1,"connect":{"subs":{"__proto__":{"recover":true}},"headers":{"__proto__":"1"}}}',
      );
      assertEquals((await talk.next()).id, 1);
      for (const channel of ["__proto__", "constructor"]) {
        assertEquals((await talk.ask({ subscribe: { channel } })).error, undefined);
        const { presence } = await talk.ask({ presence: { channel } });
        const [info] = Object.values(presence.presence) as { user: string }[];
        assertEquals(info.user, "__proto__");
      }
    });

    it("a message of 5,000 commands keeps nobody else waiting, and is answered whole", async () => {
      const order: string[] = [];
      await using hosted = await host(variant, {
        onRpc: (client) => {
          order.push(client.user);
          return "1";
        },
      });
      const honest = await hosted.join({ token: "honest" });
      const talk = await hosted.join({ token: "flood" });
      const count = 5000;
      talk.send(Array.from({ length: count }, (_, at) => `{"id":${at + 2},"rpc":{}}`).join("\n"));
      await honest.ask({ rpc: {} });
      const lines = await talk.lines.first(count + 1);
      assertEquals(JSON.parse(lines.at(-1)!).id, count + 1);
      assert(order.indexOf("honest") < count, "the honest client has waited for all of it");
    });

    it("no more than 16 replies go into one message", async () => {
      await using hosted = await host(variant, { onRpc: () => "1" });
      const talk = await hosted.join();
      talk.send(Array.from({ length: 40 }, (_, at) => `{"id":${at + 2},"rpc":{}}`).join("\n"));
      await talk.lines.first(41);
      const { sizes } = talk;
      assert(Math.max(...sizes) <= 16 && sizes.length < 41, `${sizes}`);
    });

    it("who does not read its answers is given no more of them than may wait, until it reads", async () => {
      let connection: WebSocketConnection | undefined;
      const large = JSON.stringify("x".repeat(100_000));
      let answered = 0;
      await using hosted = await host(variant, {
        maxCommands: 1,
        onConnect(request) {
          connection ??= request.connection;
          return { user: request.token };
        },
        onRpc(client) {
          if (client.user === "honest") return "1";
          answered++;
          return large;
        },
      });
      using client = await RawClient.open(hosted.url);
      client.write(clientFrame(1, '{"id":1,"connect":{}}'));
      await client.frame();
      const honest = await hosted.join({ token: "honest" });
      client.pause();
      const count = 200;
      const calls = Array.from({ length: count }, (_, at) => `{"id":${at + 2},"rpc":{}}`);
      client.write(clientFrame(1, calls.join("\n")));
      while (answered === 0) await honest.ask({ rpc: {} });
      for (let n = 0; n < 50; n++) await honest.ask({ rpc: {} });
      // All of them would be 20 MB, of which the system takes some.
      assert(answered < count, `${answered} answers`);
      assert(connection!.bufferedAmount < 2_000_000, `${connection!.bufferedAmount} bytes`);
      client.resume();
      for (let n = 0; n < count; n++) {
        const { payload } = (await client.frame())!;
        assertEquals(JSON.parse(payload.toString()).id, n + 2);
      }
    });

    it("who does not read its answers has no excuse for a pong that does not come: 3012", async () => {
      let connection: WebSocketConnection | undefined;
      await using hosted = await host(variant, {
        ping: 0.2,
        pong: 0.1,
        onConnect(request) {
          ({ connection } = request);
          return { user: "" };
        },
        onRpc: () => JSON.stringify("x".repeat(100_000)),
      });
      using client = await RawClient.open(hosted.url);
      client.write(clientFrame(1, '{"id":1,"connect":{}}'));
      await client.frame();
      client.pause();
      const calls = Array.from({ length: 200 }, (_, at) => `{"id":${at + 2},"rpc":{}}`);
      client.write(clientFrame(1, calls.join("\n")));
      while (connection!.isReady) await new Promise((resolve) => setTimeout(resolve, 10));
      client.resume();
      assertEquals(await client.closeCode(), 3012);
    });

    it("what comes for a client while it is being let in is kept, but not without end", async () => {
      const held = Promise.withResolvers<void>();
      class Waiting extends MemoryEngine {
        override async subscribe(topics: readonly EngineTopic[]) {
          if (topics.some(({ name }) => name === "slow")) await held.promise;
          super.subscribe(topics);
        }
      }
      await using hosted = await host(variant, {
        onConnect: ({ token }) => ({
          user: "",
          subs: token === "" ? { t: {}, slow: {} } : undefined,
        }),
      }, { engine: new Waiting() });
      const talk = await hosted.come();
      talk.send('{"id":1,"connect":{}}');
      const honest = await hosted.join({ token: "honest" });
      while (hosted.server.subscriberCount("t") < 1) {
        await honest.ask({ unsubscribe: { channel: "t" } });
      }
      for (let n = 0; n < 4097; n++) await hosted.server.publish("t", "1");
      assertEquals(await talk.end(), [3008, "slow"]);
      held.resolve();
    });

    it("who does not read what it is sent is ended once maxWaiting is over", async () => {
      let connection: WebSocketConnection | undefined;
      await using hosted = await host(variant, {
        ...OPEN,
        maxWaiting: 100_000,
        onConnect: (request) => {
          ({ connection } = request);
          return { user: "", subs: { t: {} } };
        },
      }, { ...KEEPING, topics: {} });
      using client = await RawClient.open(hosted.url);
      client.write(clientFrame(1, '{"id":1,"connect":{}}'));
      await client.frame();
      client.pause();
      const large = JSON.stringify("x".repeat(1_000_000));
      while (connection!.isReady) await hosted.server.publish("t", large);
      client.resume();
      assertEquals(await client.closeCode(), 3008);
    });
  });
}

describe("a handler of Centrifuge that never settles", () => {
  it("is given up after 4 s, with a temporary error", async () => {
    await using hosted = await host(transports[1], {
      onRpc: () => new Promise(() => {}),
    });
    const talk = await hosted.join();
    assertEquals((await talk.ask({ rpc: {} })).error, {
      code: 100,
      message: "internal server error",
      temporary: true,
    });
    assertMatch(hosted.errors[0].message, /onRpc has not settled in 4 s/);
  });
});
