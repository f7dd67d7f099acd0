import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { WebSocketServer } from "../../mod.ts";
import { Centrifuge, CentrifugeError } from "../../src/centrifuge/mod.ts";
import { inTime, patiently } from "../support/patience.ts";
import { transports } from "../support/transports.ts";
import { host, OPEN, PATH, Talk } from "./talk.ts";

const CONNECT = '{"id":1,"connect":{}}';
const seconds = () => Date.now() / 1000;

/** Messages that break the protocol, sent one after the other. */
const BROKEN: Readonly<Record<string, readonly (string | Uint8Array<ArrayBuffer>)[]>> = {
  "a command before connect": ['{"id":1,"rpc":{}}'],
  "a message that wants no answer, before connect": ['{"send":{"data":1}}'],
  "a second connect": [CONNECT, CONNECT],
  "an empty message": [""],
  "a blank line": [`${CONNECT}\n\n`],
  "a pong that nobody asked for": [CONNECT, "{}"],
  "the ping command": [CONNECT, '{"id":2,"ping":{}}'],
  "a command that there is not": [CONNECT, '{"id":2,"dance":{}}'],
  "a command without an id": [CONNECT, '{"rpc":{}}'],
  "no JSON": ["connect"],
  "JSON that is cut off": ['{"id":1,"connect":{}'],
  "an array": ["[]"],
  "a number for a channel": [CONNECT, '{"id":2,"subscribe":{"channel":1}}'],
  "a negative id": ['{"id":-1,"connect":{}}'],
  "a fraction for an offset": [CONNECT, '{"id":2,"subscribe":{"channel":"t","offset":0.5}}'],
  "a text for an object": [CONNECT, '{"id":2,"subscribe":"t"}'],
  "bytes": [new Uint8Array([1, 2, 3])],
};

for (const variant of transports) {
  describe(`Centrifuge rules over ${variant.name}`, () => {
    for (const [what, messages] of Object.entries(BROKEN)) {
      it(`${what} ends the connection with 3501`, async () => {
        await using hosted = await host(variant);
        const talk = await hosted.come();
        for (const message of messages) talk.send(message);
        assertEquals(await talk.end(), [3501, "bad request"]);
        assertEquals(hosted.errors, []);
      });
    }

    it("a line break at the end of a message is allowed", async () => {
      await using hosted = await host(variant);
      const talk = await hosted.come();
      talk.send(`${CONNECT}\n`);
      assertEquals((await talk.next()).id, 1);
    });

    it("who does not connect in time is ended with 3502", async () => {
      await using hosted = await host(variant, { connectTimeout: 0.1 });
      assertEquals(await (await hosted.come()).end(), [3502, "stale"]);
    });

    it("pings come from the second half of the interval on; who answers stays", async () => {
      await using hosted = await host(variant, { ping: 0.2, pong: 0.1 });
      const talk = await hosted.come();
      const start = performance.now();
      talk.send(CONNECT);
      await talk.next();
      for (let pings = 0; pings < 4; pings++) {
        assertEquals(await talk.lines.next(), "{}");
        if (pings === 0) assert(performance.now() - start >= 100);
        talk.send("{}");
      }
      talk.send('{"id":2,"subscribe":{"channel":"t"}}');
      while ((await talk.next()).id !== 2);
    });

    it("who does not answer a ping is ended with 3012, whatever else it sends", async () => {
      await using hosted = await host(variant, { ping: 0.2, pong: 0.1, onMessage: () => {} });
      const talk = await hosted.join();
      assertEquals(await talk.lines.next(), "{}");
      talk.send('{"send":{"data":1}}');
      assertEquals(await talk.end(), [3012, "no pong"]);
    });

    it("a handler that is busy with the client's own commands makes no pong late", async () => {
      const busy = Promise.withResolvers<void>();
      await using hosted = await host(variant, {
        ping: 0.2,
        pong: 0.1,
        maxCommands: 1,
        onRpc: () => busy.promise,
      });
      const talk = await hosted.join();
      // The second one is not read while the first is at work, and the pong is behind it.
      talk.send('{"id":2,"rpc":{}}\n{"id":3,"rpc":{}}');
      assertEquals(await talk.lines.next(), "{}");
      talk.send("{}");
      setTimeout(busy.resolve, 400);
      let id: number | undefined;
      do id = (await talk.next()).id; while (id !== 3);
    });

    it("onConnect may end a connection, ask for a new token, and let it try again", async () => {
      await using hosted = await host(variant, {
        onConnect({ token }) {
          if (token === "old") throw new CentrifugeError(109, "token expired");
          if (token === "bad") throw new CentrifugeError(3500, "invalid token");
          return { user: token };
        },
      });
      const talk = await hosted.come();
      assertEquals((await talk.ask({ connect: { token: "old" } })).error.code, 109);
      assert("client" in (await talk.ask({ connect: { token: "ada" } })).connect);
      const other = await hosted.come();
      other.send('{"id":1,"connect":{"token":"bad"}}');
      assertEquals(await other.end(), [3500, "invalid token"]);
    });

    it("a connection that expires ends with 3005 unless it can be refreshed", async () => {
      await using hosted = await host(variant, {
        ...OPEN,
        ping: 1,
        pong: 0.5,
        onConnect: () => ({ user: "ada", expires: seconds() + 0.3 }),
      });
      const talk = await hosted.come();
      const { connect } = await talk.ask({ connect: {} });
      assertEquals([connect.expires, connect.ttl], [undefined, undefined]);
      assertEquals(await talk.end(), [3005, "connection expired"]);
    });

    it("a token is refreshed, that of the connection and that of a subscription", async () => {
      const told: unknown[] = [];
      await using hosted = await host(variant, {
        onConnect: () => ({ user: "ada", expires: seconds() + 60 }),
        onSubscribe: () => ({ expires: seconds() + 60 }),
        onRefresh(_client, { token, topic }) {
          told.push([token, topic]);
          if (token === "bad") throw new CentrifugeError(3500, "invalid token");
          return token === "for ever" ? undefined : seconds() + 120;
        },
      });
      const talk = await hosted.come();
      const { connect } = await talk.ask({ connect: {} });
      assertEquals([connect.expires, connect.ttl], [true, 60]);
      const { subscribe } = await talk.ask({ subscribe: { channel: "t" } });
      assertEquals([subscribe.expires, subscribe.ttl], [true, 60]);
      const { refresh } = await talk.ask({ refresh: { token: "new" } });
      assertEquals(refresh, { client: connect.client, version: "duet", expires: true, ttl: 120 });
      const { sub_refresh } = await talk.ask({ sub_refresh: { channel: "t", token: "for ever" } });
      assertEquals(sub_refresh, {});
      assertEquals(told, [["new", undefined], ["for ever", "t"]]);
      talk.send('{"id":9,"refresh":{"token":"bad"}}');
      assertEquals(await talk.end(), [3500, "invalid token"]);
    });

    it("a subscription that expires is ended with 2501, and the connection stays", async () => {
      await using hosted = await host(variant, {
        ping: 1,
        pong: 0.5,
        onSubscribe: () => ({ expires: seconds() + 0.3 }),
      });
      const talk = await hosted.join();
      await talk.ask({ subscribe: { channel: "t" } });
      const { push } = await talk.next();
      assertEquals(push, {
        channel: "t",
        unsubscribe: { code: 2501, reason: "subscription expired" },
      });
      assertEquals(hosted.server.subscriberCount("t"), 0);
    });

    it("who can refresh has 25 s more to do so", () =>
      inTime(1, async (seconds) => {
        const { now } = Date;
        await using hosted = await host(variant, {
          onConnect: () => ({ user: "ada", expires: now() / 1000 + 60 }),
          onRefresh: () => undefined,
          onRpc: () => "1",
          ping: seconds,
          pong: seconds / 2,
        });
        const talk = await hosted.join();
        try {
          Date.now = () => now() + 84_000;
          const next = async () => {
            const line = await Promise.race([talk.next(), talk.end()]);
            assert(!Array.isArray(line), `it has ended: ${line}`);
            return line;
          };
          while ((await next()).push !== undefined);
          talk.send('{}\n{"id":9,"rpc":{}}');
          assertEquals((await next()).id, 9);
          Date.now = () => now() + 86_000;
          assertEquals(await talk.end(), [3005, "connection expired"]);
        } finally {
          Date.now = now;
        }
      }));

    it("a message over maxRecvSize ends the connection with 1009; one of a megabyte does not", async () => {
      await using hosted = await host(variant, { onRpc: () => "1" }, { maxRecvSize: 2_000_000 });
      const talk = await hosted.join();
      const rpc = (size: number) => ({ rpc: { data: "x".repeat(size) } });
      assertEquals(await talk.ask(rpc(1_000_000)), { rpc: { data: 1 } });
      talk.send(JSON.stringify(rpc(2_000_000)));
      assertEquals((await talk.end())[0], 1009);
    });

    it("onDisconnect is told of those who were let in, once", async () => {
      const left = Promise.withResolvers<unknown[]>();
      await using hosted = await host(variant, {
        onDisconnect: (client, code, reason) => left.resolve([client.user, code, reason]),
      });
      (await hosted.come()).close();
      const ada = await hosted.join({ token: "ada" });
      ada.close();
      assertEquals((await patiently(left.promise, "onDisconnect") as unknown[])[0], "ada");
    });

    it("the path is served beside the routes of the server, and beside its plain connections", async () => {
      await using hosted = await host(variant);
      hosted.server.route("/echo", {
        utf8: (connection, text) => void connection.send(`echo ${text}`),
      });
      const talk = await hosted.join();
      assertEquals((await talk.ask({ rpc: {} })).error.code, 108);
      const plain = await Talk.open(hosted.url.replace(PATH, "/echo"));
      plain.send("1");
      assertEquals(await plain.lines.next(), "echo 1");
    });

    it("the subprotocol or a parameter of the URL says protobuf", async () => {
      await using hosted = await host(variant);
      const talk = await Talk.open(hosted.url, "centrifuge-protobuf");
      assertEquals(talk.subprotocol, "centrifuge-protobuf");
      // connect {}, id 1, behind its length.
      const connect = new Uint8Array([4, 8, 1, 34, 0]);
      talk.send(connect);
      const other = await Talk.open(`${hosted.url}?cf_protocol=protobuf`);
      other.send(connect);
      for (const it of [talk, other]) {
        assertEquals((await it.messages.next()).slice(1, 3), new Uint8Array([8, 1]));
      }
      assertEquals((await Talk.open(hosted.url, "centrifuge-json")).subprotocol, "centrifuge-json");
      talk.send("{}");
      assertEquals(await talk.end(), [3501, "bad request"]);
    });
  });
}

describe("the options of Centrifuge", () => {
  it("are checked", () => {
    const server = new WebSocketServer();
    // deno-lint-ignore no-explicit-any -- these are the invalid ones
    const make = (options: any) => () => new Centrifuge(server, options);
    assertThrows(make({}), Error, "onConnect");
    assertThrows(make({ ...OPEN, onRpc: 1 }), Error, "Cannot use onRpc 1: it takes a function");
    assertThrows(make({ ...OPEN, onRcp: () => {} }), Error, "onRcp");
    assertThrows(make({ ...OPEN, path: "ws" }), Error, "path");
    assertThrows(make({ ...OPEN, ping: 5, pong: 5 }), Error, "pong");
    assertThrows(make({ ...OPEN, maxTopics: 0 }), Error, "maxTopics");
    make(OPEN)();
    assertThrows(make(OPEN), Error, PATH);
  });

  it("a code or a reason that clients would not understand is refused", () => {
    assertThrows(() => new CentrifugeError(99, "x"), Error, "code");
    assertThrows(() => new CentrifugeError(2500, "x"), Error, "code");
    assertThrows(() => new CentrifugeError(3500, "true"), Error, "reason");
    assertThrows(() => new CentrifugeError(3500, "x".repeat(124)), Error, "reason");
    const centrifuge = new Centrifuge(new WebSocketServer(), OPEN);
    assertThrows(() => centrifuge.disconnect("ada", 2000), Error, "code");
    assertThrows(() => centrifuge.disconnect("ada", 3503, "1"), Error, "reason");
    assertThrows(() => centrifuge.unsubscribe("ada", "t", -1), Error, "code");
    assertThrows(() => centrifuge.unsubscribe("ada", "t", 3000), Error, "code");
    assertThrows(() => centrifuge.unsubscribe("ada", "t", 2500, "\ud800"), Error, "reason");
    assertThrows(() => centrifuge.unsubscribe("ada", ""), Error, "topic");
    assertThrows(() => centrifuge.refresh("ada", NaN), Error, "expires");
  });
});
