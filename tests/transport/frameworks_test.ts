import express from "express";
import fastify, { type FastifyHttpOptions } from "fastify";
import Koa from "koa";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createServer as createVite } from "vite";
import { connect } from "../../client/mod.ts";
import { type WebSocketConnection, WebSocketServer } from "../../mod.ts";
import { patiently } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { cert, echo, key, runtime } from "../support/transports.ts";

/** An application of a framework, which serves "a page" at `/`. */
interface Application {
  /** Its HTTP server. */
  readonly app: Server;
  /** Has it listen on a free port. */
  listen(): Promise<unknown>;
  /** Ends it, as its framework wants that to be done. */
  close(): Promise<unknown>;
}

/** Makes an application, which does not listen yet. */
type Framework = (secure: boolean) => Promise<Application>;

function createHttp(secure: boolean, listener?: RequestListener): Server {
  return secure
    ? createTlsServer({ cert, key }, listener) as unknown as Server
    : createServer(listener);
}

/** An application that is told to listen and to end by its HTTP server. */
function onHttp(app: Server): Application {
  return {
    app,
    listen() {
      app.listen(0, "127.0.0.1");
      return once(app, "listening");
    },
    close: () => new Promise((resolve) => app.close(resolve)),
  };
}

/** Fastify with a page. */
async function onFastify(options: FastifyHttpOptions<Server>): Promise<Application> {
  const pages = fastify({ ...options, forceCloseConnections: true });
  pages.get("/", () => "a page");
  await pages.ready();
  return {
    app: pages.server,
    listen: () => pages.listen({ port: 0, host: "127.0.0.1" }),
    close: () => pages.close(),
  };
}

const FRAMEWORKS: Record<string, Framework> = {
  "Express"(secure) {
    const pages = express();
    pages.get("/", (_request, response) => void response.send("a page"));
    return Promise.resolve(onHttp(createHttp(secure, pages)));
  },

  "Fastify": (secure) =>
    onFastify({ https: secure ? { cert, key } : null } as FastifyHttpOptions<Server>),

  "Fastify with serverFactory": (secure) =>
    onFastify({ serverFactory: (handler) => createHttp(secure, handler as RequestListener) }),

  "Koa"(secure) {
    const pages = new Koa();
    pages.use((context) => {
      context.body = "a page";
    });
    return Promise.resolve(onHttp(createHttp(secure, pages.callback())));
  },

  async "Vite's middleware mode"(secure) {
    const app = createHttp(secure);
    const vite = await createVite({
      configFile: false,
      root: fileURLToPath(new URL("../../examples/public", import.meta.url)),
      logLevel: "silent",
      appType: "custom",
      optimizeDeps: { noDiscovery: true },
      // Its own WebSockets come over the same port.
      server: { middlewareMode: true, hmr: { server: app }, watch: null },
    });
    app.on(
      "request",
      (request, response) => vite.middlewares(request, response, () => response.end("a page")),
    );
    const { listen, close } = onHttp(app);
    return {
      app,
      listen,
      async close() {
        await vite.close();
        await close();
      },
    };
  },
};

/** The path of our WebSockets; what is asked for elsewhere is the framework's own. */
const PATH = "/socket";

/** Mounts a server in an application; it takes the place of one that was mounted before. */
class Mounted {
  readonly server: WebSocketServer = new WebSocketServer({
    transport: "tcp",
    debug: 0,
    closeTimeout: 2,
    ...echo,
  });
  readonly #upgrade = (request: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    if (request.url === PATH) this.server.handleUpgrade(request, socket, head);
  };

  constructor(app: Server, before?: Mounted) {
    if (before !== undefined) app.off("upgrade", before.#upgrade);
    app.on("upgrade", this.#upgrade);
  }
}

async function openSocket(url: string): Promise<WebSocketConnection> {
  return await connect(url + PATH, { debug: 0, tls: { ca: cert } });
}

async function getPage(url: string): Promise<string> {
  using client = await RawClient.connect(url);
  client.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
  await client.end();
  return client.received.toString();
}

for (const [name, create] of Object.entries(FRAMEWORKS)) {
  for (const secure of [false, true]) {
    describe(`a server mounted in ${name}${secure ? " with TLS" : ""} on ${runtime}`, () => {
      it("opens WebSockets on the port of the pages, is replaced, and ends before they do", async () => {
        const { app, listen, close } = await create(secure);
        const first = new Mounted(app);
        await listen();
        const { port } = app.address() as AddressInfo;
        const url = `${secure ? "wss" : "ws"}://127.0.0.1:${port}`;

        const connection = await openSocket(url);
        for (const message of ["héllo", "x".repeat(70_000), Uint8Array.of(1, 2)]) {
          connection.send(message);
          assertEquals(await connection.recv(), message);
        }
        assertStringIncludes(await getPage(url), "a page");

        const told = new Promise((resolve) =>
          connection.on({ disconnect: (_it, code) => resolve(code) })
        );
        const second = new Mounted(app, first);
        await first.server.shutdown();
        assertEquals(await patiently(told, "the end of the first server"), 1001);
        assert(app.listening);
        const again = await openSocket(url);
        again.send("again");
        assertEquals(await again.recv(), "again");
        assertStringIncludes(await getPage(url), "a page");

        await second.server.shutdown();
        assertEquals((await RawClient.ask(url, upgradeRequest({}, PATH))).status, 503);
        await patiently(close(), "the end of the application");
        assertEquals(app.listening, false);
      });
    });
  }
}

describe(`a server mounted in Vite's middleware mode on ${runtime}`, () => {
  it("leaves the page's own WebSocket to Vite", async () => {
    const { app, listen, close } = await FRAMEWORKS["Vite's middleware mode"](false);
    const { server } = new Mounted(app);
    await listen();
    const { port } = app.address() as AddressInfo;
    const connection = await connect(`ws://127.0.0.1:${port}/`, {
      debug: 0,
      subprotocols: ["vite-ping"],
    });
    assertEquals(connection.subprotocol, "vite-ping");
    assertEquals(server.connections.size, 0);
    connection.terminate();
    await server.shutdown();
    await close();
  });
});
