import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, type ConnectOptions, RefusedError } from "../../client/mod.ts";
import type { WebSocketConnection } from "../../mod.ts";
import { Journal } from "../support/journal.ts";
import { handling, serve, type Served, transports } from "../support/transports.ts";

const tcp = transports.find(({ transport }) => transport === "tcp")!;
const soon = { minDelay: 0.001, maxDelay: 0.05 };

/** A server that tells of those who have come and of what they have sent. */
async function serveAll(port = 0): Promise<
  Served<WebSocketConnection> & {
    came: Journal<WebSocketConnection>;
    messages: Journal<string>;
  }
> {
  const came = new Journal<WebSocketConnection>();
  const messages = new Journal<string>();
  const served = await serve(tcp, {
    port,
    ...handling({ ready: came.add, utf8: (_it, text) => messages.add(text) }),
  });
  return Object.assign(served, { came, messages });
}

/** Options that come again soon, with a journal of each coming and going. */
function journaled(): { options: ConnectOptions; told: Journal<string>; stop: AbortController } {
  const told = new Journal<string>();
  const stop = new AbortController();
  const options: ConnectOptions = {
    debug: 0,
    signal: stop.signal,
    reconnecting: { ...soon, onFailure: () => told.add("failed") },
    handlers: {
      ready: () => told.add("came"),
      disconnect: (_it, code) => told.add(`went ${code}`),
    },
  };
  return { options, told, stop };
}

describe("connect({ reconnecting })", () => {
  it("comes again when the server ends it, and when it is lost", async () => {
    await using served = await serveAll();
    const { options, told, stop } = journaled();
    await connect(served.url, options);
    assertEquals(await told.next(), "came");
    (await served.came.next()).disconnect(1012);
    assertEquals([await told.next(), await told.next()], ["went 1012", "came"]);
    (await served.came.next()).terminate();
    assertEquals([await told.next(), await told.next()], ["went 1006", "came"]);
    (await served.came.next()).disconnect(1000);
    assertEquals([await told.next(), await told.next()], ["went 1000", "came"]);
    stop.abort();
  });

  it("tries until there is a server, again and again", async () => {
    const first = await serveAll();
    const { port } = first.server;
    const { options, told, stop } = journaled();
    await connect(first.url, options);
    assertEquals(await told.next(), "came");
    await first.server.shutdown();
    assertEquals([await told.next(), await told.next()], ["went 1001", "failed"]);
    await using second = await serveAll(port);
    let next = await told.next();
    while (next === "failed") next = await told.next();
    assertEquals(next, "came");
    assertEquals(second.server.connections.size, 1);
    stop.abort();
  });

  it("waits for the first connection too", async () => {
    const { options, told, stop } = journaled();
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    const { port } = blocker.address() as AddressInfo;
    await new Promise((resolve) => blocker.close(resolve));
    const connecting = connect(`ws://127.0.0.1:${port}`, options);
    assertEquals(await told.next(), "failed");
    await using served = await serveAll(port);
    const connection = await connecting;
    connection.send("here");
    assertEquals(await served.messages.next(), "here");
    stop.abort();
  });

  it("sends nothing twice, and nothing over a connection that it was not given to", async () => {
    await using served = await serveAll();
    const { options, told, stop } = journaled();
    let number = 0;
    const connection = await connect(served.url, {
      ...options,
      handlers: {
        ready(connection) {
          connection.send(`hello ${++number}`);
          told.add("came");
        },
      },
    });
    assertEquals(await told.next(), "came");
    assertEquals(await served.messages.next(), "hello 1");
    (await served.came.next()).terminate();
    connection.send("lost");
    assertEquals(await told.next(), "came");
    assertEquals(await served.messages.next(), "hello 2");
    (await served.came.next()).terminate();
    assertEquals(await told.next(), "came");
    assertEquals(await served.messages.next(), "hello 3");
    assertEquals(served.messages.entries.filter((it) => it === "lost").length <= 1, true);
    stop.abort();
  });

  for (const end of ["disconnect", "terminate"] as const) {
    it(`does not come again after ${end}() of the application's own`, async () => {
      await using served = await serveAll();
      const { options, told } = journaled();
      const connection = await connect(served.url, options);
      assertEquals(await told.next(), "came");
      connection[end]();
      assert((await told.next()).startsWith("went"));
      await new Promise((resolve) => setTimeout(resolve, 200));
      assertEquals(told.entries.length, 2);
      assertEquals(served.came.entries.length, 1);
    });
  }

  it("does not come again once its signal has aborted, also while it waits", async () => {
    const served = await serveAll();
    const { options, told, stop } = journaled();
    await connect(served.url, options);
    await served.server.shutdown();
    assertEquals(
      [await told.next(), await told.next(), await told.next()],
      ["came", "went 1001", "failed"],
    );
    stop.abort();
    const before = told.entries.length;
    await using again = await serveAll(served.server.port);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assertEquals(told.entries.length, before);
    assertEquals(again.came.entries.length, 0);
  });

  it("gives up where a refusal is for good, and tells so", async () => {
    const failures: unknown[] = [];
    let status = 503;
    await using served = await serve(
      tcp,
      handling({ handshake: (_it, handshake) => handshake.reject(status) }),
    );
    const error = await assertRejects(() =>
      connect(served.url, {
        debug: 0,
        reconnecting: {
          ...soon,
          onFailure(error, delay) {
            failures.push([(error as RefusedError).status, delay === undefined]);
            if (failures.length === 3) status = 401;
          },
        },
      })
    );
    assert(error instanceof RefusedError);
    assertEquals(failures, [[503, false], [503, false], [503, false], [401, true]]);
  });

  it("spreads its attempts over a time that doubles, up to a bound (full jitter)", async () => {
    const delays: number[] = [];
    const enough = new AbortController();
    const sockets = new Set<Socket>();
    const closing = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {}).destroy();
    });
    await new Promise<void>((resolve) => closing.listen(0, "127.0.0.1", resolve));
    const { port } = closing.address() as AddressInfo;
    await assertRejects(() =>
      connect(`ws://127.0.0.1:${port}`, {
        debug: 0,
        signal: enough.signal,
        reconnecting: {
          minDelay: 0.000_5,
          maxDelay: 0.004,
          onFailure(_error, delay) {
            delays.push(delay!);
            if (delays.length === 60) enough.abort();
          },
        },
      })
    );
    await new Promise((resolve) => closing.close(resolve));
    const bounds = [0.000_5, 0.001, 0.002, ...delays.slice(3).map(() => 0.004)];
    assert(delays.every((delay, at) => delay >= 0 && delay <= bounds[at]));
    // Of some 57 numbers up to 4 ms, not one in either half is as likely as a coin that never turns.
    assert(delays.some((it) => it > 0.002) && delays.slice(3).some((it) => it < 0.002));
  });
});
