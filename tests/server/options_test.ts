import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import {
  type Extension,
  permessageDeflate,
  type WebSocketConnection,
  WebSocketError,
  WebSocketServer,
  type WebSocketServerOptions,
} from "../../mod.ts";
import { OPTIONS } from "../../src/server/option_table.ts";
import { allPaths } from "../support/all_paths.ts";
import { bytePaths, connectOver, openOver, serveOver } from "../support/byte_paths.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import {
  cert,
  handling,
  key,
  runtime,
  serve,
  transports,
  variants,
} from "../support/transports.ts";
import { assertInvalid, errorOf } from "../support/unsupported.ts";

for (const { name, transport } of transports) {
  describe(`options over ${name}`, () => {
    const make = (options: object) => () => new WebSocketServer({ transport, ...options });

    it("tls: a key that would not be heeded is refused by name, with what to do", () => {
      for (
        const more of [
          { no_such_option: 1 },
          { no_such_option: "secret", servername: "a" },
        ]
      ) {
        const error = errorOf(make({ tls: { cert, key, ...more } }));
        assertEquals(error.code, "ERR_INVALID_ARGUMENT");
        for (const it of Object.keys(more)) assertStringIncludes(error.message, it);
        assertStringIncludes(error.message, "listen: createServer({ … }) of node:tls");
        assertEquals(error.message.includes("BEGIN") || error.message.includes("secret"), false);
      }
      make({ tls: { cert, key, ca: undefined } })();
    });

    it("every option may be undefined, and stands for its default then", () => {
      const names = Object.keys(OPTIONS).filter((it) => it !== "transport");
      make(Object.fromEntries(names.map((name) => [name, undefined])))();
    });

    it("an option of a wrong type, or with a hole or a wrong item in its array, is refused by name", () => {
      const loop: unknown[] = [];
      loop.push(loop);
      const strange = [null, "5", 5n, Symbol("five"), Object.create(null), loop, () => 5, class {}];
      const wrong: Record<string, readonly unknown[]> = {
        transport: [5],
        port: [NaN, -1, 0.5, 65_536, Infinity, new Number(5), [5]],
        hostname: [5, [], ["localhost"]],
        tls: ["cert", true, [cert, key], { cert }, { cert: [cert], key }],
        onRequest: [5, {}],
        onConnect: [5, {}],
        connectionClass: [5, {}, Object],
        extensions: [5, "deflate", [,], ["permessage-deflate", ,], [undefined], { name: "x" }],
        allowedOrigins: [5, "https://example.com", [,], [5], ["example.com"]],
        trustProxy: [5, "10.0.0.1", [,], [5], ["10.0.0.0/33"]],
        subprotocol: [5, "chat", [,], ["chat", , "talk"], [5], ["a b"]],
        version: [5, NaN, "0xd", " 13 ", [[13]], new Date(13), "draft"],
        versions: [[], [,], [13, , 8], [undefined], [null], "13.0"],
        maxRecvSize: [NaN, -1, 0.5, Infinity, []],
        maxConnections: [NaN, 0, 0.5],
        closeTimeout: [NaN, -1, Infinity, []],
        watchReadable: [5, {}, { length: 0 }, [,], [5, 5], [null, () => {}]],
        watchWritable: [5, {}, { length: 0 }, [,], [5, 5], [null, () => {}]],
        debug: [NaN, 5, true],
        logger: [5, {}],
        legacy: [0, "no"],
      };
      // What these take beside the rest.
      const right: Record<string, (value: unknown) => boolean> = {
        hostname: (value) => typeof value === "string",
        onRequest: (value) => typeof value === "function",
        onConnect: (value) => typeof value === "function",
      };
      for (const [name, values] of Object.entries(wrong)) {
        for (const value of [...values, ...strange]) {
          if (right[name]?.(value)) continue;
          const error = errorOf(make({ transport: "tcp", [name]: value }));
          assertEquals(error.code, "ERR_INVALID_ARGUMENT", error.message);
          assertEquals(error.message.includes("BEGIN"), false);
        }
      }
      for (const options of [null, 5, "port", true, [], () => {}]) {
        assertInvalid(
          () => new WebSocketServer(options as object),
          /^Cannot use the options .* an object$/,
        );
      }
    });

    it("a frozen object, and one whose options are inherited, are heeded", () => {
      const frozen = Object.freeze({ transport, port: 7, subprotocol: Object.freeze(["chat"]) });
      for (const options of [frozen, Object.create(frozen)]) {
        const server = new WebSocketServer(options as WebSocketServerOptions);
        assertEquals([server.port, server.subprotocol], [7, ["chat"]]);
      }
      assertEquals(Object.is(new WebSocketServer({ transport, port: -0 }).port, 0), true);
    });

    it("each option is read once, as an accessor of a class too", () => {
      let reads = 0;
      class Options {
        readonly transport = transport;
        get maxRecvSize(): number {
          reads++;
          return 5;
        }
      }
      new WebSocketServer(new Options());
      assertEquals(reads, 1);
    });

    it("what keeps its entries elsewhere is no object with options, wherever one is taken", async () => {
      const strange = [
        new Map([["port", 1]]),
        new Set(),
        new Date(0),
        new Number(5),
        [],
        new Headers(),
      ];
      for (const it of strange) {
        assertInvalid(() => new WebSocketServer(it as object), /^Cannot use the options/);
        for (const options of [{ topics: it }, { topics: { history: it } }, { tls: it }]) {
          const error = errorOf(make(options));
          assertEquals(error.code, "ERR_INVALID_ARGUMENT", error.message);
        }
        const server = new WebSocketServer({ transport, debug: 0 });
        for (
          const call of [() => server.start(it as object), () => server.shutdown(it as object)]
        ) {
          assertEquals((await assertRejects(call, WebSocketError)).code, "ERR_INVALID_ARGUMENT");
        }
        let code: unknown;
        try {
          permessageDeflate(it as object);
        } catch (error) {
          code = (error as { code: unknown }).code;
        }
        assertEquals(code, "ERR_INVALID_ARGUMENT");
      }
    });

    it("tls: what is inherited, or an accessor of a class, is heeded, so that nobody is let in by mistake", () => {
      class Tls {
        readonly cert = cert;
        readonly key = key;
        get requestCert(): boolean {
          return true;
        }
      }
      for (const tls of [new Tls(), Object.create({ cert, key, requestCert: true })]) {
        assertInvalid(make({ tls }), /requestCert true: it takes ca beside it/);
      }
      assertInvalid(make({ tls: Object.create({ cert, key, requestCrt: true }) }), /requestCrt/);
    });

    it("listen: a hole in its list is refused, and no default takes its place", () => {
      for (const listen of [[,], [undefined], [{ port: 0 }, undefined], []]) {
        assertInvalid(make({ listen }), /^Cannot use listen .+: it takes (?:no hole|at least)/);
      }
    });

    it("handshakeTimeout: 0 is refused, since nobody could come", () => {
      assertInvalid(make({ handshakeTimeout: 0 }), /from 0.001/);
    });

    it("version beside versions is refused: one of them would not be heeded", () => {
      assertInvalid(make({ version: 8, versions: [13] }), /version 8: it takes nothing beside/);
    });

    it("shutdown: a code that is null is refused, and nobody is told to leave", async () => {
      await using served = await serve({ ...variants[0], transport }, {});
      using _client = await RawClient.open(served.url);
      for (const options of [{ code: null }, { reason: null }, { drain: null }]) {
        const error = await assertRejects(
          () => served.server.shutdown(options as object),
          WebSocketError,
        );
        assertEquals(error.code, "ERR_INVALID_ARGUMENT");
      }
      assertEquals([served.server.connections.size, served.errors], [1, []]);
    });

    it("an error of a getter among the options is the caller's own", () => {
      const failure = new Error("my own");
      const options = Object.defineProperty({ transport }, "port", {
        enumerable: true,
        get() {
          throw failure;
        },
      });
      let thrown: unknown;
      try {
        new WebSocketServer(options);
      } catch (error) {
        thrown = error;
      }
      assertEquals(thrown, failure);
    });

    it("hostname: an IPv6 address may be in brackets, as it is in URLs (RFC 3986 §3.2.2)", async () => {
      const server = new WebSocketServer({ transport, hostname: "[::1]", debug: 0 });
      await server.start();
      assertEquals(server.ip, "::1");
      await server.shutdown();
    });

    it("watched streams: one that cannot be released keeps the server from nothing", async () => {
      const errors: Error[] = [];
      const streams = [new PassThrough(), new PassThrough()];
      const failure = new Error("not released");
      streams[0].off = () => {
        throw failure;
      };
      const server = new WebSocketServer({
        transport,
        debug: 0,
        onError: (_server, error) => void errors.push(error),
        watchReadable: streams.flatMap((it) => [it, () => {}]),
      });
      await server.start();
      await server.shutdown();
      assertEquals(errors.map((it) => it.cause), [failure]);
      assertEquals(streams[1].listenerCount("readable"), 0);
    });

    it("hostname: an empty one is refused, which the runtimes take for different addresses", () => {
      assertInvalid(make({ hostname: "" }), /hostname "": .*"0\.0\.0\.0"/);
    });

    it("listen: a Server of node:http, node:https or node:http2 is refused, with what to do", () => {
      const servers = [createHttpServer(), createHttpsServer({ cert, key }), createHttp2Server()];
      for (const listen of servers) {
        assertInvalid(make({ transport: "tcp", listen }), /node:net or node:tls.*onRequest/);
      }
    });

    it("allowedOrigins: file:// and null can be named, and are let in only then", async () => {
      const list = ["file://", "null", "https://example.com"];
      const variant = { name, transport, secure: false, engine: "tcp" } as const;
      for (const allowedOrigins of [list, list.slice(0, 1), list.slice(1, 2), list.slice(2)]) {
        await using served = await serve(variant, { allowedOrigins });
        for (const Origin of [...list, "file://host", "file://x", "nul"]) {
          const { status } = await RawClient.ask(served.url, upgradeRequest({ Origin }));
          assertEquals(status, allowedOrigins.includes(Origin) ? 101 : 403, Origin);
        }
      }
      for (const wrong of ["file://*.", "NULL", "file:///", "file:"]) {
        assertInvalid(make({ allowedOrigins: [wrong] }), /allowedOrigins .*"file:\/\/" or "null"/);
      }
    });

    it("on: sets all handlers or none", () => {
      const server = make({})();
      const [connect, tick] = [() => {}, () => {}];
      server.on({ connect, tick });
      for (const wrong of [{ shutdown: 5 }, { conect: () => {} }, { error: null }]) {
        const handlers = { connect: () => {}, tick: undefined, ...wrong } as object;
        assertInvalid(() => server.on(handlers), new RegExp(Object.keys(wrong)[0]));
        assertEquals([server.onConnect, server.onTick], [connect, tick]);
        assertEquals([server.onShutdown, server.onError], [undefined, undefined]);
      }
    });

    it("a property takes what its option takes, and one that is refused leaves it as it was", () => {
      const server = make({})();
      const settable = Object.entries(OPTIONS).filter(([, { settable }]) => settable);
      assertEquals(settable.length >= 13, true);
      for (const [property] of settable) {
        const wrong = { [property]: Symbol("wrong") };
        const before = server[property as keyof WebSocketServer];
        errorOf(make(wrong));
        errorOf(() => Object.assign(server, wrong));
        assertEquals(server[property as keyof WebSocketServer], before, property);
      }
    });

    it("a property is the server's own, and follows what it depends on", () => {
      const [one, other] = [make({})(), make({ silenceCheckInterval: 3 })()];
      assertEquals([one.silenceCheckInterval, other.silenceCheckInterval], [10, 3]);
      one.silenceMax = 8;
      assertEquals([one.silenceCheckInterval, other.silenceMax], [4, 20]);
      class Subclass extends WebSocketServer {}
      const third = new Subclass({ transport, debug: 2 });
      third.debug = 3;
      assertEquals([third.debug, one.debug], [3, 1]);
    });

    it("calls that give promises reject and do not throw", async () => {
      const server = make({})();
      const calls = [() => server.start(), () => server.start()];
      if (transport === "tcp") {
        calls.push(() => server.upgrade(new Request("http://a"), {}) as never);
      }
      const promises = calls.map((call) => call());
      await promises[0];
      for (const promise of promises.slice(1)) await assertRejects(() => promise, WebSocketError);
      await server.shutdown();
      if (transport === "http") {
        // Neither is a request of the runtime's, whatever comes of it.
        const upgraded = server.upgrade(null as never, null);
        assertEquals(upgraded instanceof Promise, true);
        await upgraded.catch(() => {});
      }
    });
  });
}

for (const path of variants) {
  it(`a start that failed leaves nothing over ${path.name}: the next one accepts once`, async () => {
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const { port } = blocker.address() as AddressInfo;
    const connected = new Journal<WebSocketConnection>();
    await using server = new WebSocketServer({
      transport: path.transport,
      tls: path.secure ? { cert, key } : undefined,
      hostname: "127.0.0.1",
      port,
      onConnect: (_server, connection) => connected.add(connection),
    });
    await assertRejects(() => server.start(), WebSocketError);
    blocker.close();
    await once(blocker, "close");
    await server.start();
    using _client = await RawClient.open(`${path.secure ? "wss" : "ws"}://127.0.0.1:${port}`);
    assertEquals(connected.entries.length, 1);
  });
}

for (const path of allPaths) {
  describe(`broadcast over ${path.name}`, () => {
    it("refuses what send refuses, and sends nobody anything then", async () => {
      await using served = await serveOver(path, { maxSendSize: 10 });
      using client = await openOver(path, served.url);
      while (served.server.connections.size < 1) await new Promise((go) => setImmediate(go));
      for (
        const wrong of [
          new Blob(["x"]),
          new Uint16Array(6),
          { a: 1 },
          5,
          null,
          undefined,
          ["x"],
          "\ud800",
          "12345678901",
          new Uint8Array(11),
        ]
      ) {
        const [how, told] = ["send", "broadcast"].map((method) => {
          const target = method === "send" ? [...served.server.connections][0] : served.server;
          try {
            (target as unknown as Record<string, (data: unknown) => unknown>)[method](wrong);
          } catch (error) {
            return (error as Error).name;
          }
          return "nothing";
        });
        assertEquals([typeof how, told], ["string", how], String(wrong));
      }
      served.server.broadcast("x");
      assertEquals((await client.frame())?.payload.toString(), "x");
    });

    it("sends memory that is shared with other threads", async () => {
      await using served = await serveOver(path);
      using client = await openOver(path, served.url);
      while (served.server.connections.size < 1) await new Promise((go) => setImmediate(go));
      const shared = new Uint8Array(new SharedArrayBuffer(2));
      shared.set([7, 8]);
      assertEquals(served.server.broadcast(shared), 1);
      assertEquals([...(await client.frame())!.payload], [7, 8]);
    });

    it("goes on past a connection that it cannot be sent to, which is told once", async () => {
      const ready = new Journal<WebSocketConnection>();
      await using served = await serveOver(path, handling({ ready: ready.add }));
      const clients = [];
      for (let i = 0; i < 3; i++) {
        clients.push(await openOver(path, served.url));
        await ready.next();
      }
      ready.entries[1].maxSendSize = 3;
      assertEquals(served.server.broadcast("four"), 2);
      assertEquals(served.server.broadcast("two"), 3);
      assertEquals(served.errors.map((it) => (it as WebSocketError).cause instanceof RangeError), [
        true,
      ]);
      const got = await Promise.all(clients.map(async (it) => `${(await it.frame())?.payload}`));
      assertEquals(got, ["four", "two", "four"]);
      for (const it of clients) it[Symbol.dispose]();
    });
  });
}

for (const path of bytePaths) {
  it(`a broadcast over ${path.name} goes on past an extension that throws`, async () => {
    const failing: Extension = {
      name: "x-failing",
      negotiate: () => ({
        rsv: 0x20,
        parameters: [],
        decode: (payload) => payload,
        encode() {
          throw new Error("not today");
        },
      }),
    };
    const options: WebSocketServerOptions = { extensions: failing, compressionThreshold: 0 };
    await using served = await serveOver(path, options);
    using broken = await openOver(path, served.url, { "Sec-WebSocket-Extensions": "x-failing" });
    using whole = await connectOver(path, served.url);
    whole.write(upgradeRequest());
    assertEquals((await whole.response(true)).status, 101);
    while (served.server.connections.size < 2) await new Promise((go) => setImmediate(go));
    served.server.broadcast("still here");
    assertEquals((await whole.frame())?.payload.toString(), "still here");
    assertEquals(served.errors.length, 1);
    assertEquals(broken.received.toString().includes("still here"), false);
  });
}

if (runtime === "bun") {
  describe("listen: a function over bun_tcp", () => {
    it("that returns no listener is refused, and the server can be shut down", async () => {
      for (const listen of [() => 1, () => null, () => {}, () => ({})]) {
        const server = new WebSocketServer({ transport: "tcp", debug: 0, listen });
        const error = await assertRejects(() => server.start(), WebSocketError);
        assertEquals(error.code, "ERR_INVALID_ARGUMENT");
        await server.shutdown();
      }
    });
  });
}
