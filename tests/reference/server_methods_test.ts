import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { describe, it } from "node:test";
import {
  ConnectionList,
  permessageDeflate,
  WebSocketConnection,
  WebSocketError,
  WebSocketServer,
} from "../../mod.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { cert, handling, key, serve, transports, variants } from "../support/transports.ts";
import { assertInvalid, assertUnsupported, errorOf } from "../support/unsupported.ts";
import { openWs } from "../support/ws_client.ts";

for (const variant of transports) {
  const { name, transport } = variant;
  const make = (options = {}) =>
    new WebSocketServer({ transport, hostname: "127.0.0.1", debug: 0, ...options });

  // For more of start see tests/integration/start_test.ts, for shutdown and stop shutdown_test.ts, for upgrade and
  // websocket http_test.ts there.
  describe(`server methods over ${name}`, () => {
    it("start, finished: resolve once it listens, and once it has shut down", async () => {
      const server = make();
      let finished = false;
      const finish = server.finished.then(() => finished = true);
      assertStrictEquals(await server.start(), server);
      (await RawClient.open(`ws://127.0.0.1:${server.port}`)).socket.destroy();
      assertEquals(finished, false);
      await server.shutdown();
      await finish;
    });

    it("connections: the ready ones, as a live ConnectionList", async () => {
      const events = new Journal<string>();
      const all = new Journal<WebSocketConnection>();
      await using served = await serve(variant, {
        onConnect(_server, connection) {
          all.add(connection);
          connection.on({ ready: () => events.add("ready"), disconnect: () => events.add("left") });
        },
      });
      const { connections } = served.server;
      assert(connections instanceof ConnectionList);
      assertEquals([connections.size, [...connections]], [0, []]);
      using opening = await RawClient.connect(served.url);
      using client = await RawClient.open(served.url);
      using _other = await RawClient.open(served.url);
      await events.first(2);
      const ready = all.entries.filter((it) => it.isReady);
      assertStrictEquals(served.server.connections, connections);
      assertEquals([connections.size, [...connections]], [2, ready]);
      const seen: WebSocketConnection[] = [];
      connections.forEach((connection) => seen.push(connection));
      assertEquals(seen, ready);
      assertEquals(connections.map((it) => it.port), ready.map((it) => it.port));
      assertEquals(connections.filter((it) => it !== ready[0]), [ready[1]]);
      assertEquals(connections.find((it) => it === ready[1]), ready[1]);
      assertEquals(connections.find(() => false), undefined);
      opening.socket.destroy();
      client.socket.destroy();
      while (connections.size > 1) await events.next();
      assertEquals([...connections].length, 1);
    });

    it("disconnect: ends a client by its connection or its socket", async () => {
      const ready = new Journal<WebSocketConnection>();
      await using served = await serve(variant, handling({ ready: ready.add }));
      for (const by of ["connection", "socket"] as const) {
        const { end } = await openWs(served.url);
        const connection = await ready.next();
        const client = by === "connection" ? connection : connection.socket;
        assertEquals(served.server.disconnect(client), true);
        assertEquals((await end()).code, 1005);
      }
      assertEquals(served.server.disconnect({}), false);
      assertEquals(served.server.disconnect(undefined), false);
    });

    it("on: sets handlers by event, takes them away, and returns the server", () => {
      const server = make();
      const handlers = {
        accept: () => undefined,
        connect: () => {},
        shutdown: () => {},
        tick: () => {},
        error: () => {},
      };
      assertStrictEquals(server.on(handlers), server);
      const { onAccept, onConnect, onShutdown, onTick, onError } = server;
      assertEquals([onAccept, onConnect, onShutdown, onTick, onError], Object.values(handlers));
      server.on({ tick: undefined });
      assertEquals([server.onTick, server.onConnect], [undefined, handlers.connect]);
    });

    it("on: an unknown event throws and lists the valid ones, and sets nothing", () => {
      const server = make();
      const handlers = { tick: () => {}, conect: () => {} };
      const names = /"conect".*accept, connect, shutdown, tick, error/;
      assertInvalid(() => server.on(handlers), names);
      assertEquals(server.onTick, undefined);
      assertInvalid(() => server.on({ tick: 5 as never }), /"tick".*function/);
    });

    it("onAccept, onConnect, onShutdown, onTick, onError: set or get the handler", async () => {
      const called = new Journal<string>();
      const served = await serve(variant, { tickPeriod: 0.01 });
      const { server } = served;
      server.onTick = () => called.add("tick");
      assertEquals(await called.next(), "tick");
      server.onTick = undefined;
      server.onAccept = () => called.add("accept");
      server.onConnect = () => {
        called.add("connect");
        throw new Error("not today");
      };
      server.onError = () => called.add("error");
      server.onShutdown = () => called.add("shutdown");
      const client = await RawClient.connect(served.url);
      client.write(upgradeRequest());
      while (await called.next() !== "error");
      client.socket.destroy();
      await server.shutdown();
      const rest = called.entries.filter((it) => it !== "tick");
      assertEquals(rest, ["accept", "connect", "error", "shutdown"]);
      for (const event of ["onAccept", "onConnect", "onShutdown", "onTick", "onError"] as const) {
        assert(event === "onTick" || typeof server[event] === "function");
        assertInvalid(() => server[event] = "no" as never, /function/);
      }
    });

    it("extensions, subprotocol, versions, connectionClass: hold for connections made after", async () => {
      class Second extends WebSocketConnection {}
      const made = new Journal<WebSocketConnection>();
      await using served = await serve(variant, { onConnect: (_server, it) => made.add(it) });
      const { server } = served;
      assertEquals((await ask(served.url, "8", "go")).status, 426);
      await made.next();
      server.versions = [13, 8];
      server.subprotocol = ["go"];
      server.connectionClass = Second;
      const response = await ask(served.url, "8", "go");
      assertEquals([response.status, response.headers.get("sec-websocket-protocol")], [101, "go"]);
      assert(await made.next() instanceof Second);
      assertEquals([server.versions.map(Number), +server.version], [[13, 8], 13]);
      assertEquals([server.subprotocol, server.connectionClass], [["go"], Second]);
      server.version = 8;
      assertEquals((await ask(served.url, "13", "go")).status, 426);
      assertInvalid(() => server.versions = [], /versions/);
      assertInvalid(() => server.subprotocol = ["a b"], /subprotocol/);
      assertInvalid(() => server.connectionClass = Map as never, /connectionClass/);
    });

    it("compressionThreshold, tickPeriod, silenceMax, silenceCheckInterval, debug, legacy", async () => {
      const server = make();
      assertEquals([server.silenceMax, server.silenceCheckInterval], [20, 10]);
      assertEquals([server.tickPeriod, server.legacy], [0, false]);
      server.silenceMax = 8;
      assertEquals(server.silenceCheckInterval, 4, "half of silenceMax until it is set");
      server.silenceCheckInterval = 1;
      server.silenceMax = 20;
      assertEquals([server.silenceMax, server.silenceCheckInterval], [20, 1]);
      server.compressionThreshold = 7;
      server.debug = 2;
      server.legacy = true;
      assertEquals([server.compressionThreshold, server.debug], [7, 2]);
      assert(Array.isArray(server.connections));
      for (const name of ["silenceMax", "silenceCheckInterval", "tickPeriod"] as const) {
        assertInvalid(() => server[name] = -1, /seconds/);
      }
      assertInvalid(() => server.compressionThreshold = NaN, /bytes/);
      assertInvalid(() => server.debug = 9 as never, /0 to 4/);
      const ticks = new Journal<unknown>();
      server.onTick = ticks.add;
      await server.start();
      server.tickPeriod = 0.01;
      await ticks.next();
      server.tickPeriod = 0;
      await server.shutdown();
    });

    if (new WebSocketServer({ transport }).capabilities.extensions) {
      it("extensions: can be changed while running", async () => {
        const names = new Journal<readonly string[]>();
        await using served = await serve(
          variant,
          handling({ ready: ({ extensions }) => names.add(extensions) }),
        );
        served.server.extensions = [permessageDeflate()];
        const { socket } = await openWs(served.url);
        assertEquals(await names.next(), ["permessage-deflate"]);
        socket.terminate();
        assertInvalid(() => served.server.extensions = "nothing", /extension/);
      });
    } else {
      it("extensions: cannot be changed while running, and the error names where they can", async () => {
        await using served = await serve(variant);
        assertUnsupported(() => served.server.extensions = "permessage-deflate");
      });
    }

    it("error: undefined, then the last WebSocketError, whether thrown, rejected or reported", async () => {
      const server = make();
      assertEquals(server.error, undefined);
      for (
        const act of [
          () => server.on({ conect: () => {} } as object),
          () => server.tickPeriod = -1,
          () => server.versions = [],
          () => server.watchReadable(5 as never, () => {}),
          ...(transport === "tcp" ? [() => server.websocket] : []),
        ]
      ) {
        const error = errorOf(act);
        assertStrictEquals(server.error, error);
      }
      if (transport === "tcp") {
        const upgrade = () => server.upgrade(new Request("http://a"), {});
        const error = await assertRejects(upgrade, WebSocketError);
        assertStrictEquals(server.error, error);
      }
      const reported = Promise.withResolvers<unknown>();
      server.on({
        connect: () => {
          throw new Error("no room");
        },
        error: (_server, error) => reported.resolve(error),
      });
      await server.start();
      using client = await RawClient.connect(`ws://127.0.0.1:${server.port}`);
      client.write(upgradeRequest());
      const error = await reported.promise;
      assertStrictEquals(server.error, error);
      await server.shutdown();
    });
  });
}

for (const { name, transport, secure } of variants) {
  it(`ip, port, isSsl, listen, socket over ${name}: are known before the start and true after it`, async () => {
    const tls = secure ? { cert, key } : undefined;
    const server = new WebSocketServer({ transport, tls, hostname: "127.0.0.1", debug: 0 });
    const before = [server.ip, server.port, server.isSsl, server.listen];
    assertEquals(before, ["127.0.0.1", 0, secure, undefined]);
    await server.start();
    assertEquals([server.ip, server.isSsl], ["127.0.0.1", secure]);
    assert(server.port > 0);
    assert(server.listen !== undefined && server.listen !== null);
    assertStrictEquals(server.socket, server.listen);
    await server.shutdown();
  });
}

async function ask(url: string, version: string, subprotocol: string) {
  using client = await RawClient.connect(url);
  const headers = { "Sec-WebSocket-Version": version, "Sec-WebSocket-Protocol": subprotocol };
  client.write(upgradeRequest(headers));
  return await client.response(true);
}
