import { assert, assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "node:test";
import { WebSocketConnection, WebSocketError, type WebSocketServer } from "../../mod.ts";
import { clientFrame, closeBytes } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { echo, handling, serve, transports } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

/** So long that a test would hang if it were waited for. */
const LONG = 600;

for (const variant of transports) {
  describe(`shutdown({ drain }) over ${variant.name}`, () => {
    it("tells clients one after the other, within its time, with the code and reason asked for", async () => {
      const told = new Journal<number>();
      class Told extends WebSocketConnection {
        override disconnect(code?: number, reason?: string): void {
          told.add(performance.now());
          super.disconnect(code, reason);
        }
      }
      await using served = await serve(variant, { connectionClass: Told });
      const clients = await Promise.all(Array.from({ length: 8 }, () => openWs(served.url)));
      const ends = Promise.all(clients.map(({ end }) => end()));
      const start = performance.now();
      await served.server.shutdown({ drain: 0.8, code: 4001, reason: "moving" });
      const seen = (await ends).map(({ code, reason }) => `${code} ${reason}`);
      assertEquals(seen, clients.map(() => "4001 moving"));
      // Each share of the time has one of them, none comes before its own.
      assertEquals(told.entries.length, 8);
      for (const [i, at] of told.entries.entries()) assert(at - start >= i * 100, `${i}: ${at}`);
      assertEquals(served.errors, []);
    });

    it("perSecond lets them go no faster, and no slower", async () => {
      await using served = await serve(variant);
      const clients = [await openWs(served.url), await openWs(served.url)];
      const ends = Promise.all(clients.map(({ end }) => end()));
      const start = performance.now();
      await patiently(served.server.shutdown({ drain: LONG, perSecond: 5 }), "shutdown");
      assert(performance.now() - start >= 200);
      assertEquals((await ends).map(({ code }) => code), [1001, 1001]);
    });

    it("a further call with a shorter drain tells those who are left, each once", async () => {
      const told = new Journal<unknown>();
      class Told extends WebSocketConnection {
        override disconnect(code?: number, reason?: string): void {
          told.add(this);
          super.disconnect(code, reason);
        }
      }
      await using served = await serve(variant, { connectionClass: Told });
      const clients = [await openWs(served.url), await openWs(served.url)];
      const ends = Promise.all(clients.map(({ end }) => end()));
      const over = served.server.shutdown({ drain: 2 * LONG, perSecond: 1 });
      await told.first(1);
      void served.server.shutdown({ drain: 0 });
      assertEquals((await ends).map(({ code }) => code), [1001, 1001]);
      assertEquals([told.entries.length, new Set(told.entries).size], [2, 2]);
      await patiently(over, "shutdown");
    });

    it("lets nobody in, and serves those who are here until they are told", async () => {
      const begun = Promise.withResolvers<void>();
      await using served = await serve(variant, { ...echo, onShutdown: () => begun.resolve() });
      const { socket, messages, end } = await openWs(served.url);
      const over = served.server.shutdown({ drain: LONG });
      await begun.promise;
      socket.send("still here?");
      assertEquals(await messages.next(), "still here?");
      // Deno's HTTP server listens on until its WebSockets are gone, and answers so.
      const answer = await RawClient.ask(served.url, upgradeRequest())
        .then(({ status }) => status, (error) => error.code);
      assertEquals(answer, variant.engine === "Deno.serve" ? 503 : "ECONNREFUSED");
      socket.close(4000);
      await end();
      // Nobody is left to be told.
      await patiently(over, "shutdown");
    });

    it("a reply under way is sent before the Close frame", async () => {
      const asked = Promise.withResolvers<void>();
      const decided = Promise.withResolvers<void>();
      const done = new Journal<string>();
      await using served = await serve(variant, {
        ...handling({
          async utf8(connection) {
            asked.resolve();
            await decided.promise;
            done.add(`sent: ${connection.send("reply")}`);
          },
        }),
        // The clients are told at once, but for those at work.
        onShutdown: () => void setTimeout(decided.resolve, 100),
      });
      const { socket, messages, end } = await openWs(served.url);
      socket.send("question");
      await asked.promise;
      const over = served.server.shutdown({ drain: LONG, perSecond: 1_000_000 });
      assertEquals(await messages.next(), "reply");
      assertEquals((await end()).code, 1001);
      assertEquals(done.entries, ["sent: true"]);
      await patiently(over, "shutdown");
    });

    it("one who waits in recv() is told, and one whose message is being dealt with is not before", async () => {
      const decided = Promise.withResolvers<void>();
      const took = new Journal<string>();
      await using served = await serve(
        variant,
        handling({
          async ready(connection) {
            for await (const message of connection) {
              took.add(String(message));
              await decided.promise;
              connection.send("reply");
            }
          },
        }),
      );
      const busy = await openWs(served.url);
      const idle = await openWs(served.url);
      busy.socket.send("question");
      await took.next();
      const over = served.server.shutdown({ drain: LONG, perSecond: 1_000_000 });
      assertEquals((await idle.end()).code, 1001);
      decided.resolve();
      assertEquals(await busy.messages.next(), "reply");
      assertEquals((await busy.end()).code, 1001);
      await patiently(over, "shutdown");
    });

    it("those who do not answer are dropped after closeTimeout", async () => {
      const served = await serve(variant, { closeTimeout: 0.1 });
      using client = await RawClient.open(served.url);
      await patiently(served.server.shutdown({ drain: 0.1 }), "shutdown");
      assertEquals(await client.closeCode(), 1001);
      await client.end();
    });

    it("onShutdown has its time, and not closeTimeout", async () => {
      const course = new Journal<string>();
      const served = await serve(variant, {
        closeTimeout: 0.05,
        async onShutdown() {
          await new Promise((resolve) => setTimeout(resolve, 300));
          course.add("done");
        },
      });
      await served.server.shutdown({ drain: LONG });
      assertEquals(course.entries, ["done"]);
    });

    it("an onShutdown that never settles has no more than its time", async () => {
      const served = await serve(variant, { onShutdown: () => new Promise(() => {}) });
      using client = await RawClient.open(served.url);
      const over = served.server.shutdown({ drain: 0.1 });
      assertEquals(await client.closeCode(), 1001);
      client.write(clientFrame(8, closeBytes(1001)));
      await patiently(over, "shutdown");
    });

    it("ticks go on until it is over", async () => {
      const ticks = new Journal<string>();
      const served = await serve(variant, {
        tickPeriod: 0.01,
        onTick: (server) => ticks.add(`${[...server.connections].length} here`),
        onShutdown: () => ticks.add("shutting down"),
      });
      const { end } = await openWs(served.url);
      const over = served.server.shutdown({ drain: LONG });
      while (await ticks.next() !== "shutting down");
      assertEquals(await ticks.next(), "1 here");
      await served.server.shutdown({ drain: 0 });
      await end();
      await over;
    });
  });

  describe(`a further shutdown over ${variant.name}`, () => {
    it("without options waits for the same", async () => {
      const { server, url } = await serve(variant);
      using client = await RawClient.open(url);
      const first = server.shutdown({ drain: 0.3, code: 4002 });
      const second = server.shutdown();
      assertEquals(await client.closeCode(), 4002);
      client.write(clientFrame(8, closeBytes(4002)));
      assertEquals(await patiently(Promise.all([first, second]), "both"), [server, server]);
    });

    it("a longer drain changes nothing, and with another code tells that to those who are left", async () => {
      const { server, url } = await serve(variant);
      using client = await RawClient.open(url);
      const first = server.shutdown({ drain: 0.2, code: 4002 });
      void server.shutdown({ drain: LONG, code: 4003 });
      assertEquals(await client.closeCode(), 4003);
      client.write(clientFrame(8, closeBytes(4003)));
      await patiently(first, "shutdown");
    });
  });
}

describe("the options of shutdown()", () => {
  const WRONG: [options: unknown, says: string][] = [
    [5, "an object with code, reason, drain, perSecond"],
    [{ drian: 5 }, 'Cannot shut down with "drian": there is no such option'],
    [{ drain: -1 }, "Cannot use drain -1: it takes a number from 0 to 2147483 (seconds)"],
    [{ drain: "5" }, 'Cannot use drain "5"'],
    [{ drain: NaN }, "Cannot use drain NaN"],
    [{ perSecond: 10 }, "it takes drain beside it"],
    [{ drain: 1, perSecond: 0 }, "Cannot use perSecond 0: it takes a whole number from 1 on"],
    [{ code: 1005 }, "Cannot close with status code 1005"],
    [{ reason: "x".repeat(124) }, "Cannot send a close reason of 124 bytes"],
    [{ reason: 5 }, "use a string"],
  ];
  for (const [options, says] of WRONG) {
    it(`${JSON.stringify(options)} is refused, and nothing ends`, async () => {
      await using served = await serve(transports[0], echo);
      const { socket, messages } = await openWs(served.url);
      const error = await assertRejects(
        () => (served.server as WebSocketServer).shutdown(options as never),
        WebSocketError,
        says,
      );
      assertEquals(error.code, "ERR_INVALID_ARGUMENT");
      socket.send("on?");
      assertEquals(await messages.next(), "on?");
    });
  }
});
