import { assert, assertEquals } from "@std/assert";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";
import { type DiagnosticEvents, ProtocolError, WebSocketError } from "../../mod.ts";
import { clientFrame, closeBytes } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { echo, handling, serve, type Served, transports } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

/** What is published on one channel about one server, for as long as an `using` block. */
function listen<N extends keyof DiagnosticEvents>(
  name: N,
  { server }: Pick<Served<never>, "server"> | { server: object },
): Journal<DiagnosticEvents[N]> & Disposable {
  const journal = new Journal<DiagnosticEvents[N]>();
  const add = (message: unknown) => {
    const event = message as DiagnosticEvents[N];
    if (event.server === server) journal.add(event);
  };
  subscribe(name, add);
  return Object.assign(journal, { [Symbol.dispose]: () => void unsubscribe(name, add) });
}

for (const variant of transports) {
  describe(`server.statistics over ${variant.name}`, () => {
    it("counts who came, who is here, and how they went", async () => {
      await using served = await serve(variant, { ...echo, closeTimeout: 0.2 });
      const { server, url } = served;
      const before = server.statistics;
      assertEquals([before.open, before.opened, before.closed], [0, 0, {}]);
      using ended = listen("duet.closed", served);
      const one = await openWs(url);
      const two = await openWs(url);
      const three = await openWs(url);
      one.socket.close(4000);
      await one.end();
      two.socket.close(4000);
      await two.end();
      await ended.first(2);
      const { open, opened, closed, refused, dropped } = server.statistics;
      assertEquals([open, opened, closed, refused, dropped], [1, 3, { 4000: 2 }, 0, 0]);
      three.socket.terminate();
      await ended.first(3);
      assertEquals(server.statistics.closed, { 1006: 1, 4000: 2 });
      // What was read before stays as it was.
      assertEquals([before.open, open], [0, 1]);
    });

    it("counts messages and bytes both ways", async () => {
      await using served = await serve(variant, echo);
      const { server, url } = served;
      const { socket, messages } = await openWs(url);
      const { bytesReceived, bytesSent } = server.statistics;
      socket.send("äöü");
      socket.send(new Uint8Array(1000));
      await messages.first(2);
      const now = server.statistics;
      assertEquals([now.messagesReceived, now.messagesSent], [2, 2]);
      // On tcp the frames with their headers: 2 and 4 bytes, and of a client 4 more each for the mask.
      const [headers, masks] = variant.engine === "tcp" ? [6, 8] : [0, 0];
      assertEquals(now.bytesReceived - bytesReceived, 1006 + headers + masks);
      assertEquals(now.bytesSent - bytesSent, 1006 + headers);
    });

    it("counts a broadcast for each who is sent it", async () => {
      await using served = await serve(variant);
      const clients = [await openWs(served.url), await openWs(served.url)];
      const { bytesSent } = served.server.statistics;
      served.server.broadcast("to all");
      for (const { messages } of clients) await messages.next();
      const now = served.server.statistics;
      const header = variant.engine === "tcp" ? 2 : 0;
      assertEquals([now.messagesSent, now.bytesSent - bytesSent], [2, 2 * (6 + header)]);
    });

    it("counts who was refused, and duet.refused tells whom and why", async () => {
      await using served = await serve(variant, {
        allowedOrigins: ["https://example.com"],
      });
      using refused = listen("duet.refused", served);
      const asked: [request: string, status: number, reason: RegExp][] = [
        [upgradeRequest({ Origin: "https://evil.example" }), 403, /origin/],
        [upgradeRequest({ "Sec-WebSocket-Version": "12" }), 426, /version/],
        ["GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 426, /./],
      ];
      for (const [request, status, reason] of asked) {
        const response = await RawClient.ask(served.url, request);
        assertEquals(response.status, status);
        const event = await refused.next();
        assertEquals([event.ip, event.status], ["127.0.0.1", status]);
        assert(event.port > 0);
        assert(reason.test(event.reason), event.reason);
      }
      const { refused: count, opened } = served.server.statistics;
      assertEquals([count, opened, refused.entries.length], [3, 0, 3]);
    });

    it("counts who found no seat", async () => {
      await using served = await serve(variant, { maxConnections: 1, closeTimeout: 0.2 });
      using refused = listen("duet.refused", served);
      await openWs(served.url);
      assertEquals((await RawClient.ask(served.url, upgradeRequest())).status, 503);
      assertEquals((await refused.next()).status, 503);
      const { refused: count, opened } = served.server.statistics;
      assertEquals([count, opened, refused.entries.length], [1, 1, 1]);
    });

    it("counts who is refused with a Response", async () => {
      await using served = await serve(variant, {
        onConnect: (_server, connection) =>
          void connection.on({ handshake: () => new Response("pay first", { status: 402 }) }),
      });
      using refused = listen("duet.refused", served);
      assertEquals((await RawClient.ask(served.url, upgradeRequest())).status, 402);
      assertEquals((await refused.next()).status, 402);
      const { refused: count, opened } = served.server.statistics;
      assertEquals([count, opened], [1, 0]);
    });

    it("a peer that onConnect turns away is refused, and so is one whose onAccept throws", async () => {
      await using served = await serve(variant, {
        onAccept: () => Promise.reject(new Error("not you")),
      });
      using refused = listen("duet.refused", served);
      using first = await RawClient.connect(served.url);
      first.write(upgradeRequest());
      assertEquals((await refused.next()).status, 500);
      served.server.onAccept = undefined;
      served.server.onConnect = () => false;
      using second = await RawClient.connect(served.url);
      second.write(upgradeRequest());
      assertEquals((await refused.next()).status, 403);
      assertEquals([served.server.statistics.refused, served.server.statistics.opened], [2, 0]);
    });

    it("a plain request that is served is none of them", async () => {
      await using served = await serve(variant, { onRequest: () => new Response("page") });
      const request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
      assertEquals((await RawClient.ask(served.url, request)).status, 200);
      const { refused, opened, open } = served.server.statistics;
      assertEquals([refused, opened, open], [0, 0, 0]);
    });

    it("a peer that reads too slowly is told of as slow, then dropped and counted", async () => {
      await using served = await serve(variant, {
        highWaterMark: 100_000,
        maxBufferedAmount: 1_000_000,
        closeTimeout: 0.2,
      });
      using slow = listen("duet.slow", served);
      using client = await RawClient.open(served.url);
      client.pause();
      const [connection] = served.server.connections.map((it) => it);
      const chunk = new Uint8Array(1_000_000);
      while (connection.isReady) {
        connection.sendBinary(chunk);
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      const [first, ...others] = slow.entries;
      const last = others.at(-1)!;
      assertEquals([first.dropped, last.dropped], [false, true]);
      assert(first.connection === connection && first.bufferedAmount > 100_000);
      assertEquals(served.server.statistics.dropped, 1);
    });

    // Deno's engine looks for silence by itself, and does not say why it ends a connection.
    if (variant.engine !== "Deno.serve") {
      it("a silent peer is dropped and counted", async () => {
        await using served = await serve(variant, { silenceMax: 0.05, silenceCheckInterval: 0.02 });
        using ended = listen("duet.closed", served);
        using client = await RawClient.open(served.url);
        client.pause();
        assertEquals((await ended.next()).code, 1006);
        assertEquals(served.server.statistics.dropped, 1);
      });
    }
  });

  describe(`node:diagnostics_channel over ${variant.name}`, () => {
    it("duet.opened and duet.closed tell of each connection once", async () => {
      await using served = await serve(variant);
      using opened = listen("duet.opened", served);
      using closed = listen("duet.closed", served);
      using client = await RawClient.open(served.url);
      const { connection } = await opened.next();
      assert(connection.isReady);
      client.write(clientFrame(8, closeBytes(4001, "bye")));
      const event = await closed.next();
      assert(event.connection === connection);
      assertEquals([event.code, event.reason], [4001, "bye"]);
      assertEquals([opened.entries.length, closed.entries.length], [1, 1]);
    });

    it("duet.error tells what onError is told", async () => {
      await using served = await serve(
        variant,
        handling({
          utf8() {
            throw new Error("no");
          },
        }),
      );
      using errors = listen("duet.error", served);
      const { socket } = await openWs(served.url);
      socket.send("go");
      const { error, connection } = await errors.next();
      assertEquals((error as WebSocketError).code, "ERR_HANDLER");
      assert(connection !== undefined);
      assertEquals(served.errors, [error]);
    });

    it("a peer that breaks the protocol is an error with the rule", async () => {
      await using served = await serve(variant, { maxRecvSize: 10 });
      using errors = listen("duet.error", served);
      const { socket, end } = await openWs(served.url);
      socket.send("x".repeat(11));
      await end();
      const { error } = await errors.next();
      assertEquals((error as WebSocketError).code, "ERR_PROTOCOL");
      assert(error.cause === undefined || error.cause instanceof ProtocolError);
    });

    it("shutdown tells of each connection's end", async () => {
      const served = await serve(variant);
      using closed = listen("duet.closed", served);
      const { end } = await openWs(served.url);
      const over = served.server.shutdown();
      await end();
      await patiently(over, "shutdown");
      assertEquals(closed.entries.map(({ code }) => code), [1001]);
      assertEquals(served.server.statistics.closed, { 1001: 1 });
    });
  });
}
