import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { describe, it } from "node:test";
import { WebSocketConnection, WebSocketError, type WebSocketServerOptions } from "../../mod.ts";
import { clientFrame, closeBytes, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { handling, serve, transports, type Variant } from "../support/transports.ts";
import { errorOf } from "../support/unsupported.ts";

type Message = string | Uint8Array;

/** Serves with a handler for `ready` that reads by itself; what it fails with is the test's failure. */
async function reading(
  variant: Variant,
  read: (connection: WebSocketConnection) => Promise<void>,
  options: WebSocketServerOptions = {},
) {
  const done = Promise.withResolvers<void>();
  const served = await serve(variant, {
    ...handling({ ready: (connection) => void read(connection).then(done.resolve, done.reject) }),
    ...options,
  });
  return { ...served, done: () => patiently(done.promise, "the end of reading") };
}

for (const variant of transports) {
  const { name, engine } = variant;

  describe(`recv over ${name}`, () => {
    it("pulls texts and bytes in order, and null when the connection has ended", async () => {
      const seen: (Message | null)[] = [];
      await using served = await reading(variant, async (connection) => {
        for (let i = 0; i < 5; i++) seen.push(await connection.recv());
        assertEquals(connection.disconnected, true);
      });
      using client = await RawClient.open(served.url);
      const bytes = Uint8Array.of(1, 2, 3);
      client.write(concat(clientFrame(1, "a"), clientFrame(2, bytes), clientFrame(1, "")));
      client.write(clientFrame(8, closeBytes(1000)));
      await served.done();
      assertEquals(seen, ["a", bytes, "", null, null]);
    });

    it("calls that wait at once are answered in turn", async () => {
      const seen: (Message | null)[] = [];
      await using served = await reading(variant, async (connection) => {
        seen.push(...await Promise.all([connection.recv(), connection.recv(), connection.recv()]));
      });
      using client = await RawClient.open(served.url);
      client.write(concat(clientFrame(1, "a"), clientFrame(1, "b"), clientFrame(8)));
      await served.done();
      assertEquals(seen, ["a", "b", null]);
    });

    it("is null when this side ends the connection, too", async () => {
      for (const end of ["disconnect", "terminate"] as const) {
        await using served = await reading(variant, async (connection) => {
          const next = connection.recv();
          connection[end]();
          assertEquals(await next, null);
        });
        using client = await RawClient.connect(served.url);
        client.write(concat(upgradeRequest(), clientFrame(8)));
        await served.done();
      }
    });

    it("for await: goes through the messages until the end; after break, recv goes on", async () => {
      const seen: Message[] = [];
      await using served = await reading(variant, async (connection) => {
        for await (const message of connection) {
          seen.push(message);
          connection.send(message);
          if (message === "enough") break;
        }
        assertEquals(connection.isReady, true);
        seen.push(`recv ${await connection.recv()}`);
        for await (const message of connection) seen.push(`again ${message}`);
      });
      using client = await RawClient.open(served.url);
      const texts = ["a", "enough", "b", "c", "d"];
      client.write(concat(...texts.map((it) => clientFrame(1, it)), clientFrame(8)));
      assertEquals((await client.frame())?.payload.toString(), "a");
      await served.done();
      assertEquals(seen, ["a", "enough", "recv b", "again c", "again d"]);
    });

    it("on a connection with handlers for messages throws, and so do such handlers after it", async () => {
      const errors = new Journal<WebSocketError>();
      await using served = await serve(variant, {
        onConnect(server, connection) {
          const withHandler = ["utf8", "binary", "message"][[...server.connections].length];
          if (withHandler === undefined) return;
          connection.on({
            [withHandler]: () => {},
            ready: (connection) => errors.add(errorOf(() => void connection.recv())),
          });
        },
      });
      const clients = new DisposableStack();
      for (const event of ["utf8", "binary", "message"]) {
        clients.use(await RawClient.open(served.url));
        const { code, message } = await errors.next();
        assertEquals(code, "ERR_STATE");
        assertMatch(message, new RegExp(`recv\\(\\).*handler for "${event}".*one or the other`));
      }
      clients.dispose();

      await using pulled = await reading(variant, async (connection) => {
        void connection.recv();
        for (const event of ["utf8", "binary", "message"]) {
          const { code, message } = errorOf(() => connection.on({ [event]: () => {} }));
          assertEquals(code, "ERR_STATE");
          assertMatch(message, new RegExp(`"${event}".*recv\\(\\).*one or the other`));
        }
        connection.on({ disconnect: () => {}, error: () => {} });
        connection.onMessage = undefined;
        await connection.drained();
      });
      using _client = await RawClient.open(pulled.url);
      await pulled.done();
    });

    it("for await on a connection with handlers for messages rejects", async () => {
      const done = Promise.withResolvers<Error>();
      await using served = await serve(
        variant,
        handling({
          utf8() {},
          ready: (connection) =>
            void assertRejects(() => connection[Symbol.asyncIterator]().next(), WebSocketError)
              .then(done.resolve, done.reject),
        }),
      );
      using _client = await RawClient.open(served.url);
      assertMatch((await done.promise).message, /one or the other/);
    });

    const message = new Uint8Array(64 * 1024);
    const count = 1024;
    if (engine === "Deno.serve") {
      it("while nobody pulls, messages are held, and over maxBufferedAmount the peer is closed with 1013", async () => {
        const errors = new Journal<Error>();
        const connections = new Journal<WebSocketConnection>();
        await using served = await reading(variant, async (connection) => {
          await connection.recv();
          connections.add(connection);
        }, { maxBufferedAmount: 1_000_000, onError: (_server, error) => errors.add(error) });
        assertEquals(served.server.capabilities.pause, false);
        using client = await RawClient.open(served.url);
        for (let i = 0; i < 20; i++) client.write(clientFrame(2, message));
        assertMatch((await errors.next()).message, /Cannot hold more messages/);
        assert(!(await connections.next()).isReady);
      });
    } else {
      it("while nobody pulls, the socket is not read", async () => {
        const first = Promise.withResolvers<WebSocketConnection>();
        let goOn = () => {};
        let pulled = 0;
        await using served = await reading(variant, async (connection) => {
          const wait = new Promise<void>((resolve) => goOn = resolve);
          for await (const { length } of connection) {
            assertEquals(length, message.length);
            if (++pulled === 1) {
              first.resolve(connection);
              await wait;
            }
          }
        });
        using client = await RawClient.open(served.url);
        const frame = clientFrame(2, message);
        for (let i = 0; i < count; i++) client.write(frame);
        await first.promise;
        await using elsewhere = await serve(variant);
        using _other = await RawClient.open(elsewhere.url);
        assert(client.socket.writableLength > 16 * 1024 * 1024, "what the client could not send");
        assertEquals(pulled, 1);
        client.write(clientFrame(8));
        goOn();
        await served.done();
        assertEquals(pulled, count);
      });
    }
  });
}
