import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { execFile } from "node:child_process";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type WebSocketConnection, WebSocketError, WebSocketServer } from "../../mod.ts";
import { clientFrame, closeBytes } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { openNative } from "../support/native_client.ts";
import { inTime } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { handling, runtime, serve, transports, variants } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

const run = promisify(execFile);

const PLAIN = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

for (const variant of variants) {
  describe(`shutdown over ${variant.name}`, () => {
    it("tells onShutdown, then every client 1001, and then it is finished (RFC 6455 §7.4.1)", async () => {
      const course = new Journal<string>();
      await using served = await serve(variant, {
        ...handling({ disconnect: (_connection, code) => course.add(`disconnect ${code}`) }),
        async onShutdown(server) {
          await Promise.resolve();
          course.add(`shutdown with ${[...server.connections].length}`);
        },
      });
      void served.server.finished.then(() => course.add("finished"));
      const ws = await openWs(served.url);
      const native = await openNative(served.url);
      assertEquals(await served.server.shutdown(), served.server);
      assertEquals((await ws.end()).code, 1001);
      assertEquals((await native.end()).code, 1001);
      await served.server.finished;
      assertEquals(await course.first(4), [
        "shutdown with 2",
        "disconnect 1001",
        "disconnect 1001",
        "finished",
      ]);
      assertEquals([...served.server.connections], []);
      await assertRejects(() => RawClient.connect(served.url), Error, "ECONNREFUSED");
    });

    it("delivers before what was sent before", async () => {
      await using served = await serve(
        variant,
        handling({
          utf8(connection) {
            for (let i = 0; i < 20; i++) connection.sendBinary(new Uint8Array(100_000).fill(i));
            void served.server.shutdown();
          },
        }),
      );
      const { socket, messages, end } = await openWs(served.url);
      socket.send("go");
      assertEquals((await end()).code, 1001);
      assertEquals(messages.entries.map((it) => [it.length, it[0]]), [
        ...Array.from({ length: 20 }, (_, i) => [100_000, i]),
      ]);
    });
  });
}

for (const variant of transports) {
  describe(`shutdown over ${variant.name}, done oddly`, () => {
    it("twice and thrice at once is one shutdown", async () => {
      let calls = 0;
      const { server, url } = await serve(variant, { onShutdown: () => void calls++ });
      using client = await RawClient.open(url);
      const all = Promise.all([server.shutdown(), server.stop(), server.shutdown()]);
      assertEquals(await client.closeCode(), 1001);
      client.write(clientFrame(8, closeBytes(1001)));
      assertEquals(await client.frame(), null);
      assertEquals(await all, [server, server, server]);
      await server.shutdown();
      assertEquals(calls, 1);
    });

    it("comes at the end of an await using block", async () => {
      let finished: Promise<void>;
      {
        await using server = new WebSocketServer({ transport: variant.transport });
        await server.start();
        finished = server.finished;
      }
      await finished;
    });

    it("before the start leaves nothing to start", async () => {
      const server = new WebSocketServer({ transport: variant.transport });
      await server.shutdown();
      await server.finished;
      const error = await assertRejects(() => server.start(), WebSocketError);
      assertEquals(error.code, "ERR_STATE");
    });

    it("during the start stops it", async () => {
      const server = new WebSocketServer({ transport: variant.transport });
      const started = server.start().then(() => "started", (error) => error.code);
      await server.shutdown();
      assertEquals(await started, "ERR_STATE");
      assertEquals(server.listen, undefined);
    });

    it("waits closeTimeout for clients that do not answer", async () => {
      const ends = new Journal<number>();
      const { server, url } = await serve(variant, {
        ...handling({ disconnect: (_connection, code) => ends.add(code) }),
        closeTimeout: 0.2,
      });
      using client = await RawClient.open(url);
      await server.shutdown();
      assertEquals(await client.closeCode(), 1001);
      // Bun.serve does not wait for the answer.
      assertEquals(ends.entries, [variant.engine === "Bun.serve" ? 1001 : 1006]);
    });

    it("drops those that are in the opening handshake", async () => {
      const ends = new Journal<number>();
      const asked = Promise.withResolvers<void>();
      const decided = Promise.withResolvers<boolean>();
      const { server, url } = await serve(
        variant,
        handling({
          origin() {
            asked.resolve();
            return decided.promise;
          },
          disconnect: (_connection, code) => ends.add(code),
        }),
      );
      using client = await RawClient.connect(url);
      client.write(upgradeRequest());
      await asked.promise;
      const finished = server.shutdown();
      if (variant.engine !== "tcp") {
        // The engines answer every request that they have taken: here with a refusal.
        decided.resolve(true);
        assertEquals((await client.response()).status, 403);
      } else {
        await client.end();
        assertEquals(client.received.length, 0);
      }
      await finished;
      decided.resolve(true);
      assertEquals(ends.entries, [1006]);
    });

    for (
      const [name, onShutdown] of Object.entries({
        "throws": () => {
          throw new Error("not now");
        },
        "rejects": () => Promise.reject(new Error("not now")),
      })
    ) {
      it(`goes on when onShutdown ${name}, which is reported`, async () => {
        const { server, url, errors } = await serve(variant, { onShutdown });
        using client = await RawClient.open(url);
        const finished = server.shutdown();
        assertEquals(await client.closeCode(), 1001);
        client.write(clientFrame(8, closeBytes(1001)));
        await finished;
        assertEquals(
          errors.map((it) => [(it as WebSocketError).code, (it.cause as Error).message]),
          [
            ["ERR_HANDLER", "not now"],
          ],
        );
      });
    }

    it("from onRequest lets its response out, when it is not waited for there", async () => {
      const { server, url, errors } = await serve(variant, {
        onRequest() {
          void server.shutdown();
          return new Response("bye");
        },
      });
      const { status, body } = await RawClient.ask(url, PLAIN);
      assertEquals([status, body], [200, "bye"]);
      await server.finished;
      assertEquals(errors, []);
    });

    it("waits no longer than closeTimeout for handlers that wait for it, and says what to do", async () => {
      const { server, url, errors } = await serve(variant, {
        closeTimeout: 0.2,
        onShutdown: (server) => server.finished,
        async onRequest() {
          await server.shutdown();
          return new Response("too late");
        },
      });
      using client = await RawClient.connect(url);
      client.write(PLAIN);
      await server.finished;
      await client.end();
      assertEquals(client.received.toString(), "");
      assertEquals(errors.map((it) => (it as WebSocketError).code), ["ERR_HANDLER", "ERR_HANDLER"]);
      for (const [i, name] of ["onShutdown", "onRequest"].entries()) {
        assertMatch(
          errors[i].message,
          new RegExp(`^Cannot wait longer for ${name}.*without await`),
        );
      }
    });

    it("from a handler does not wait for that handler", async () => {
      const done = new Journal<string>();
      const { url } = await serve(
        variant,
        handling({
          async utf8(connection) {
            await (connection.server as WebSocketServer).shutdown();
            done.add("shut down");
          },
        }),
      );
      const { socket, end } = await openWs(url);
      socket.send("please");
      assertEquals((await end()).code, 1001);
      assertEquals(await done.next(), "shut down");
    });

    it("is followed by the end of the process, when nothing else is to be done", async () => {
      const mod = fileURLToPath(new URL("../../mod.ts", import.meta.url));
      const program = `
        import { WebSocketServer } from ${JSON.stringify(mod)};
        const server = new WebSocketServer({
          transport: "${variant.transport}",
          hostname: "127.0.0.1",
          tickPeriod: 60,
          onConnect: (server, connection) => {
            connection.on({ utf8: () => void server.shutdown() });
          },
        });
        await server.start();
        const client = new WebSocket("ws://127.0.0.1:" + server.port);
        client.onopen = () => client.send("enough");
        client.onclose = ({ code }) => console.log("closed with", code);
        await server.finished;
        console.log("finished");
      `;
      const args = runtime === "deno" ? ["eval", program] : ["-e", program];
      const { stdout } = await run(process.execPath, args, { timeout: 15_000 });
      assert(stdout.includes("finished") && stdout.includes("closed with 1001"), stdout);
    });
  });
}

describe("connections that never become ready have their one disconnect event", () => {
  const request = upgradeRequest();
  for (const variant of transports) {
    /** Ways to go before the handshake is done; those that no HTTP server tells of are for tcp only. */
    const ways: Record<string, (client: RawClient, deciding: Promise<void>) => unknown> = {
      ...(variant.transport === "tcp" && {
        "an end without a word": (client) => client.socket.end(),
        "a reset without a word": (client) => client.reset(),
        "an end amidst the request": (client) => client.socket.end(request.slice(0, 50)),
        "a reset amidst the request": (client) =>
          client.socket.write(request.slice(0, 50), () => client.reset()),
      }),
      "an end while the server decides": async (client, deciding) => {
        client.write(request);
        await deciding;
        client.socket.end();
      },
      "a reset while the server decides": async (client, deciding) => {
        client.write(request);
        await deciding;
        client.reset();
      },
      "a bad request": (client) => client.write(upgradeRequest({ "Sec-WebSocket-Key": "none" })),
      "a reset right behind the request": (client) =>
        client.socket.write(request, () => client.reset()),
    };
    for (const [way, go] of Object.entries(ways)) {
      // Deno.serve tells nothing of a peer that goes before it has the response.
      const late = variant.engine === "Deno.serve" && way !== "a bad request";
      it(`${variant.name}: ${way}${late ? ", told after handshakeTimeout" : ""}`, () =>
        inTime(0.5, async (seconds) => {
          const connected = new Journal<WebSocketConnection>();
          const ends = new Journal<number>();
          const deciding = Promise.withResolvers<void>();
          const gone = Promise.withResolvers<void>();
          let ready = 0;
          await using served = await serve(variant, {
            handshakeTimeout: seconds,
            closeTimeout: 0.3,
            onConnect(_server, connection) {
              connected.add(connection);
              connection.on({
                async handshake() {
                  deciding.resolve();
                  await gone.promise;
                },
                ready: () => void ready++,
                disconnect: (_connection, code) => ends.add(code),
              });
            },
          });
          using client = await RawClient.connect(served.url);
          await go(client, deciding.promise);
          if (/decides|behind/.test(way)) await new Promise((resolve) => setTimeout(resolve, 20));
          gone.resolve();
          assertEquals(await ends.next(), 1006);
          // A second one would have come by the time that another client has come and gone.
          const other = await openWs(served.url);
          other.socket.close(1000);
          await other.end();
          assertEquals(await ends.next(), 1000);
          assertEquals(ends.entries.length, connected.entries.length);
          assertEquals([connected.entries[0].disconnected, served.errors], [true, []]);
          assert(ready <= 2);
        }));
    }
  }
});
