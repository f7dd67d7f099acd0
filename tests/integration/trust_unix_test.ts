import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { connect as connectSocket, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { connect } from "../../client/mod.ts";
import { WebSocketError, WebSocketServer, type WebSocketServerOptions } from "../../mod.ts";
import { TrustedProxies } from "../../src/server/trusted_proxies.ts";
import { UNIX_CLIENT } from "../../src/transport/transport.ts";
import { startApplication } from "../support/application.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { upgradeRequest } from "../support/raw_client.ts";
import { runtime, transports } from "../support/transports.ts";

/** A server that is reached by the path of a Unix socket, until its end. */
type Way = (path: string, options: WebSocketServerOptions) => Promise<AsyncDisposable>;

const quiet = { debug: 0, closeTimeout: 0.5 } as const;

/** The runtimes' own ways to listen on a path. */
const { Deno, Bun } = globalThis as unknown as {
  Deno: { listen(options: { transport: "unix"; path: string }): unknown };
  Bun: { listen(options: { unix: string; socket: unknown; allowHalfOpen: true }): unknown };
};

function listening(make: (path: string) => WebSocketServerOptions): Way {
  return async (path, options) => {
    const server = new WebSocketServer({ ...quiet, ...make(path), ...options });
    await server.start();
    return server;
  };
}

const ways: Record<string, Way> = {};
for (const { name, transport } of transports) {
  ways[`${name}, which listens on a path`] = listening((path) => ({ transport, listen: { path } }));
}
ways["a node:net server of the caller's own"] = listening((path) => ({
  transport: "tcp",
  listen: createServer().listen(path),
}));
if (runtime === "deno") {
  ways["a Deno.Listener of the caller's own"] = listening((path) => ({
    transport: "tcp",
    listen: Deno.listen({ transport: "unix", path }),
  }));
}
if (runtime === "bun") {
  ways["a Bun.listen of the caller's own"] = listening((path) => ({
    transport: "tcp",
    listen: (socket: unknown) => Bun.listen({ unix: path, socket, allowHalfOpen: true }),
  }));
}
if (runtime !== "node") {
  ways["upgrade() in an application's server"] = (path, options) => {
    const server = new WebSocketServer({ ...quiet, ...options });
    const { websocket } = server;
    const application = startApplication((request, info) => server.upgrade(request, info), {
      path,
      websocket,
    });
    return Promise.resolve({
      async [Symbol.asyncDispose]() {
        await server.shutdown();
        await application[Symbol.asyncDispose]();
      },
    });
  };
}
ways["handleUpgrade() in a node:http server"] = async (path, options) => {
  const server = new WebSocketServer({ transport: "tcp", ...quiet, ...options });
  const application = createHttpServer();
  application.on("upgrade", (...event) => server.handleUpgrade(...event));
  await once(application.listen(path), "listening");
  return {
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await new Promise((resolve) => application.close(resolve));
    },
  };
};

/** Does something with the path of a Unix socket in a folder of its own. */
async function withPath(act: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "duet-trust-"));
  try {
    await act(join(folder, "socket"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const headers = { "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https" };

/** Where a server sees a client from that comes by a proxy on the same machine. */
async function seen(way: Way, trustProxy: string[] | undefined): Promise<string> {
  const told = new Journal<string>();
  await withPath(async (path) => {
    await using _server = await way(path, {
      trustProxy,
      onConnect: (_server, connection) =>
        void connection.on({
          handshake: ({ ip }, { request }) => told.add(`${ip} ${request.uri}`),
        }),
    });
    const connection = await connect("ws://example.com/chat", { unix: path, headers });
    connection.terminate();
  });
  return await told.next();
}

describe('trustProxy: ["unix"]', () => {
  const proxies = new TrustedProxies(["unix", "10.0.0.1"]);

  it("has every client of a Unix socket, beside addresses, and is no address itself", () => {
    assert(proxies.trusts(UNIX_CLIENT));
    assert(proxies.trusts({ ip: "10.0.0.1", port: 1 }));
    assert(!proxies.trusts({ ip: "unix", port: 0 }));
    assert(!new TrustedProxies(["10.0.0.1", "::/0"]).trusts(UNIX_CLIENT));
    assertThrows(() => new TrustedProxies(["Unix"]), WebSocketError, '"unix"');
  });

  it("does not have a client without an address, as one that came over TCP and has gone is", () => {
    assert(!proxies.trusts({ ip: "", port: 0 }));
  });

  it("passes over what a client tells as its proxy's name", () => {
    const get = (name: string) => name === "x-forwarded-for" ? "203.0.113.7, unix" : null;
    assertEquals(proxies.clientOf({ get }, UNIX_CLIENT).ip, "");
  });

  for (const [name, way] of Object.entries(ways)) {
    it(`believes a Unix socket's client on ${name}`, async () => {
      assertEquals(await seen(way, ["unix"]), "203.0.113.7 wss://example.com/chat");
      const itself = " ws://example.com/chat";
      assertEquals(await seen(way, ["127.0.0.1", "::/0", "0.0.0.0/0"]), itself);
      assertEquals(await seen(way, undefined), itself);
    });
  }

  for (const { name, transport } of transports) {
    it(`tells onRequest the client, and counts connections by it, on ${name}`, () =>
      withPath(async (path) => {
        await using server = new WebSocketServer({
          ...quiet,
          transport,
          listen: { path },
          trustProxy: ["unix"],
          maxConnectionsPerAddress: 1,
          onRequest: (_request, { remote }) => new Response(remote.ip),
        });
        await server.start();
        const ask = async (ip: string, fields: Record<string, string> = {}) => {
          const socket = connectSocket(path);
          socket.write(upgradeRequest({ "X-Forwarded-For": ip, ...fields }));
          const [answer] = await patiently(once(socket, "data"), "an answer");
          return { answer: String(answer), socket };
        };
        const page = await ask("203.0.113.7", { Upgrade: "", Connection: "close" });
        assertMatch(page.answer, /203\.0\.113\.7/);
        const first = await ask("203.0.113.7");
        const second = await ask("203.0.113.7");
        const other = await ask("203.0.113.8");
        assertEquals(
          [first, second, other].map(({ answer }) => answer.split(" ")[1]),
          ["101", "503", "101"],
        );
        for (const { socket } of [page, first, second, other]) socket.destroy();
      }));
  }

  const tcp = ways[`${runtime}_tcp, which listens on a path`];
  it("without it a PROXY header that comes over a Unix socket is not read", () =>
    withPath(async (path) => {
      const told = new Journal<string>();
      await using _server = await tcp(path, {
        proxyProtocol: true,
        trustProxy: ["127.0.0.1"],
        onError: (_server, error) => told.add(error.message),
      });
      const socket = connectSocket(path);
      // It is dropped, maybe while this is on its way.
      socket.on("error", () => {});
      socket.write(`PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n${upgradeRequest()}`);
      socket.resume();
      await patiently(new Promise((resolve) => socket.on("close", resolve)), "the end");
      assertEquals(socket.bytesRead, 0);
      assertMatch(await told.next(), /trustProxy does not name "unix"/);
    }));
});
