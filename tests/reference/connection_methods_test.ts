import { assert, assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import { WebSocketConnection, WebSocketError, type WebSocketServerOptions } from "../../mod.ts";
import { clientFrame, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { handling, serve, type Served, transports, type Variant } from "../support/transports.ts";
import { assertInvalid, assertUnsupported, errorOf } from "../support/unsupported.ts";

/** A server, one client of it, and the connection between them. */
interface Open extends Served<WebSocketConnection> {
  readonly client: RawClient;
  readonly connection: WebSocketConnection;
}

async function open(variant: Variant, options: WebSocketServerOptions = {}): Promise<Open> {
  const connections = new Journal<WebSocketConnection>();
  const served = await serve(variant, { ...handling({ ready: connections.add }), ...options });
  const client = await RawClient.open(served.url, { Cookie: "a=1; b=2", Origin: "http://a.b" });
  const connection = options.onConnect === undefined
    ? await connections.next()
    : [...served.server.connections][0];
  return {
    ...served,
    client,
    connection,
    async [Symbol.asyncDispose]() {
      client.socket.destroy();
      await served.server.shutdown();
    },
  };
}

for (const variant of transports) {
  const { name, engine } = variant;
  const canPing = engine !== "Deno.serve";

  // For disconnect and terminate see tests/integration/close_test.ts, for httpError handshake_refusal_test.ts,
  // for recv recv_test.ts there and here.
  describe(`methods of a connection over ${name}`, () => {
    it("sendUtf8, sendBinary, send(data), send(type, data): send a message of that kind", async () => {
      await using opened = await open(variant);
      const { client, connection } = opened;
      const bytes = Uint8Array.of(0, 255, 128);
      assertEquals(
        [
          connection.sendUtf8("eins ²"),
          connection.sendBinary(bytes),
          connection.send("zwei"),
          connection.send(bytes),
          connection.send("utf8", "drei"),
          connection.send("binary", bytes),
        ],
        Array(6).fill(true),
      );
      for (const text of ["eins ²", "zwei", "drei"]) {
        for (const [opcode, payload] of [[1, new TextEncoder().encode(text)], [2, bytes]]) {
          const frame = await client.frame();
          assertEquals([frame?.opcode, new Uint8Array(frame!.payload)], [opcode, payload]);
        }
      }
    });

    it("send…: what is neither text nor bytes, and an unknown type, throw and send nothing", async () => {
      await using opened = await open(variant);
      const { client, connection } = opened;
      assertInvalid(() => connection.sendUtf8(5 as never), /sendUtf8.*string/);
      assertInvalid(() => connection.sendBinary("text" as never), /sendBinary.*Uint8Array/);
      assertInvalid(() => connection.send("text" as never, "x" as never), /"text".*"utf8"/);
      connection.sendUtf8("the first");
      assertEquals((await client.frame())?.payload.toString(), "the first");
    });

    it("send…: a lone surrogate throws and sends nothing", async () => {
      await using opened = await open(variant);
      const { client, connection, server } = opened;
      for (const text of ["\ud800", "a\udc00b", "x".repeat(100_000) + "\ud800"]) {
        for (
          const send of [
            () => connection.sendUtf8(text),
            () => connection.send(text),
            () => server.broadcast(text),
          ]
        ) assertThrows(send, TypeError, "lone surrogate");
      }
      connection.sendUtf8("the first");
      assertEquals((await client.frame())?.payload.toString(), "the first");
    });

    it("maxSendSize: over it a send throws and sends nothing", async () => {
      await using opened = await open(variant, { maxSendSize: 10 });
      const { client, connection } = opened;
      assertEquals(connection.maxSendSize, 10);
      for (const text of ["12345678901", "€€€€"]) {
        assertThrows(() => connection.sendUtf8(text), RangeError, "maxSendSize is 10");
      }
      assertThrows(() => connection.sendBinary(new Uint8Array(11)), RangeError, "11 bytes");
      assertEquals(connection.sendUtf8("1234567890"), true);
      connection.maxSendSize = 11;
      assertEquals(connection.sendBinary(new Uint8Array(11)), true);
      assertEquals((await client.frame())?.payload.toString(), "1234567890");
      assertEquals((await client.frame())?.payload.length, 11);
      assertInvalid(() => connection.maxSendSize = -1, /bytes/);
    });

    it("maxRecvSize: 16 MiB by default; over it 1009, for fragments together too", async () => {
      for (const fragmented of [false, true]) {
        const connections = new Journal<WebSocketConnection>();
        const messages = new Journal<string>();
        await using served = await serve(
          variant,
          handling({ ready: connections.add, utf8: (_connection, data) => messages.add(data) }),
        );
        using client = await RawClient.open(served.url);
        const connection = await connections.next();
        assertEquals(connection.maxRecvSize, 16 * 1024 * 1024);
        connection.maxRecvSize = 10;
        client.write(clientFrame(1, "1234567890"));
        assertEquals(await messages.next(), "1234567890");
        client.write(
          fragmented
            ? concat(clientFrame(1, "123456", { fin: false }), clientFrame(0, "78901"))
            : clientFrame(1, "12345678901"),
        );
        assertEquals(await client.closeCode(), 1009);
        assertEquals((connection.error as WebSocketError).code, "ERR_PROTOCOL");
        assertEquals(messages.entries.length, 1);
      }
    });

    if (engine === "Bun.serve") {
      it("maxRecvSize: above the server's throws, and names the transport that can", async () => {
        await using opened = await open(variant, { maxRecvSize: 1000 });
        assertUnsupported(() => opened.connection.maxRecvSize = 1001);
        opened.connection.maxRecvSize = 1000;
      });
    } else {
      it("maxRecvSize: can be above the server's", async () => {
        await using opened = await open(variant, {
          maxRecvSize: 10,
          onConnect(_server, connection) {
            connection.maxRecvSize = 20;
            connection.onUtf8 = (connection, data) => void connection.sendUtf8(data);
          },
        });
        opened.client.write(clientFrame(1, "1234567890123"));
        assertEquals((await opened.client.frame())?.payload.toString(), "1234567890123");
      });
    }

    if (canPing) {
      it("ping, pong, send('ping' | 'pong'): send the frame, with bytes or text in it", async () => {
        await using opened = await open(variant);
        const { client, connection } = opened;
        connection.ping();
        connection.pong("so it is");
        connection.send("ping", Uint8Array.of(1, 2));
        connection.send("pong", new Uint8Array(125));
        for (const [opcode, length] of [[9, 0], [10, 8], [9, 2], [10, 125]]) {
          const frame = await client.frame();
          assertEquals([frame?.opcode, frame?.payload.length], [opcode, length]);
        }
        for (const payload of [new Uint8Array(126), "x".repeat(126), "€".repeat(42)]) {
          assertThrows(() => connection.ping(payload), RangeError, "126");
          assertThrows(() => connection.pong(payload), RangeError, "126");
        }
        connection.ping("after");
        assertEquals((await client.frame())?.payload.toString(), "after");
      });
    } else {
      it("ping, pong: throw, and capabilities said so", async () => {
        await using opened = await open(variant);
        const { connection, server } = opened;
        assertEquals(server.capabilities.ping, false);
        assertUnsupported(() => connection.ping());
        assertUnsupported(() => connection.pong("x"));
        assertUnsupported(() => connection.send("ping", new Uint8Array()));
      });
    }

    if (engine === "tcp") {
      it("doPong: answers pings; by default with the same payload, null with nothing", async () => {
        await using opened = await open(variant, {
          onConnect(_server, connection) {
            assert(connection.doPong !== null);
            connection.on({ utf8: (connection, data) => void connection.sendUtf8(data) });
          },
        });
        const { client, connection } = opened;
        const usual = connection.doPong;
        const answer = async () => {
          client.write(concat(clientFrame(9, "ping?"), clientFrame(1, "done")));
          const { opcode, payload } = (await client.frame())!;
          if (opcode === 10) assertEquals((await client.frame())?.payload.toString(), "done");
          return payload.toString();
        };
        assertEquals(await answer(), "ping?");
        connection.doPong = (connection, payload) => connection.pong(payload.subarray(0, 2));
        assertEquals(await answer(), "pi");
        connection.doPong = null;
        assertEquals(await answer(), "done");
        connection.doPong = usual;
        assertEquals(await answer(), "ping?");
      });

      it("nodelay: true by default, and can be set at any time", async () => {
        await using opened = await open(variant, {
          onConnect(_server, connection) {
            assertEquals(connection.nodelay, true);
            connection.nodelay = false;
          },
        });
        const { connection } = opened;
        assertEquals(connection.nodelay, false);
        connection.nodelay = true;
        assertEquals(connection.nodelay, true);
        assertEquals(opened.errors, []);
      });
    } else {
      it("doPong, nodelay: throw where the engine has them, and capabilities said so", async () => {
        const errors = new Journal<WebSocketError>();
        await using opened = await open(variant, {
          onConnect(server, connection) {
            assertEquals(server.capabilities.enginePongs, true);
            assertEquals(server.capabilities.socket, false);
            errors.add(errorOf(() => connection.doPong = null));
            errors.add(errorOf(() => connection.nodelay = false));
            connection.nodelay = true;
          },
        });
        const { connection } = opened;
        assertUnsupported(() => connection.doPong = null);
        assertUnsupported(() => connection.nodelay = false);
        assertEquals([connection.nodelay, typeof connection.doPong], [true, "function"]);
        for (const { code, message } of await errors.first(2)) {
          assertEquals(code, "ERR_UNSUPPORTED");
          assertMatch(message, /Use transport: "tcp"\.$/);
        }
      });
    }

    it("doPong, nodelay, on: can be set by the constructor of a subclass", async () => {
      class Quiet extends WebSocketConnection {
        constructor(init: ConstructorParameters<typeof WebSocketConnection>[0]) {
          super(init);
          this.doPong = null;
          this.nodelay = false;
        }
      }
      await using served = await serve(variant, { connectionClass: Quiet });
      if (engine === "tcp") {
        using client = await RawClient.open(served.url);
        client.write(concat(clientFrame(9), clientFrame(8)));
        assertEquals((await client.frame())?.opcode, 8);
      } else {
        assertEquals((await RawClient.ask(served.url, upgradeRequest())).status, 500);
        assertEquals((served.errors[0] as WebSocketError).code, "ERR_UNSUPPORTED");
      }
    });

    it("ip, port, socket, server, handshake, subprotocol, extensions, version: tell who it is", async () => {
      await using opened = await open(variant);
      const { client, connection, server } = opened;
      assertEquals([connection.ip, connection.port], ["127.0.0.1", client.socket.localPort]);
      assertStrictEquals(connection.server, server);
      assert(connection.socket !== undefined && connection.socket !== null);
      assertEquals([connection.subprotocol, connection.extensions], [undefined, []]);
      assertEquals([connection.version, connection.error], [13, undefined]);
      const { request } = connection.handshake!;
      assertEquals([request.method, request.uri.href], ["GET", "ws://127.0.0.1/"]);
      assertEquals([request.origin, request.cookies.get("b")], ["http://a.b", "2"]);
    });

    it("isReady, disconnecting, disconnected: tell how far it has come; send… returns false after", async () => {
      const course = new Journal<boolean[]>();
      const look = ({ isReady, disconnecting, disconnected }: WebSocketConnection) =>
        course.add([isReady, disconnecting, disconnected]);
      const connections = new Journal<WebSocketConnection>();
      await using served = await serve(variant, {
        onConnect(_server, connection) {
          look(connection);
          connections.add(connection);
          connection.on({ handshake: look, ready: look, disconnect: look });
        },
      });
      using client = await RawClient.open(served.url);
      const connection = await connections.next();
      await course.first(3);
      connection.disconnect(1000);
      look(connection);
      const sends = () => [
        connection.sendUtf8("late"),
        connection.sendBinary(new Uint8Array(1)),
        connection.ping(),
        connection.send("late"),
        connection.send("pong", new Uint8Array(1)),
      ];
      assertEquals(sends(), Array(5).fill(false));
      assertEquals(await client.closeCode(), 1000);
      client.write(clientFrame(8, Uint8Array.of(3, 232)));
      const not = false;
      assertEquals(await course.first(5), [
        [not, not, not],
        [not, not, not],
        [true, not, not],
        // Bun.serve does not wait for the client's answer.
        engine === "Bun.serve" ? [not, not, true] : [not, true, not],
        [not, not, true],
      ]);
      assertEquals([sends(), connection.bufferedAmount], [Array(5).fill(false), 0]);
      connection.disconnect();
      connection.terminate();
    });

    it("compressionThreshold: can be set at any time", async () => {
      await using opened = await open(variant, { compressionThreshold: 5 });
      const { connection } = opened;
      assertEquals(connection.compressionThreshold, 5);
      connection.compressionThreshold = 50;
      assertEquals(connection.compressionThreshold, 50);
      assertInvalid(() => connection.compressionThreshold = -1, /bytes/);
    });

    it("bufferedAmount, drained: drained settles when all has gone out, or the connection has ended", async () => {
      await using opened = await open(variant, { highWaterMark: 1000 });
      const { client, connection } = opened;
      await connection.drained();
      client.socket.pause();
      const much = new Uint8Array(200_000);
      while (connection.sendBinary(much));
      assert(connection.bufferedAmount > 1000);
      const drained = connection.drained();
      client.socket.resume();
      await drained;
      assertEquals(connection.bufferedAmount, 0);
      client.socket.pause();
      while (connection.sendBinary(much));
      const ended = connection.drained();
      connection.terminate();
      await ended;
      await connection.drained();
    });

    it("pause, resume: what comes meanwhile is told later, in order", async () => {
      const messages = new Journal<string>();
      await using opened = await open(variant, {
        onConnect(server, connection) {
          if ([...server.connections].length === 0) connection.pause();
          connection.onUtf8 = (_connection, data) => messages.add(data);
        },
      });
      const { client, connection, url } = opened;
      client.write(concat(clientFrame(1, "a"), clientFrame(1, "b")));
      using other = await RawClient.open(url);
      other.write(clientFrame(8));
      await other.end();
      assertEquals(messages.entries, []);
      connection.resume();
      assertEquals(await messages.first(2), ["a", "b"]);
    });

    it("data: is the user's own", async () => {
      await using opened = await open(variant, {
        onConnect(_server, connection) {
          assertEquals(connection.data, undefined);
          connection.data = { nickname: "Ada" };
          connection.onUtf8 = (connection) =>
            void connection.sendUtf8((connection.data as { nickname: string }).nickname);
        },
      });
      opened.client.write(clientFrame(1, "who?"));
      assertEquals((await opened.client.frame())?.payload.toString(), "Ada");
    });
  });
}
