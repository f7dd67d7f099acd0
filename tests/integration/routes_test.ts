import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import { WebSocketConnection, WebSocketError, WebSocketServer } from "../../mod.ts";
import { clientFrame } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { runtime, serve, transports } from "../support/transports.ts";

/** Asks for a path; gives the status and the text of the first frame, if the WebSocket opens. */
async function visit(
  { url }: { url: string },
  path: string,
  headers: Record<string, string> = {},
): Promise<[status: number, greeting: string | undefined]> {
  using client = await RawClient.connect(url);
  client.write(upgradeRequest(headers, path));
  const { status } = await client.response(true);
  return [status, status === 101 ? (await client.frame())?.payload.toString() : undefined];
}

/** Asks until a handler is called, which it is once there is a seat. */
async function untilSeated({ url }: { url: string }, called: () => boolean): Promise<RawClient> {
  for (;;) {
    const client = await RawClient.connect(url);
    client.write(upgradeRequest());
    const refused = client.response(true).then(() => true, () => true);
    while (!called()) {
      if (await Promise.race([refused, new Promise((resolve) => setImmediate(resolve, false))])) {
        break;
      }
    }
    if (called()) return client;
    client[Symbol.dispose]();
  }
}

const greet = (greeting: string) => ({
  ready: (connection: WebSocketConnection) => void connection.send(greeting),
});

for (const variant of transports) {
  describe(`routes over ${variant.name}`, () => {
    it("the closest is taken, in whatever order they were added; 404 for the rest", async () => {
      await using served = await serve(variant);
      const patterns = [
        "/*",
        "/:any",
        "/chat/*",
        "/chat/:room",
        "/chat/:room(\\d+)",
        "/chat/v-:room",
        "/chat/lobby",
        "/chat/:room/members/:id?",
        "/chat/*/log",
        "/:any/lobby",
      ];
      for (const pattern of patterns) served.server.route(pattern, greet(pattern));
      const expected: Record<string, string> = {
        "/x": "/:any",
        "/chat/lobby": "/chat/lobby",
        "/chat/lobby?x=/chat/1": "/chat/lobby",
        "/chat/12": "/chat/:room(\\d+)",
        "/chat/v-2": "/chat/v-:room",
        "/chat/tea": "/chat/:room",
        "/chat/tea/members": "/chat/:room/members/:id?",
        "/chat/tea/members/7": "/chat/:room/members/:id?",
        "/chat/a/b/log": "/chat/*/log",
        "/chat/a/b": "/chat/*",
        "/chat/../x": "/:any",
        "/other/lobby": "/:any/lobby",
        "/a/b/c": "/*",
      };
      for (const [path, pattern] of Object.entries(expected)) {
        assertEquals([path, ...await visit(served, path)], [path, 101, pattern]);
      }
      assertEquals(served.errors, []);
    });

    it("every other path is answered 404, and no handler hears of it", async () => {
      let calls = 0;
      const count = () => void calls++;
      await using served = await serve(variant, {
        maxConnections: 1,
        onAccept: count,
        onConnect: count,
      });
      served.server.route("/chat", greet("hello"));
      for (const path of ["/", "/chat/", "/CHAT", "/chat/x", "/cha%74x"]) {
        assertEquals(await visit(served, path), [404, undefined]);
      }
      assertEquals(calls, 0);
      assertEquals(await visit(served, "/chat"), [101, "hello"]);
      assertEquals([calls, served.errors], [2, []]);
    });

    it("without routes all paths are the server's", async () => {
      await using served = await serve(variant, {
        onConnect: (_server, connection) =>
          void connection.on({
            ready: (connection) =>
              void connection.send(`${Object.keys(connection.params).length} parameters`),
          }),
      });
      assertEquals(await visit(served, "/any/thing"), [101, "0 parameters"]);
    });

    it("parameters are percent-decoded, and there from onConnect on", async () => {
      const seen = new Journal<Readonly<Record<string, string | undefined>>>();
      await using served = await serve(variant, {
        onConnect: (_server, connection) => seen.add({ ...connection.params }),
      });
      served.server.route("/:room/:user?", {
        utf8: (connection, text) =>
          void connection.send(
            `${connection.params.room.length} ${connection.params.user} ${text}`,
          ),
      });
      using client = await RawClient.connect(served.url);
      client.write(upgradeRequest({}, "/caf%C3%A9%2F1"));
      assertEquals((await client.response(true)).status, 101);
      client.write(clientFrame(1, "x"));
      assertEquals((await client.frame())?.payload.toString(), "6 undefined x");
      assertEquals(await seen.next(), { room: "café/1", user: undefined });
    });

    it("a path whose encoding is no UTF-8 is answered 400", async () => {
      await using served = await serve(variant);
      served.server.route("/:room", greet("hello"));
      assertEquals(await visit(served, "/%FF"), [400, undefined]);
      assertEquals(served.errors, []);
    });

    it("a route has its own class, origins, subprotocols and sizes", async () => {
      class Player extends WebSocketConnection {
        readonly score: number = 7;
      }
      const connects: string[] = [];
      await using served = await serve(variant, {
        subprotocol: ["v1"],
        allowedOrigins: ["https://a.example"],
        onConnect: (_server, connection) =>
          void connects.push(`${connection.constructor.name} ${connection.maxRecvSize}`),
      });
      served.server.route("/game", {
        connectionClass: Player,
        allowedOrigins: ["https://b.example"],
        subprotocol: ["v2"],
        maxRecvSize: 5,
        handlers: { ready: (player) => void player.send(`${player.score} ${player.subprotocol}`) },
      }).route("/chat", { ready: (it) => void it.send(`${it.subprotocol}`) });
      const [a, b] = ["a", "b"].map((it) => ({
        Origin: `https://${it}.example`,
        "Sec-WebSocket-Protocol": "v1, v2",
      }));
      assertEquals(await visit(served, "/game", a), [403, undefined]);
      assertEquals(await visit(served, "/game", b), [101, "7 v2"]);
      assertEquals(await visit(served, "/chat", a), [101, "v1"]);
      assertEquals(await visit(served, "/chat", b), [403, undefined]);
      assertEquals(connects.filter((it) => it.startsWith("Player")), ["Player 5", "Player 5"]);
      using client = await RawClient.connect(served.url);
      client.write(upgradeRequest(b, "/game"));
      await client.response(true);
      await client.frame();
      client.write(clientFrame(1, "more than five"));
      assertEquals((await client.frame())?.payload.readUInt16BE(), 1009);
    });

    it("what the server sets later holds for routes that leave it out", async () => {
      await using served = await serve(variant, { subprotocol: ["v1"] });
      served.server.route("/", { ready: (it) => void it.send(`${it.subprotocol}`) });
      served.server.subprotocol = ["v2"];
      const offer = { "Sec-WebSocket-Protocol": "v1, v2" };
      assertEquals(await visit(served, "/", offer), [101, "v2"]);
    });

    it("onConnect may refuse, later too: 403", async () => {
      for (const refusal of [false, Promise.resolve(false)]) {
        await using served = await serve(variant, { onConnect: () => refusal });
        served.server.route("/", greet("hello"));
        assertEquals(await visit(served, "/"), [403, undefined]);
      }
    });

    for (const slow of ["onAccept", "onConnect"]) {
      it(`${slow} may take its time, and a peer that leaves meanwhile gives its seat back`, async () => {
        const asked = new Journal<() => void>();
        let calls = 0;
        await using served = await serve(variant, {
          maxConnections: 1,
          closeTimeout: 0.3,
          [slow]: () =>
            ++calls > 2
              ? undefined
              : new Promise<void>((resolve) => asked.add(() => resolve(undefined))),
        });
        served.server.route("/", greet("hello"));
        const visiting = visit(served, "/");
        (await asked.next())();
        assertEquals(await visiting, [101, "hello"]);
        // The seat of a visitor who has left is free a little later.
        const gone = await untilSeated(served, () => calls > 1);
        await asked.next();
        gone[Symbol.dispose]();
        while ((await visit(served, "/"))[0] !== 101);
        assertEquals(served.errors, []);
      });
    }

    it("maxConnections holds: 503, and a seat is free again after a 404", async () => {
      await using served = await serve(variant, { maxConnections: 1 });
      served.server.route("/", greet("hello"));
      assertEquals(await visit(served, "/x"), [404, undefined]);
      using client = await RawClient.open(served.url);
      assertEquals((await client.frame())?.payload.toString(), "hello");
      assertEquals(await visit(served, "/"), [503, undefined]);
      assertEquals(served.errors, []);
    });

    it("plain requests go to onRequest, whatever their path", async () => {
      let calls = 0;
      await using served = await serve(variant, {
        maxConnections: 1,
        onConnect: () => void calls++,
        onRequest: (request) => new Response(new URL(request.url).pathname),
      });
      served.server.route("/chat", greet("hello"));
      const plain = upgradeRequest({ Upgrade: "", Connection: "close" }, "/page");
      for (let i = 0; i < 3; i++) {
        const { status, body } = await RawClient.ask(served.url, plain);
        assertEquals([status, body], [200, "/page"]);
      }
      assertEquals([calls, await visit(served, "/chat")], [0, [101, "hello"]]);
    });

    it("a shutdown waits for nobody whose request has not come", async () => {
      const served = await serve(variant, { closeTimeout: 0.2 });
      served.server.route("/", greet("hello"));
      using idle = await RawClient.connect(served.url);
      using open = await RawClient.open(served.url);
      await served.server.shutdown();
      assertEquals(served.server.connections.size, 0);
      await open.end();
      // A connection without a request is Bun.serve's own.
      if (variant.engine !== "Bun.serve") await idle.end();
    });
  });

  describe(`server.route() over ${variant.name}`, () => {
    const { transport } = variant;
    const make = () => new WebSocketServer({ transport, maxRecvSize: 100 });
    const wrong: [what: string, pattern: unknown, given: unknown, says: string][] = [
      ["no path", "chat", {}, "a route is a path"],
      ["no text", 5, {}, "Cannot route 5"],
      ["an empty one", "", {}, "a route is a path"],
      ["a broken pattern", "/:", {}, 'Cannot route "/:"'],
      ["a name twice", "/:a/:a", {}, 'Cannot route "/:a/:a"'],
      ["no handlers", "/", null, "Cannot set these handlers"],
      ["an unknown event", "/", { open() {} }, 'a handler for "open"'],
      ["an event beside options", "/", { maxRecvSize: 5, utf8() {} }, "put it into handlers"],
      ["an unknown option", "/", { handlers: {}, size: 5 }, '"size" for a route: there is none'],
      ["a wrong value", "/", { maxRecvSize: -1 }, "Cannot use maxRecvSize"],
      ["a class that is none", "/", { connectionClass: Map }, "Cannot use connectionClass"],
      ["an option of the server's", "/", { maxConnections: 1 }, "it is the whole server's"],
      ["an engine's option", "/", { extensions: [] }, "it is the whole server's"],
      ["handlers that are none", "/", { handlers: { utf8: 5 } }, 'handler for "utf8"'],
    ];
    for (const [what, pattern, given, says] of wrong) {
      it(`refuses ${what}`, () => {
        const server = make();
        const error = assertThrows(
          () => server.route(pattern as "/", given as object),
          WebSocketError,
        );
        assertEquals([error.code, server.error], ["ERR_INVALID_ARGUMENT", error]);
        assertStringIncludes(error.message, says);
      });
    }

    it("refuses the same pattern twice, and what is undefined is as if it were not there", () => {
      const server = make();
      assert(server.route("/", { handlers: undefined, maxRecvSize: undefined }) === server);
      const error = assertThrows(() => server.route("/", {}), WebSocketError, "twice");
      assertEquals(error.code, "ERR_INVALID_ARGUMENT");
    });

    it("refuses what the transport cannot do", () => {
      const codeOf = (given: object) => {
        try {
          make().route("/", given);
          return "none";
        } catch (error) {
          return (error as WebSocketError).code;
        }
      };
      const deno = runtime === "deno" && transport === "http";
      const bun = runtime === "bun" && transport === "http";
      assertEquals(codeOf({ ping() {} }), deno ? "ERR_UNSUPPORTED" : "none");
      assertEquals(codeOf({ maxRecvSize: 101 }), bun ? "ERR_UNSUPPORTED" : "none");
      assertEquals(codeOf({ maxRecvSize: 100 }), "none");
    });
  });
}
