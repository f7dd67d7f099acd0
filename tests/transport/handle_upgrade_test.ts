import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { describe, it } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect, permessageDeflate, type RefusedError } from "../../client/mod.ts";
import {
  type ConnectionInit,
  WebSocketConnection,
  WebSocketError,
  WebSocketServer,
  type WebSocketServerOptions,
} from "../../mod.ts";
import { clientFrame } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { cert, echo, handling, key, runtime, transports } from "../support/transports.ts";

const quiet = { debug: 0, tls: { ca: cert } } as const;

/** An application's own HTTP server, with ours mounted on it. */
interface Application extends AsyncDisposable {
  readonly app: Server;
  readonly server: WebSocketServer;
  readonly url: string;
}

async function mount(secure: boolean, options: WebSocketServerOptions): Promise<Application> {
  const server = new WebSocketServer({ transport: "tcp", debug: 0, closeTimeout: 2, ...options });
  const answer = (_request: unknown, response: { end(text: string): void }) =>
    response.end("a page");
  const app = secure
    ? createTlsServer({ cert, key }, answer) as unknown as Server
    : createServer(answer);
  app.on("upgrade", (request, socket, head) => server.handleUpgrade(request, socket, head));
  app.listen(0, "127.0.0.1");
  await once(app, "listening");
  const { port } = app.address() as { port: number };
  return {
    app,
    server,
    url: `${secure ? "wss" : "ws"}://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      app.closeAllConnections();
      await new Promise((resolve) => app.close(resolve));
    },
  };
}

for (const secure of [false, true]) {
  describe(`handleUpgrade() of node:${secure ? "https" : "http"} on ${runtime}`, () => {
    it("opens WebSockets beside the application's pages", async () => {
      await using it = await mount(secure, { ...echo, extensions: permessageDeflate() });
      const connection = await connect(`${it.url}/chat?x=1`, {
        ...quiet,
        extensions: "permessage-deflate",
        compressionThreshold: 0,
      });
      assertEquals(connection.extensions, ["permessage-deflate"]);
      for (const size of [0, 1, 125, 5000, 65_536, 1_000_000]) {
        const text = "ä".repeat(size);
        connection.send(text);
        assertEquals(await connection.recv(), text);
      }
      using page = await RawClient.connect(it.url);
      page.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
      await page.end();
      assertStringIncludes(page.received.toString(), "a page");
      const end = new Promise((resolve) =>
        connection.on({ disconnect: (_it, code, reason) => resolve([code, reason]) })
      );
      connection.disconnect(4000, "bye");
      assertEquals((await patiently(end, "the end") as unknown[])[0], 4000);
    });

    it("gives the request, as it was parsed, and its socket", async () => {
      const told = new Journal<unknown[]>();
      await using it = await mount(
        secure,
        handling({
          handshake(connection, { request }) {
            const { incoming } = request;
            assert(incoming !== undefined);
            told.add([
              request.uri.pathname,
              request.cookies.get("a"),
              incoming.url,
              incoming.socket === connection.socket,
              request.isSecure,
              connection.ip,
            ]);
          },
        }),
      );
      const connection = await connect(`${it.url}/a%20b?x=1`, {
        ...quiet,
        headers: { cookie: "a=b" },
      });
      assertEquals(await told.next(), ["/a%20b", "b", "/a%20b?x=1", true, secure, "127.0.0.1"]);
      connection.terminate();
    });

    it("answers what it refuses, with our rules", async () => {
      await using it = await mount(
        secure,
        handling({
          handshake: (_connection, handshake) => handshake.reject(401, { body: "no" }),
        }),
      );
      const error = await connect(it.url, quiet).catch((error) => error) as RefusedError;
      assertEquals([error.status, error.text], [401, "no"]);
      const bad = await RawClient.ask(it.url, upgradeRequest({ "Sec-WebSocket-Key": "short" }));
      assertEquals(bad.status, 400);
      const old = await RawClient.ask(it.url, upgradeRequest({ "Sec-WebSocket-Version": "12" }));
      assertEquals(old.status, 426);
    });

    it("reads frames that came with the request", async () => {
      await using it = await mount(secure, echo);
      using client = await RawClient.connect(it.url);
      client.write(Buffer.concat([
        Buffer.from(upgradeRequest(), "latin1"),
        clientFrame(1, new TextEncoder().encode("early")),
      ]));
      assertEquals((await client.response(true)).status, 101);
      assertEquals((await client.frame())!.payload.toString(), "early");
    });

    it("has a slow handler's peer wait", async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      let count = 0;
      await using it = await mount(secure, {
        highWaterMark: 100_000,
        ...handling({
          binary() {
            count++;
            return promise;
          },
        }),
      });
      const connection = await connect(it.url, { ...quiet, highWaterMark: 100_000 });
      const piece = new Uint8Array(100_000);
      let sent = 0;
      const flood = (async () => {
        while (sent < 300) {
          sent++;
          if (!connection.send(piece)) await connection.drained();
        }
      })();
      for (let before = -1; before !== sent;) {
        before = sent;
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
      assertEquals(count, 1);
      assert(sent < 300, `${sent} pieces were taken`);
      resolve();
      await patiently(flood, "the rest of a flood");
      connection.terminate();
    });

    it("a socket is taken once: a second server throws, with what to do, and the first serves it", async () => {
      await using it = await mount(secure, echo);
      const other = new WebSocketServer({ transport: "tcp", debug: 0 });
      const told = new Journal<WebSocketError>();
      it.app.on("upgrade", (request, socket, head) => {
        try {
          other.handleUpgrade(request, socket, head);
        } catch (error) {
          told.add(error as WebSocketError);
        }
      });
      const connection = await connect(it.url, quiet);
      const { code, message } = await told.next();
      assertEquals([code, other.connections.size], ["ERR_STATE", 0]);
      assertStringIncludes(message, "call handleUpgrade() once");
      connection.send("still here");
      assertEquals(await connection.recv(), "still here");
      connection.terminate();
      await other.shutdown();
    });

    it("a socket whose client has left before it was handed over opens nothing", async () => {
      const events: string[] = [];
      const server = new WebSocketServer({
        transport: "tcp",
        debug: 0,
        silenceMax: 0,
        onConnect: () => void events.push("connect"),
        onError: (_server, error) => void events.push(error.message),
      });
      const app = secure ? createTlsServer({ cert, key }) : createServer();
      const handed = Promise.withResolvers<void>();
      const taken = Promise.withResolvers<void>();
      app.on("upgrade", (request, socket, head) => {
        // As an application does that looks its user up first.
        socket.on("error", () => {}).on("close", () => {
          server.handleUpgrade(request, socket, head);
          taken.resolve();
        });
        socket.resume();
        handed.resolve();
      });
      app.listen(0, "127.0.0.1");
      await once(app, "listening");
      const { port } = app.address() as { port: number };
      using client = await RawClient.connect(`${secure ? "wss" : "ws"}://127.0.0.1:${port}`);
      client.write(upgradeRequest());
      await handed.promise;
      client.reset();
      await patiently(taken.promise, "the end of a socket");
      await server.shutdown();
      assertEquals([events, server.connections.size], [[], 0]);
      app.close();
    });

    it("a client that has ended its half by then is answered, and its end is told of", async () => {
      const ends = new Journal<number>();
      const server = new WebSocketServer({
        ...handling({ disconnect: (_connection, code) => ends.add(code) }),
        transport: "tcp",
        debug: 0,
        silenceMax: 0,
      });
      const app = secure ? createTlsServer({ cert, key }) : createServer();
      app.on("upgrade", (request, socket, head) => {
        (socket as Socket).allowHalfOpen = true;
        socket.on("error", () => {}).on("end", () => {
          // Only once the socket has told everybody.
          setTimeout(() => server.handleUpgrade(request, socket, head), 0);
        });
        socket.resume();
      });
      app.listen(0, "127.0.0.1");
      await once(app, "listening");
      const { port } = app.address() as { port: number };
      using client = await RawClient.connect(`${secure ? "wss" : "ws"}://127.0.0.1:${port}`);
      client.socket.end(upgradeRequest());
      assertEquals(await ends.next(), 1006);
      await server.shutdown();
      app.close();
    });

    it("a connection whose data cannot be set gives its seat back, which is told once", async () => {
      class Fixed extends WebSocketConnection {
        constructor(init: ConnectionInit) {
          super(init);
          Object.defineProperty(this, "data", { value: "fixed", writable: false });
        }
      }
      const errors: string[] = [];
      await using it = await mount(secure, {
        connectionClass: Fixed,
        maxConnections: 1,
        onError: (_server, error) => void errors.push(error.message),
      });
      it.app.removeAllListeners("upgrade").on("upgrade", (request, socket, head) => {
        it.server.handleUpgrade(request, socket, head, { data: "another" });
      });
      for (let i = 1; i <= 2; i++) {
        assertEquals((await RawClient.ask(it.url, upgradeRequest())).status, 500);
        assertEquals(errors.length, i);
      }
    });

    it("leaves the application's server alone when it shuts down", async () => {
      await using it = await mount(secure, echo);
      const connection = await connect(it.url, quiet);
      const end = new Promise((resolve) =>
        connection.on({ disconnect: (_it, code) => resolve(code) })
      );
      await it.server.shutdown();
      assertEquals(await patiently(end, "the end"), 1001);
      assert(it.app.listening);
      using page = await RawClient.connect(it.url);
      page.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
      await page.end();
      assertStringIncludes(page.received.toString(), "a page");
      const late = await RawClient.ask(it.url, upgradeRequest());
      assertEquals(late.status, 503);
    });
  });
}

describe("handleUpgrade()", () => {
  it("answers 400 to what a lenient parser has let through", async () => {
    const server = new WebSocketServer({ transport: "tcp", debug: 0 });
    const app = createServer({ insecureHTTPParser: true });
    app.on("upgrade", (request, socket, head) => server.handleUpgrade(request, socket, head));
    app.listen(0, "127.0.0.1");
    await once(app, "listening");
    const { port } = app.address() as { port: number };
    const { status } = await RawClient.ask(
      `ws://127.0.0.1:${port}`,
      upgradeRequest({ "X-Odd": "a\x01b" }),
    );
    assertEquals(status, 400);
    await server.shutdown();
    app.close();
  });

  it("is of our own engine only, and wants the arguments of the event", () => {
    const code = (act: () => void): string => {
      try {
        act();
      } catch (error) {
        if (error instanceof WebSocketError) return error.code;
      }
      return "nothing";
    };
    const nothing = {} as IncomingMessage;
    for (const { transport, engine } of transports) {
      const server = new WebSocketServer({ transport, debug: 0 });
      assertEquals(
        code(() => server.handleUpgrade(nothing, {} as never, Buffer.alloc(0))),
        engine === "tcp" ? "ERR_INVALID_ARGUMENT" : "ERR_UNSUPPORTED",
      );
      void server.shutdown();
    }
  });
});
