import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { describe, it } from "node:test";
import {
  type AcceptInfo,
  type ConnectionHandlers,
  type WebSocketConnection,
  WebSocketConnection as Connection,
  WebSocketError,
  type WebSocketServer,
} from "../../mod.ts";
import { clientFrame } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { echo, handling, serve, type Served, transports } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

const WHY = "out of luck";

/** The two ways in which a handler fails. */
const FAILURES: readonly (readonly [how: string, fail: () => unknown])[] = [
  ["throws", () => {
    throw new Error(WHY);
  }],
  ["rejects", () => Promise.reject(new Error(WHY))],
];

/** How each event of an open connection comes about, and whether messages wait for its handler. */
const EVENTS: readonly {
  event: keyof ConnectionHandlers<WebSocketConnection>;
  holds: boolean;
  cause(client: RawClient, connection: WebSocketConnection): void;
}[] = [
  { event: "ready", holds: true, cause: () => {} },
  { event: "utf8", holds: true, cause: (client) => client.write(clientFrame(1, "first")) },
  { event: "binary", holds: true, cause: (client) => client.write(clientFrame(2, "first")) },
  { event: "message", holds: true, cause: (client) => client.write(clientFrame(2, "first")) },
  { event: "ping", holds: true, cause: (client) => client.write(clientFrame(9)) },
  { event: "pong", holds: true, cause: (client) => client.write(clientFrame(10)) },
  {
    event: "drain",
    holds: true,
    cause(_client, connection) {
      const much = new Uint8Array(1_000_000);
      while (connection.sendBinary(much));
    },
  },
  { event: "disconnect", holds: false, cause: (client) => client.write(clientFrame(8)) },
];

/** Opens a connection that comes to an end on both sides, to have waited for what came before it. */
async function pass({ server, url }: Served<WebSocketConnection>): Promise<void> {
  const { size } = [...server.connections].reduce((set, it) => set.add(it), new Set());
  const { socket, end } = await openWs(url);
  assertEquals([...server.connections].length, size + 1);
  socket.close();
  await end();
  // Our side is done when the client's end has come.
  while (server.connections.size > size) await new Promise((resolve) => setTimeout(resolve, 1));
}

for (const variant of transports) {
  const { name, transport } = variant;
  const http = transport === "http";

  describe(`onAccept over ${name}`, () => {
    for (const [how, fail] of FAILURES) {
      it(`a handler that ${how} is reported, and ends that socket only`, async () => {
        let failing = true;
        await using served = await serve(variant, {
          ...echo,
          onAccept: () => failing ? fail() as undefined : undefined,
        });
        await assertTurnedAway(http, served.url);
        assertReported(served, "onAccept");
        failing = false;
        using _client = await RawClient.open(served.url);
      });
    }

    it("an object that is no connection is refused, and the error says what it lacks", async () => {
      const members = { error: undefined, isReady: false, recv() {} };
      for (
        const [made, why] of [
          [{}, /lacks error, isReady, recv, send\./],
          [members, /lacks send\./],
          [{ ...members, send() {} }, /no WebSocketConnection/],
          ["hello", /lacks error/],
        ] as const
      ) {
        await using served = await serve(variant, { onAccept: () => made as never });
        await assertTurnedAway(http, served.url);
        assertMatch(served.errors[0].message, why);
        assertEquals((served.errors[0] as WebSocketError).code, "ERR_INVALID_ARGUMENT");
      }
    });

    it("the connection of another client is refused", async () => {
      let made: WebSocketConnection | undefined;
      await using served = await serve(variant, {
        onAccept: (info: AcceptInfo<WebSocketConnection>) => made ??= new Connection(info),
      });
      using _first = await RawClient.open(served.url);
      await assertTurnedAway(http, served.url);
      assertMatch(served.errors[0].message, /another client's/);
      assertEquals([...served.server.connections], [made]);
    });

    it("a slow promise holds the handshake up until it settles", async () => {
      const asked = Promise.withResolvers<void>();
      const decided = Promise.withResolvers<undefined>();
      await using served = await serve(variant, {
        ...echo,
        onAccept() {
          asked.resolve();
          return decided.promise;
        },
      });
      using client = await RawClient.connect(served.url);
      client.write(upgradeRequest());
      await asked.promise;
      assertEquals(client.received.length, 0);
      decided.resolve(undefined);
      assertEquals((await client.response(true)).status, 101);
    });
  });

  describe(`onConnect over ${name}`, () => {
    // What it refuses, and what comes of a throw, is in tests/integration/handshake_events_test.ts.
    it("comes before any handshake, and a slow promise holds that up", async () => {
      const order = new Journal<string>();
      const asked = Promise.withResolvers<WebSocketConnection>();
      const decided = Promise.withResolvers<boolean>();
      await using served = await serve(variant, {
        onConnect(_server, connection) {
          order.add(`connect ${connection.handshake}`);
          asked.resolve(connection);
          return decided.promise;
        },
      });
      using client = await RawClient.connect(served.url);
      client.write(upgradeRequest());
      const connection = await asked.promise;
      connection.on({
        origin: () => order.add("origin"),
        handshake: () => order.add("handshake"),
        ready: () => order.add("ready"),
      });
      assertEquals(client.received.length, 0);
      decided.resolve(true);
      assertEquals((await client.response(true)).status, 101);
      const expected = ["connect undefined", "origin", "handshake", "ready"];
      assertEquals(await order.first(4), expected);
    });

    it("values that are no defined false one let the peer in", async () => {
      for (const value of [undefined, null, true, 1, "no", {}]) {
        await using served = await serve(variant, { onConnect: () => value });
        using _client = await RawClient.open(served.url);
      }
    });
  });

  describe(`onShutdown over ${name}`, () => {
    it("comes before the connections are disconnected, and a slow promise delays that", async () => {
      const asked = Promise.withResolvers<WebSocketServer>();
      const done = Promise.withResolvers<void>();
      const ready = new Journal<WebSocketConnection>();
      const served = await serve(variant, {
        ...handling({ ready: ready.add }),
        onShutdown(server) {
          asked.resolve(server);
          return done.promise;
        },
      });
      const { messages, end } = await openWs(served.url);
      const connection = await ready.next();
      const over = served.server.shutdown();
      assertStrictEquals(await asked.promise, served.server);
      assert(connection.sendUtf8("goodbye"));
      assertEquals(await messages.next(), "goodbye");
      done.resolve();
      assertEquals((await end()).code, 1001);
      await over;
    });
  });

  describe(`onTick over ${name}`, () => {
    for (const [how, fail] of FAILURES) {
      it(`a handler that ${how} is reported each time, and the ticks go on`, async () => {
        const ticks = new Journal<WebSocketServer>();
        await using served = await serve(variant, {
          tickPeriod: 0.01,
          onTick(server) {
            ticks.add(server);
            return fail();
          },
        });
        const [server] = await ticks.first(3);
        assertStrictEquals(server, served.server);
        assertReported(served, "onTick");
        assert(served.errors.length >= 2);
      });
    }

    it("does not run twice at once, whatever becomes of the period meanwhile", async () => {
      const ticks = new Journal<() => void>();
      let running = 0;
      await using served = await serve(variant, {
        tickPeriod: 0.01,
        async onTick() {
          running++;
          await new Promise<void>((resolve) => ticks.add(resolve));
          running--;
        },
      });
      const finish = await ticks.next();
      served.server.tickPeriod = 0.02;
      await new Promise((resolve) => setTimeout(resolve, 100));
      assertEquals([running, ticks.entries.length], [1, 1]);
      finish();
      const finishSecond = await ticks.next();
      assertEquals(running, 1);
      await served.server.shutdown();
      finishSecond();
    });

    it("does not drift: what a tick takes is not added to the period", async () => {
      const [period, work] = [200, 75];
      const times = new Journal<number>();
      await using _served = await serve(variant, {
        tickPeriod: period / 1000,
        onTick() {
          times.add(performance.now());
          return new Promise((resolve) => setTimeout(resolve, work));
        },
      });
      // One that drifts never ticks sooner than after both; a busy machine is late, but not each time.
      for (let before = await times.next();;) {
        const time = await times.next();
        if (time - before < period + work / 2) break;
        before = time;
      }
    });
  });

  describe(`onError over ${name}`, () => {
    it("is told of server, error and connection, and so is the connection's own", async () => {
      const told = new Journal<unknown[]>();
      const toldOwn = new Journal<unknown[]>();
      await using served = await serve(variant, {
        ...handling({
          utf8: FAILURES[0][1],
          error: (...args) => toldOwn.add(args),
        }),
        onError: (...args) => told.add(args),
      });
      using client = await RawClient.open(served.url);
      client.write(clientFrame(1, "Hello"));
      const [server, error, connection] = await told.next();
      assertStrictEquals(server, served.server);
      assert(error instanceof WebSocketError && error.code === "ERR_HANDLER");
      assertEquals(await toldOwn.next(), [connection, error]);
      assertStrictEquals(served.server.error, error);
      assertStrictEquals((connection as WebSocketConnection).error, error);
    });

    it("one that fails is logged, and so is the connection's own", async () => {
      for (const [, fail] of FAILURES) {
        const logged = new Journal<string>();
        const log = (message: string) => logged.add(message);
        await using served = await serve(variant, {
          ...handling({ utf8: fail, error: fail }),
          debug: 1,
          logger: { debug: log, info: log, warn: log, error: log },
          onError: fail,
        });
        using client = await RawClient.open(served.url);
        client.write(clientFrame(1, "Hello"));
        const [first, ...others] = await logged.first(3);
        assertMatch(first, /handler failed: out of luck/);
        assertEquals(others, Array(2).fill("An error handler failed"));
      }
    });
  });

  describe(`handlers of a connection over ${name}`, () => {
    // Those for origin and handshake are in tests/integration/handshake_events_test.ts; what comes of the
    // failure of others than drain, in delivery_test.ts there.
    for (const [how, fail] of FAILURES) {
      it(`drain: one that ${how} is reported, and the connection goes on`, async () => {
        const { event, cause } = EVENTS.find(({ event }) => event === "drain")!;
        const { served, client, messages } = await provoke(event, cause, fail);
        await using _served = served;
        using _client = client;
        client.write(clientFrame(1, "next"));
        assertEquals(await messages.next(), "next");
        assertReported(served, "connection");
      });
    }

    const told = (event: string) => variant.engine !== "Deno.serve" || !/^p[io]ng$/.test(event);
    for (const { event, holds, cause } of EVENTS.filter(({ event }) => told(event))) {
      const effect = holds ? "holds the next message back until it settles" : "is not waited for";
      it(`${event}: a slow promise ${effect}`, async () => {
        const gate = Promise.withResolvers<void>();
        const { served, client, messages } = await provoke(event, cause, () => gate.promise);
        await using _served = served;
        using _client = client;
        if (!holds) {
          await served.server.shutdown();
          return;
        }
        client.write(clientFrame(1, "next"));
        await pass(served);
        await pass(served);
        assertEquals(messages.entries, []);
        gate.resolve();
        assertEquals(await messages.next(), "next");
      });
    }

    /** Has one connection's handler act once, and waits until it has been called. */
    async function provoke(
      event: keyof ConnectionHandlers<WebSocketConnection>,
      cause: (client: RawClient, connection: WebSocketConnection) => void,
      act: () => unknown,
    ) {
      const messages = new Journal<string>();
      const connections = new Journal<WebSocketConnection>();
      const called = Promise.withResolvers<void>();
      let acted = false;
      const once = (_connection: WebSocketConnection, data?: unknown) => {
        if (acted) {
          if (event === "utf8") messages.add(data as string);
          return;
        }
        acted = true;
        called.resolve();
        return act();
      };
      const served = await serve(variant, {
        highWaterMark: 1000,
        onConnect(_server, connection) {
          connections.add(connection);
          connection.on({
            utf8: (_connection, data) => messages.add(data),
            [event]: once,
          });
        },
      });
      const client = await RawClient.open(served.url);
      cause(client, await connections.next());
      await called.promise;
      return { served, client, messages };
    }
  });
}

/** The first error is that of a handler, kept and told of with its cause. */
function assertReported({ server, errors }: Served<WebSocketConnection>, handler: string): void {
  const [error] = errors as WebSocketError[];
  assertEquals([error?.code, (error?.cause as Error)?.message], ["ERR_HANDLER", WHY]);
  assertMatch(error.message, new RegExp(`${handler}.*${WHY}`));
  assert(server.error instanceof WebSocketError && server.error.code === "ERR_HANDLER");
}

/** Over tcp the socket is closed without a word, over http the answer is 500. */
async function assertTurnedAway(http: boolean, url: string): Promise<void> {
  using client = await RawClient.connect(url);
  client.write(upgradeRequest());
  if (http) assertEquals((await client.response()).status, 500);
  else await client.end();
  if (!http) assertEquals(client.received.length, 0);
}
