import { describe, it } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, permessageDeflate, WebSocketConnection } from "../../client/mod.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { cert, echo, handling, serve, transports, variants } from "../support/transports.ts";

const tls = { ca: cert };
const quiet = { debug: 0, tls } as const;

/** The end of a connection, as its handler hears of it. */
function endOf(connection: WebSocketConnection): Promise<[code: number, reason: string]> {
  const end = new Promise<[number, string]>((resolve) => {
    connection.on({ disconnect: (_connection, code, reason) => resolve([code, reason]) });
  });
  return patiently(end, "the end of a client's connection");
}

for (const variant of variants) {
  describe(`connect() to ${variant.name}`, () => {
    it("gives a connection that sends and receives messages of any kind and length", async () => {
      await using served = await serve(variant, echo);
      const connection = await connect(served.url, quiet);
      assert(connection instanceof WebSocketConnection);
      assert(connection.isReady);
      for (const size of [0, 1, 125, 126, 5000, 65_535, 65_536, 300_000]) {
        const text = "ä".repeat(size);
        connection.send(text);
        assertEquals(await connection.recv(), text);
        const data = new Uint8Array(size).map((_, i) => i * 7);
        connection.send(data);
        assertEquals(new Uint8Array(await connection.recv() as Uint8Array), data);
      }
      connection.terminate();
    });

    it("tells handlers, which may be set in the options or right afterwards", async () => {
      await using served = await serve(
        variant,
        handling({
          ready: (connection) => void connection.send("welcome"),
          utf8: (connection, data) => void connection.send(new TextEncoder().encode(data)),
        }),
      );
      const told = new Journal<unknown>();
      const first = await connect(served.url, {
        ...quiet,
        handlers: {
          ready: () => told.add("ready"),
          utf8: (connection, data) => {
            told.add(data);
            connection.send("thanks");
          },
          binary: (_connection, data) => told.add(data.length),
        },
      });
      assertEquals(await told.first(3), ["ready", "welcome", 6]);
      first.terminate();

      const later = await connect(served.url, quiet);
      // Long enough for the message to be there before the handler is.
      await new Promise((resolve) => setTimeout(resolve, 50));
      const messages = new Journal<unknown>();
      later.on({ message: (_connection, data) => messages.add(data) });
      assertEquals(await messages.next(), "welcome");
      later.terminate();
    });

    it("closes with a code and a reason, from either side", async () => {
      const ends = new Journal<[number, string]>();
      await using served = await serve(
        variant,
        handling({
          utf8: (connection) => connection.disconnect(4001, "enough"),
          disconnect: (_connection, code, reason) => ends.add([code, reason]),
        }),
      );
      const ours = await connect(served.url, quiet);
      const closed = endOf(ours);
      ours.disconnect(4000, "bye");
      assertEquals(await ends.next(), [4000, "bye"]);
      assertEquals((await closed)[0], 4000);
      assert(ours.disconnected);
      assertEquals(await ours.recv(), null);

      const theirs = await connect(served.url, quiet);
      const told = endOf(theirs);
      theirs.send("x");
      assertEquals(await told, [4001, "enough"]);
      assertEquals((await ends.next())[0], 4001);
    });

    it("asks for what the options say, and shows the handshake", async () => {
      const asked = new Journal<Record<string, unknown>>();
      await using served = await serve(variant, {
        subprotocol: ["chat"],
        ...handling({
          handshake(_connection, { request, response }) {
            asked.add({
              path: request.uri.pathname + request.uri.search,
              cookies: [...request.cookies],
              origin: request.origin,
              authorization: request.headers.get("authorization"),
              subprotocols: request.subprotocols,
            });
            response.headers.set("X-Served-By", "tests");
          },
        }),
      });
      const connection = await connect(
        served.url.replace("://", "://Aladdin:open%20sesame@") + "/a%20b?c=d",
        {
          ...quiet,
          subprotocols: ["other", "chat"],
          headers: { cookie: "a=b", origin: "https://example.com" },
        },
      );
      assertEquals(await asked.next(), {
        path: "/a%20b?c=d",
        cookies: [["a", "b"]],
        origin: "https://example.com",
        authorization: "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        subprotocols: ["other", "chat"],
      });
      assertEquals(connection.subprotocol, "chat");
      assertEquals(connection.handshake!.response.headers.get("x-served-by"), "tests");
      assertEquals(connection.handshake!.request.uri.pathname, "/a%20b");
      assertEquals(connection.version, 13);
      assertEquals(connection.ip, "127.0.0.1");
      assertEquals(connection.port, served.server.port);
      assertEquals(connection.server, undefined);
      connection.terminate();
    });

    it("makes connections of a class of the user's own", async () => {
      class Caller extends WebSocketConnection {
        calls = 0;
      }
      await using served = await serve(variant, echo);
      const caller = await connect<Caller>(served.url, {
        ...quiet,
        connectionClass: Caller,
        handlers: { ready: (connection) => void connection.calls++ },
      });
      assertEquals(caller.calls, 1);
      caller.terminate();
    });

    it("ends when the server goes", async () => {
      await using served = await serve(variant, echo);
      const connection = await connect(served.url, quiet);
      const end = endOf(connection);
      await served.server.shutdown();
      assertEquals((await end)[0], 1001);
    });
  });
}

for (const variant of transports) {
  describe(`a client's connection to ${variant.name}`, () => {
    it("is compressed with permessage-deflate where the server can (RFC 7692)", async () => {
      const { compression } = { compression: variant.name !== "deno_http" };
      await using served = await serve(variant, {
        extensions: compression ? "permessage-deflate" : [],
        ...echo,
      });
      for (const contextTakeover of [false, true]) {
        const connection = await connect(served.url, {
          ...quiet,
          extensions: permessageDeflate({ contextTakeover }),
          compressionThreshold: 0,
        });
        assertEquals(connection.extensions, compression ? ["permessage-deflate"] : []);
        for (let i = 0; i < 5; i++) {
          const text = `again and again ${i} `.repeat(500 * i);
          connection.send(text);
          assertEquals(await connection.recv(), text);
        }
        connection.terminate();
      }
    });

    it("refuses a message over maxRecvSize with 1009, and to send one over maxSendSize", async () => {
      const ends = new Journal<number>();
      await using served = await serve(variant, {
        ...handling({
          ready: (connection) => void connection.send("a".repeat(2000)),
          disconnect: (_connection, code) => ends.add(code),
        }),
      });
      const errors: Error[] = [];
      const connection = await connect(served.url, {
        ...quiet,
        maxRecvSize: 1000,
        maxSendSize: 10,
        handlers: { error: (_connection, error) => void errors.push(error) },
      });
      assertEquals(await connection.recv(), null);
      assertEquals(await ends.next(), 1009);
      assertEquals(errors.map((it) => (it as { code?: string }).code), ["ERR_PROTOCOL"]);
      const other = await connect(served.url, { ...quiet, maxSendSize: 10 });
      let thrown: unknown;
      try {
        other.send("a".repeat(11));
      } catch (error) {
        thrown = error;
      }
      assert(thrown instanceof RangeError);
      other.terminate();
    });

    it("waits for drain once more than highWaterMark waits", async () => {
      await using served = await serve(variant, { ...echo, maxRecvSize: 1 << 26 });
      const drains = new Journal<string>();
      const connection = await connect(served.url, {
        ...quiet,
        highWaterMark: 1000,
        maxRecvSize: 1 << 26,
        handlers: { drain: () => drains.add("drain") },
      });
      const large = new Uint8Array(1 << 24);
      assertEquals(connection.send(large), false);
      assert(connection.bufferedAmount > 1000);
      await connection.drained();
      assertEquals(await drains.next(), "drain");
      assertEquals((await connection.recv() as Uint8Array).length, large.length);
      connection.terminate();
    });

    it("holds what its handler is too slow for, and tells of all of it in order", async () => {
      const count = 200;
      await using served = await serve(
        variant,
        handling({
          ready(connection) {
            for (let i = 0; i < count; i++) connection.send(`${i} ${"x".repeat(10_000)}`);
          },
        }),
      );
      const numbers = new Journal<number>();
      const connection = await connect(served.url, {
        ...quiet,
        highWaterMark: 20_000,
        handlers: {
          async utf8(_connection, data) {
            await new Promise((resolve) => setTimeout(resolve, 0));
            numbers.add(Number(data.split(" ")[0]));
          },
        },
      });
      assertEquals(await numbers.first(count), Array.from({ length: count }, (_, i) => i));
      connection.terminate();
    });

    it("answers pings, and finds a silent server out", async () => {
      await using served = await serve(variant, { ...echo, silenceMax: 0 });
      const connection = await connect(served.url, { ...quiet, silenceMax: 0.4 });
      const pongs = new Journal<string>();
      connection.on({
        pong: (_connection, payload) => pongs.add(new TextDecoder().decode(payload)),
      });
      connection.ping("here?");
      while (await pongs.next() !== "here?");
      // The server's pongs to our probes keep the connection open.
      await new Promise((resolve) => setTimeout(resolve, 1500));
      assert(connection.isReady);
      connection.terminate();
    });

    it("can be one of many to which a message is broadcast", async () => {
      await using served = await serve(variant, echo);
      const connections = await Promise.all([1, 2, 3].map(() => connect(served.url, quiet)));
      assertEquals(served.server.broadcast("to all", connections), 3);
      for (const it of connections) {
        assertEquals(await it.recv(), "to all");
        it.terminate();
      }
    });
  });
}

describe("connect() over a Unix socket", () => {
  it("connects to its path", async () => {
    const { createServer } = await import("node:net");
    const { mkdtempSync } = await import("node:fs");
    const { tmpdir } = await import("node:os");
    const { join } = await import("node:path");
    const path = join(mkdtempSync(join(tmpdir(), "duet-")), "s");
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(path, resolve));
    const [tcp] = transports.filter((it) => it.transport === "tcp");
    await using served = await serve(tcp, { hostname: undefined, listen: listener, ...echo });
    assert(served.server.capabilities.socket);
    const connection = await connect("ws://localhost/x", { ...quiet, unix: path });
    connection.send("over a path");
    assertEquals(await connection.recv(), "over a path");
    connection.terminate();
    const error = await assertRejects(() =>
      connect("ws://localhost/", { ...quiet, unix: `${path}2` })
    );
    assertEquals((error as { code?: string }).code, "ERR_CONNECT");
  });
});
