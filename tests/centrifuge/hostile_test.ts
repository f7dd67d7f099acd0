import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { WebSocketConnection } from "../../mod.ts";
import { clientFrame } from "../support/client_frame.ts";
import { RawClient } from "../support/raw_client.ts";
import { transports } from "../support/transports.ts";
import { host, KEEPING, OPEN } from "./talk.ts";

const DEPTH = 200_000;

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
