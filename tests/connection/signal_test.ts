import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import { connect } from "../../client/mod.ts";
import { type WebSocketConnection, WebSocketError, WebSocketServer } from "../../mod.ts";
import { clientFrame, closeBytes, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { echo, handling, serve, transports } from "../support/transports.ts";

/** More than the buffers of the system take at once. */
const MUCH = new Uint8Array(32 * 1024 * 1024);

/** What keeps a handler busy until the connection's signal aborts. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

const departures: readonly [
  name: string,
  leave: (client: RawClient, connection: WebSocketConnection) => void,
][] = [
  ["the peer closes", (client) => client.write(clientFrame(8, closeBytes(1000)))],
  ["the peer resets", (client) => client.reset()],
  ["the peer ends its stream", (client) => void client.socket.end()],
  ["disconnect() is called", (_client, connection) => connection.disconnect(1000)],
  ["terminate() is called", (_client, connection) => connection.terminate()],
];

for (const variant of transports) {
  describe(`AbortSignal over ${variant.name}`, () => {
    for (const [name, leave] of departures) {
      it(`connection.signal aborts when ${name}, before disconnect`, async () => {
        const connections = new Journal<WebSocketConnection>();
        const told = new Journal<string>();
        await using served = await serve(
          variant,
          handling({
            ready(connection) {
              connection.signal.addEventListener("abort", () => told.add("abort"));
              connections.add(connection);
            },
            disconnect: ({ signal }) => told.add(`disconnect ${signal.aborted}`),
          }),
        );
        using client = await RawClient.open(served.url);
        const connection = await connections.next();
        const { signal } = connection;
        assertEquals([signal.aborted, connection.signal === signal], [false, true]);
        leave(client, connection);
        await told.first(1);
        client.reset();
        assertEquals(await told.first(2), ["abort", "disconnect true"]);
        assert(signal.reason instanceof WebSocketError);
        assertEquals(signal.reason.code, "ERR_CLOSED");
      });
    }

    it("connection.signal ends a handler that others wait for, and its rejection is no error", async () => {
      const told = new Journal<string>();
      const begun = new Journal<string>();
      await using served = await serve(variant, {
        ...handling({
          utf8(connection, data) {
            begun.add(data);
            return untilAborted(connection.signal);
          },
          disconnect: (_connection, code) => told.add(`${code}`),
        }),
        closeTimeout: 60,
      });
      using client = await RawClient.open(served.url);
      client.write(
        concat(clientFrame(1, "a"), clientFrame(1, "b"), clientFrame(8, closeBytes(1000))),
      );
      // The second handler comes too late to be aborted, and is not waited for.
      assertEquals(await told.next(), "1000");
      assertEquals(begun.entries, ["a", "b"]);
      assertEquals(served.errors, []);
    });

    it("what else a handler rejects with is an error, with an aborted signal too", async () => {
      await using served = await serve(variant, {
        ...handling({
          ready: (connection) =>
            untilAborted(connection.signal).catch(() => Promise.reject(new Error("mine"))),
        }),
      });
      using client = await RawClient.open(served.url);
      client.write(clientFrame(8, closeBytes(1000)));
      assertEquals(await client.closeCode(), 1000);
      await patiently(served.server.shutdown(), "the end of the server");
      assertEquals(served.errors.map(({ message }) => message), [
        "A connection's handler failed: mine",
      ]);
    });

    it("connection.signal has aborted where it is asked for after the end", async () => {
      const signals = new Journal<AbortSignal>();
      await using served = await serve(
        variant,
        handling({ disconnect: (connection) => signals.add(connection.signal) }),
      );
      using client = await RawClient.open(served.url);
      client.write(clientFrame(8, closeBytes(1000)));
      assertEquals((await signals.next()).aborted, true);
    });

    it("connection.signal aborts for a peer that is refused", async () => {
      const signals: AbortSignal[] = [];
      await using served = await serve(variant, {
        onConnect(_server, connection) {
          signals.push(connection.signal);
          connection.on({ handshake: (_connection, handshake) => handshake.reject(403) });
        },
      });
      const { status } = await RawClient.ask(served.url, upgradeRequest());
      assertEquals(status, 403);
      await served.server.shutdown();
      assertEquals(signals.map(({ aborted }) => aborted), [true]);
    });

    it("a listener of connection.signal may call anything", async () => {
      const told = new Journal<unknown>();
      await using served = await serve(
        variant,
        handling({
          ready(connection) {
            connection.signal.addEventListener("abort", () => {
              told.add(connection.send("too late"));
              connection.disconnect(1000);
              connection.terminate();
            });
          },
          disconnect: () => told.add("disconnect"),
        }),
      );
      using client = await RawClient.open(served.url);
      client.write(clientFrame(8, closeBytes(1000)));
      assertEquals(await told.first(2), [false, "disconnect"]);
      assertEquals(served.errors, []);
    });

    it("drained({ signal }) gives up with the signal's reason; others wait on", async () => {
      const connections = new Journal<WebSocketConnection>();
      await using served = await serve(variant, handling({ ready: connections.add }));
      using client = await RawClient.open(served.url);
      const connection = await connections.next();
      client.pause();
      connection.send(MUCH);
      const { signal, abort } = aborting();
      const given = connection.drained({ signal });
      const other = connection.drained();
      abort("enough");
      assertEquals(await given.catch((reason) => reason), "enough");
      assertEquals(await connection.drained({ signal }).catch((reason) => reason), "enough");
      assertEquals(await Promise.race([other, Promise.resolve("waits on")]), "waits on");
      connection.terminate();
      await patiently(other, "drained()");
      await connection.drained({ signal: new AbortController().signal });
    });

    it("drained() settles at the end, with a signal too", async () => {
      const connections = new Journal<WebSocketConnection>();
      await using served = await serve(variant, handling({ ready: connections.add }));
      using client = await RawClient.open(served.url);
      const connection = await connections.next();
      client.pause();
      connection.send(MUCH);
      const drained = connection.drained({ signal: aborting().signal });
      connection.terminate();
      await patiently(drained, "drained()");
    });

    it("drained() takes { signal } and nothing else", async () => {
      const connections = new Journal<WebSocketConnection>();
      await using served = await serve(variant, handling({ ready: connections.add }));
      using _client = await RawClient.open(served.url);
      const connection = await connections.next();
      for (const bad of [null, 1, { timeout: 1 }, { signal: 5 }]) {
        const error = await assertRejects(() => connection.drained(bad as object), WebSocketError);
        assertEquals(error.code, "ERR_INVALID_ARGUMENT");
        assert(error.message.includes("it takes { signal }, an AbortSignal"), error.message);
      }
    });

    it("start({ signal }) shuts the server down when that aborts", async () => {
      const { signal, abort } = aborting();
      const shutdowns: string[] = [];
      const server = new WebSocketServer({
        ...echo,
        transport: variant.transport,
        hostname: "127.0.0.1",
        debug: 0,
        closeTimeout: 2,
        onShutdown: () => void shutdowns.push("shutdown"),
      });
      await server.start({ signal });
      using client = await RawClient.open(`ws://127.0.0.1:${server.port}`);
      abort("stop");
      assertEquals(await client.closeCode(), 1001);
      client.write(clientFrame(8, closeBytes(1001)));
      await patiently(server.finished, "the end of the server");
      assertEquals(shutdowns, ["shutdown"]);
    });

    it("start({ signal }) rejects with the reason when that aborts meanwhile, or has", async () => {
      const options = { transport: variant.transport, hostname: "127.0.0.1", debug: 0 } as const;
      const { signal, abort } = aborting();
      const server = new WebSocketServer(options);
      const starting = server.start({ signal });
      abort("changed my mind");
      assertEquals(await starting.catch((reason) => reason), "changed my mind");
      await server.finished;

      await using other = new WebSocketServer(options);
      assertEquals(await other.start({ signal }).catch((reason) => reason), "changed my mind");
      await other.start();
    });

    it("start() takes { signal } and nothing else, and may then be tried again", async () => {
      await using server = new WebSocketServer({
        transport: variant.transport,
        hostname: "127.0.0.1",
        debug: 0,
      });
      for (const bad of [null, { port: 80 }, { signal: "stop" }]) {
        const error = await assertRejects(() => server.start(bad as object), WebSocketError);
        assertEquals([error.code, server.error], ["ERR_INVALID_ARGUMENT", error]);
      }
      await server.start();
    });

    it("a client's connection has them too", async () => {
      await using served = await serve(variant, echo);
      const connection = await connect(served.url);
      const { signal } = connection;
      await connection.drained({ signal });
      connection.disconnect(1000);
      assertEquals(signal.aborted, true);
      assertThrows(() => signal.throwIfAborted(), WebSocketError);
    });
  });
}

function aborting(): { signal: AbortSignal; abort(reason: unknown): void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}
