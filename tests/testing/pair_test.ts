import { describe, it } from "node:test";
import { setImmediate } from "node:timers";
import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  permessageDeflate,
  WebSocketConnection,
  WebSocketError,
  WebSocketServer,
  type WebSocketServerOptions,
} from "../../mod.ts";
import { openPair, RefusedError } from "../../src/testing/mod.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { echo, transports } from "../support/transports.ts";

const quiet = { debug: 0 } as const;

class Member extends WebSocketConnection {
  name = "nobody";
}

for (const variant of transports) {
  const { transport } = variant;
  /** A server that is never started. */
  const make = (options: WebSocketServerOptions = {}) =>
    new WebSocketServer({ transport, ...quiet, closeTimeout: 2, ...options });

  describe(`openPair() with ${variant.name}`, () => {
    it("opens a WebSocket to a server that is not started, and listens nowhere", async () => {
      await using server = make(echo);
      const { client, connection } = await openPair(server);
      client.send("hello");
      assertEquals(await client.recv(), "hello");
      connection.send(Uint8Array.of(1, 2));
      assertEquals(await client.recv(), Uint8Array.of(1, 2));
      assertEquals([...server.connections], [connection]);
      assertEquals([server.port, server.listen], [0, undefined]);
    });

    it("works beside a listening socket too", async () => {
      await using server = make({ ...echo, hostname: "127.0.0.1" });
      await server.start();
      const { client } = await openPair(server);
      client.send("hello");
      assertEquals(await client.recv(), "hello");
    });

    it("has the opening handshake of any client (RFC 6455 §4)", async () => {
      await using server = make({
        subprotocol: ["chat"],
        allowedOrigins: ["https://a.example"],
        onConnect: (_server, connection) =>
          void connection.on({
            handshake: (_connection, { response }) => response.headers.set("X-Room", "blue"),
          }),
      });
      const headers = { origin: "https://a.example", cookie: "id=7" };
      const { client, connection } = await openPair(server, "wss://b.example/room?n=1", {
        subprotocols: ["other", "chat"],
        headers,
      });
      const { request } = connection.handshake!;
      assertEquals(request.uri.href, "wss://b.example/room?n=1");
      assertEquals([request.headers.get("cookie"), request.headers.get("host")], [
        "id=7",
        "b.example",
      ]);
      assertEquals([client.subprotocol, connection.subprotocol], ["chat", "chat"]);
      assertEquals(client.handshake!.response.headers.get("x-room"), "blue");
      assertEquals(connection.ip, "127.0.0.1");
    });

    it("rejects with what the server answers when it refuses", async () => {
      await using server = make({
        maxConnections: 1,
        allowedOrigins: ["https://a.example"],
        onConnect: (_server, connection) =>
          void connection.on({
            handshake: (_connection, handshake) =>
              handshake.request.uri.pathname === "/"
                ? undefined
                : handshake.reject(401, { body: "who?", headers: { "X-Why": "name" } }),
          }),
      });
      const headers = { origin: "https://b.example" };
      const refused = (...args: [url?: string, options?: object]) =>
        assertRejects(() => openPair(server, ...args), RefusedError);
      assertEquals((await refused("/", { headers })).status, 403);
      const { status, headers: answered, body } = await refused("/private");
      assertEquals([status, answered.get("x-why"), new TextDecoder().decode(body)], [
        401,
        "name",
        "who?",
      ]);
      await openPair(server);
      assertEquals((await refused()).status, 503);
    });

    it("rejects when the server drops the peer that has come", async () => {
      await using server = make({ onConnect: () => false });
      const error = await assertRejects(() => openPair(server), WebSocketError);
      if (transport === "tcp") assertEquals(error.code, "ERR_CONNECT");
      else assertEquals((error as RefusedError).status, 403);
    });

    it("rejects once the server has shut down", async () => {
      const server = make();
      await server.shutdown();
      await assertRejects(() => openPair(server), WebSocketError);
    });

    it("gives connections of the classes of both sides", async () => {
      await using server = new WebSocketServer({ transport, ...quiet, connectionClass: Member });
      const { client, connection } = await openPair(server, "/", { connectionClass: Member });
      const names: string[] = [client.name, connection.name];
      assertEquals(names, ["nobody", "nobody"]);
      assertInstanceOf(connection, Member);
    });

    it("ends with the code and the reason of either side (RFC 6455 §7.1.5)", async () => {
      const ends = new Journal<unknown>();
      await using server = make({
        onConnect: (_server, connection) =>
          void connection.on({
            disconnect: (_connection, code, reason) => ends.add(["server", code, reason]),
          }),
      });
      const handlers = {
        disconnect: (_: unknown, code: number, reason: string) =>
          ends.add(["client", code, reason]),
      };
      const open = () => openPair(server, "/", { handlers });
      (await open()).client.disconnect(4000, "bye");
      await ends.first(2);
      (await open()).connection.disconnect(4001, "go");
      await ends.first(4);
      (await open()).connection.terminate();
      await ends.first(6);
      (await open()).client.terminate();
      const told = (await ends.first(8)).map((it) => (it as unknown[]).join(" "));
      assertEquals(told.slice(0, 2).sort(), ["client 4000 ", "server 4000 bye"]);
      assertEquals(told.slice(2, 4).sort(), ["client 4001 go", "server 4001 "]);
      assertEquals(told.slice(4).sort(), [
        "client 1006 ",
        "client 1006 ",
        "server 1006 ",
        "server 1006 ",
      ]);
    });

    it("keeps the server's limits: a message over maxRecvSize is closed with 1009", async () => {
      await using server = make({ ...echo, maxRecvSize: 10 });
      const end = new Journal<number>();
      const handlers = { disconnect: (_: unknown, code: number) => end.add(code) };
      const { client } = await openPair(server, "/", { handlers });
      client.send("more than ten");
      assertEquals(await end.next(), 1009);
    });

    it("carries messages of any length, and slows down who sends more than is read", async () => {
      const ready = new Journal<WebSocketConnection>();
      const read = new Journal<number>();
      await using server = make({
        highWaterMark: 500_000,
        onConnect: (_server, connection) => void connection.on({ ready: ready.add }),
      });
      const { client, connection } = await openPair(server, "/", { highWaterMark: 100_000 });
      assertEquals(await ready.next(), connection);
      client.pause();
      client.on({ binary: (_client, data) => read.add(data.length) });
      let sent = 0;
      const data = new Uint8Array(40_000);
      do sent++; while (connection.send(data));
      const drained = connection.drained().then(() => -1);
      // What nobody reads stays where it is: more turns than all of it would take change nothing.
      for (let turn = 0; turn < 2 * sent; turn++) await new Promise((next) => setImmediate(next));
      assert(connection.bufferedAmount > 200_000, `${connection.bufferedAmount} are left`);
      assertEquals(read.entries, []);
      client.resume();
      assertEquals(await patiently(drained, "drained()"), -1);
      assertEquals(await read.first(sent), Array(sent).fill(40_000));
      connection.send(new Uint8Array(1_000_000));
      await read.next();
      assertEquals((await read.first(sent + 1)).at(-1), 1_000_000);
    });

    it("compresses what both agree to (RFC 7692), where the transport can", async () => {
      const agreed = permessageDeflate({ contextTakeover: true });
      const offer = { extensions: agreed };
      if (!make().capabilities.compression) {
        await using server = make(echo);
        assertEquals((await openPair(server, "/", offer)).client.extensions, []);
        return;
      }
      await using server = make({ ...echo, extensions: agreed, compressionThreshold: 0 });
      const { client, connection } = await openPair(server, "/", offer);
      assertEquals([client.extensions, connection.extensions], [
        ["permessage-deflate"],
        ["permessage-deflate"],
      ]);
      for (const text of ["a".repeat(5000), "b".repeat(200_000)]) {
        client.send(text);
        assertEquals(await client.recv(), text);
      }
    });

    it("answers pings (RFC 6455 §5.5.2), and sends them where the transport can", async () => {
      const told = new Journal<string>();
      const { capabilities } = make();
      await using server = make({
        onConnect: (_server, connection) =>
          !capabilities.ping ||
          void connection.on({ ping: (_it, payload) => told.add(`server ${payload}`) }),
      });
      const handlers = {
        ping: (_: unknown, payload: Uint8Array) => told.add(`client ${payload}`),
        pong: (_: unknown, payload: Uint8Array) => told.add(`pong ${payload}`),
      };
      const { client, connection } = await openPair(server, "/", { handlers });
      client.ping(Uint8Array.of(7));
      if (!capabilities.ping) {
        assertEquals(await told.next(), "pong 7");
        assertThrows(() => connection.ping(), WebSocketError, transports[0].name);
        return;
      }
      assertEquals([...await told.first(2)], ["server 7", "pong 7"]);
      connection.ping(Uint8Array.of(8));
      assertEquals((await told.first(3))[2], "client 8");
    });

    it("opens as many as are asked for, and each is its own", async () => {
      await using server = make({
        onConnect: (_server, connection) =>
          void connection.on({ ready: (connection) => void connection.subscribe("all") }),
      });
      const pairs = await Promise.all(["/1", "/2", "/3"].map((path) => openPair(server, path)));
      assertEquals(
        pairs.map(({ connection }) => connection.handshake!.request.uri.pathname),
        ["/1", "/2", "/3"],
      );
      await server.publish("all", "news");
      server.broadcast("everybody");
      for (const { client } of pairs) {
        assertEquals([await client.recv(), await client.recv()], ["news", "everybody"]);
      }
    });

    it("refuses options that it would not heed", async () => {
      await using server = make({});
      const wrong = [null, 5, [], new Map(), { tls: {} }, { unix: "/x" }, { no_such_option: 1 }];
      for (const options of wrong) {
        const error = await assertRejects(
          () => openPair(server, "/", options as object),
          WebSocketError,
        );
        assertEquals(error.code, "ERR_INVALID_ARGUMENT");
      }
      assertEquals(server.connections.size, 0);
    });

    it("is over at the end of an await using block, though nobody has read what came", async () => {
      const end = new Journal<number>();
      await using server = make({
        onConnect: (_server, connection) =>
          void connection.on({
            ready: (connection) => connection.send("unread"),
            disconnect: (_connection, code) => end.add(code),
          }),
      });
      let ended;
      {
        await using pair = await openPair(server);
        ended = pair.client;
      }
      assert(ended.disconnected);
      assertEquals(await end.next(), 1000);
    });
  });
}
