import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import type { Extension, WebSocketConnection, WebSocketError } from "../../mod.ts";
import { permessageDeflate, RSV1, RSV2 } from "../../src/protocol/mod.ts";
import { clientFrame } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { openNative } from "../support/native_client.ts";
import { patiently } from "../support/patience.ts";
import { RawClient } from "../support/raw_client.ts";
import { handling, serve, transports, type Variant } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Two kinds of real clients, and what each has got. */
async function clients(url: string): Promise<readonly Journal<string | Uint8Array>[]> {
  return [(await openWs(url)).messages, (await openNative(url)).messages];
}

/** A server whose connections are told of as they come. */
async function gather(variant: Variant, options: Parameters<typeof serve>[1] = {}) {
  const connections = new Journal<WebSocketConnection>();
  const served = await serve(variant, {
    ...options,
    onConnect(server, connection) {
      options.onConnect?.(server, connection);
      connection.on({ ready: connections.add });
    },
  });
  return { served, server: served.server, url: served.url, connections };
}

/** So many texts of some size, all different. */
const texts = (count: number, size: number) =>
  Array.from({ length: count }, (_, i) => `${i} `.padEnd(size, "x"));

for (const variant of transports) {
  describe(`a message for many connections, over ${variant.name}`, () => {
    it("keeps its place among messages that one connection is sent, in one turn", async () => {
      const { served, server, url, connections } = await gather(variant);
      await using _ = served;
      const [one, other] = await clients(url);
      const [first, second] = await connections.first(2);
      const expected: string[] = [];
      for (let i = 0; i < 50; i++) {
        server.broadcast(`all ${i}`);
        first.sendUtf8(`own ${i}`);
        if (i % 3 === 0) second.sendUtf8(`own ${i}`);
        server.broadcast(`all again ${i}`);
        expected.push(`all ${i}`, `own ${i}`, `all again ${i}`);
      }
      assertEquals(await one.first(150), expected);
      const fewer = expected.filter((it) => !it.startsWith("own") || Number(it.slice(4)) % 3 === 0);
      assertEquals(await other.first(117), fewer);
    });

    it("keeps its place within handlers of any connection, large or small", async () => {
      const { served, url, connections } = await gather(variant, {
        onConnect(server, connection) {
          connection.on({
            utf8(connection, data) {
              server.broadcast(`${data} small`);
              server.broadcast(data.padEnd(100 * KIB, "-"));
              connection.sendUtf8(`${data} own`);
              server.broadcast(`${data} last`);
            },
          });
        },
      });
      await using _ = served;
      const [speaker, listener] = [await openWs(url), await openWs(url)];
      await connections.first(2);
      for (let i = 0; i < 10; i++) speaker.socket.send(`${i}`);
      const course = ["small", "large", "own", "last"];
      const seen = (entry: string | Uint8Array) => {
        const text = String(entry);
        return `${text[0]} ${text.length > KIB ? "large" : text.slice(2)}`;
      };
      const expected = texts(10, 1).flatMap((i) => course.map((what) => `${i[0]} ${what}`));
      assertEquals((await speaker.messages.first(40)).map(seen), expected);
      assertEquals(
        (await listener.messages.first(30)).map(seen),
        expected.filter((it) => !it.endsWith("own")),
      );
    });

    it("has text and binary arrive as they are, from nothing to megabytes", async () => {
      const { served, server, url, connections } = await gather(variant);
      await using _ = served;
      const all = await clients(url);
      await connections.first(2);
      const messages = ["", "é🥊", new Uint8Array(), Uint8Array.of(0, 255), "x".repeat(MIB)];
      messages.push(new Uint8Array(2 * MIB).map((_, i) => i));
      for (const message of messages) server.broadcast(message);
      for (const journal of all) assertEquals(await journal.first(messages.length), messages);
    });

    it("goes out before a Close of the same turn, and nothing goes behind that", async () => {
      const { served, server, url, connections } = await gather(variant);
      await using _ = served;
      const client = await openWs(url);
      const connection = await connections.next();
      server.broadcast("first");
      server.broadcast("last");
      connection.disconnect(4001, "enough");
      assertEquals(server.broadcast("too late"), 0);
      assertEquals(await client.end(), { code: 4001, reason: "enough" });
      assertEquals(client.messages.entries, ["first", "last"]);
    });

    it("does not mind connections that go in the same turn", async () => {
      const { served, server, url, connections } = await gather(variant);
      await using _ = served;
      const [gone, stays] = [await openWs(url), await openWs(url)];
      const [first] = await connections.first(2);
      server.broadcast("before");
      server.broadcast("before too");
      first.terminate();
      server.broadcast("after");
      await gone.end();
      assertEquals(await stays.messages.first(3), ["before", "before too", "after"]);
      assertEquals(served.errors, []);
    });

    it("goes to those it is for, the speaker left out", async () => {
      const { served, server, url, connections } = await gather(variant, {
        onConnect(server, connection) {
          connection.on({
            utf8: (speaker, data) =>
              void server.broadcast(data, server.connections.filter((it) => it !== speaker)),
          });
        },
      });
      await using _ = served;
      const [speaker, listener] = [await openWs(url), await openWs(url)];
      await connections.first(2);
      for (const text of texts(20, 10)) speaker.socket.send(text);
      assertEquals(await listener.messages.first(20), texts(20, 10));
      server.broadcast("end");
      assertEquals(await speaker.messages.next(), "end");
    });

    if (variant.engine !== "Deno.serve") {
      it("counts in bufferedAmount at once; drain comes when it is gone", async () => {
        const drains = new Journal<number>();
        const { served, server, url, connections } = await gather(variant, {
          ...handling({ drain: ({ bufferedAmount }) => drains.add(bufferedAmount) }),
          highWaterMark: 10 * KIB,
        });
        await using _ = served;
        const client = await openWs(url);
        const connection = await connections.next();
        connection.on({ drain: ({ bufferedAmount }) => drains.add(bufferedAmount) });
        for (const text of texts(20, KIB)) server.broadcast(text);
        assert(connection.bufferedAmount >= 20 * KIB, `${connection.bufferedAmount} bytes`);
        await patiently(connection.drained(), "drained()");
        assertEquals(connection.bufferedAmount, 0);
        assertEquals(await drains.next(), 0);
        assertEquals(await client.messages.first(20), texts(20, KIB));
        assertEquals(drains.entries.length, 1);
      });
    }

    it("is held for a peer that does not read up to maxBufferedAmount, which harms nobody else", async () => {
      const ends = new Journal<number>();
      const { served, server, url, connections } = await gather(variant, {
        highWaterMark: 256 * KIB,
        maxBufferedAmount: 2 * MIB,
      });
      await using _ = served;
      using slow = await RawClient.open(url);
      const connection = await connections.next();
      connection.on({ disconnect: (_, code) => ends.add(code) });
      slow.socket.pause();
      const quick = await openWs(url);
      const other = await connections.next();
      let sent = 0;
      let most = 0;
      // In one turn at first, then in many.
      while (connection.isReady) {
        assert(sent < 64 * KIB, "it is never given up");
        for (let i = 0; i < 16 && connection.isReady; i++, sent++) {
          server.broadcast("y".repeat(4 * KIB));
          most = Math.max(most, connection.bufferedAmount);
        }
        await other.drained();
        await quick.messages.first(sent);
      }
      assertEquals(await ends.next(), 1006);
      assert(most <= 2 * MIB + 128 * KIB, `${most} bytes waited`);
      assertEquals(served.errors.map((it) => (it as WebSocketError).code), ["ERR_TOO_SLOW"]);
      server.broadcast("go on");
      assertEquals((await quick.messages.first(sent + 1)).at(-1), "go on");
    });

    it("is published to a topic in order with what its subscribers are sent", async () => {
      const { served, server, url, connections } = await gather(variant, {
        onConnect(_server, connection) {
          connection.on({
            utf8(connection, data) {
              connection.publish("room", data);
              connection.sendUtf8(`${data} is said`);
            },
          });
        },
      });
      await using _ = served;
      const [speaker, listener] = [await openWs(url), await openWs(url)];
      const [first, second] = await connections.first(2);
      await Promise.all([first.subscribe("room"), second.subscribe("room")]);
      for (let i = 0; i < 20; i++) speaker.socket.send(`${i}`);
      const numbers = Array.from({ length: 20 }, (_, i) => `${i}`);
      assertEquals(await speaker.messages.first(20), numbers.map((it) => `${it} is said`));
      assertEquals(await listener.messages.first(20), numbers);
      void server.publish("room", "before");
      second.unsubscribe("room");
      void server.publish("room", "after");
      server.broadcast("end");
      assertEquals((await listener.messages.first(22)).slice(20), ["before", "end"]);
      assertEquals((await speaker.messages.first(23)).slice(20), ["before", "after", "end"]);
    });
  });
}

const OFFERS = ["permessage-deflate", "permessage-deflate; server_max_window_bits=10"];

for (const variant of transports.filter(({ name }) => name !== "deno_http")) {
  for (const contextTakeover of [false, true]) {
    describe(`a compressed message for many, over ${variant.name}, takeover ${contextTakeover}`, () => {
      it("is restored by real clients among messages of their own", async () => {
        const extensions = [permessageDeflate({ contextTakeover })];
        const { served, server, url, connections } = await gather(variant, {
          extensions,
          compressionThreshold: 64,
        });
        await using _ = served;
        const all = [
          await openWs(url),
          await openWs(url, {
            perMessageDeflate: { serverNoContextTakeover: true, serverMaxWindowBits: 10 },
          }),
          await openWs(url, { perMessageDeflate: false }),
          await openNative(url),
        ];
        await connections.first(4);
        const expected: (string | Uint8Array)[][] = all.map(() => []);
        for (let i = 0; i < 60; i++) {
          const data = JSON.stringify({
            id: i,
            name: "duet",
            tags: ["a", "b", "c"],
            more: "of it",
          });
          const message = i % 7 === 0
            ? new TextEncoder().encode(data.repeat(1 + (i % 5) * 200))
            : data.repeat(1 + i % 5);
          connections.entries.forEach((connection, n) => {
            if ((i + n) % 3 === 0) {
              const own = `${n} is told by itself, ${i}: `.repeat(3 + i % 4);
              connection.sendUtf8(own);
              expected[n].push(own);
            }
          });
          server.broadcast(message);
          for (const own of expected) own.push(message);
        }
        for (let n = 0; n < all.length; n++) {
          assertEquals(await all[n].messages.first(expected[n].length), expected[n]);
        }
      });

      if (variant.engine === "tcp") {
        it("is the same bytes for all that agreed on the same, whatever they were sent before", async () => {
          const { served, server, url, connections } = await gather(variant, {
            extensions: [permessageDeflate({ contextTakeover })],
            compressionThreshold: 64,
          });
          await using _ = served;
          const open = (offer: string) =>
            RawClient.open(url, { "Sec-WebSocket-Extensions": offer });
          using one = await open(OFFERS[0]);
          using other = await open(OFFERS[0]);
          using narrow = await open(OFFERS[1]);
          using plain = await RawClient.open(url);
          const [first] = await connections.first(4);
          const text = "the same again and again, ".repeat(20);
          first.sendUtf8(text);
          assertEquals((await one.frame())?.rsv, RSV1);
          server.broadcast(text);
          const [a, b, c, d] = await Promise.all(
            [one, other, narrow, plain].map((it) => it.frame()),
          );
          assertEquals([a!.rsv, b!.rsv, c!.rsv, d!.rsv], [RSV1, RSV1, RSV1, 0]);
          assertEquals(a!.payload, b!.payload);
          assertEquals(d!.payload.toString(), text);
          server.broadcast("short");
          assertEquals((await other.frame())?.payload.toString(), "short");
        });
      }
    });
  }

  if (variant.engine !== "tcp") continue;

  it(`an extension of one's own is called for each connection, over ${variant.name}`, async () => {
    let sessions = 0;
    const numbering: Extension = {
      name: "x-number",
      negotiate() {
        const number = ++sessions;
        return {
          rsv: RSV2,
          parameters: [],
          decode: (payload) => payload,
          encode: (payload) => Uint8Array.of(number, ...payload),
        };
      },
    };
    const { served, server, url, connections } = await gather(variant, {
      extensions: [numbering, "permessage-deflate"],
      compressionThreshold: 4,
    });
    await using _ = served;
    const open = () => RawClient.open(url, { "Sec-WebSocket-Extensions": "x-number" });
    using one = await open();
    using other = await open();
    await connections.first(2);
    server.broadcast("hello");
    server.broadcast("no");
    const bytes = [...new TextEncoder().encode("hello")];
    assertEquals([...(await one.frame())!.payload], [1, ...bytes]);
    assertEquals([...(await other.frame())!.payload], [2, ...bytes]);
    assertEquals((await one.frame())?.payload.toString(), "no");
    one.write(clientFrame(8, Uint8Array.of(3, 232)));
    assertEquals(await one.closeCode(), 1000);
  });
}
