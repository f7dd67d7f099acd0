import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { type WebSocketConnection, WebSocketError, WebSocketServer } from "../../mod.ts";
import { clientFrame } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { serve, type Served, transports, variants } from "../support/transports.ts";
import { assertInvalid } from "../support/unsupported.ts";

/** Opens a connection; gives both ends. */
async function opened(
  served: Served<WebSocketConnection>,
): Promise<{ client: RawClient; connection: WebSocketConnection }> {
  const client = await RawClient.open(served.url);
  const [connection] = served.server.connections;
  return { client, connection };
}

/** Views of memory that is not what it was. */
function goneBytes(): unknown[] {
  const transferred = Uint8Array.of(1, 2, 3);
  const words = Uint16Array.of(1, 2);
  const view = new DataView(new ArrayBuffer(2));
  for (const { buffer } of [transferred, words, view]) {
    structuredClone(buffer, { transfer: [buffer] });
  }
  const shrunk = new ArrayBuffer(8, { maxByteLength: 8 });
  const beyond = [
    new Uint8Array(shrunk, 4, 4),
    new Float32Array(shrunk, 4, 1),
    new DataView(shrunk, 4, 4),
  ];
  shrunk.resize(2);
  return [
    transferred,
    transferred.buffer,
    words,
    view,
    view.buffer,
    ...beyond,
    new Proxy(Uint8Array.of(1), {}),
  ];
}

/** The bytes of a buffer or a view. */
function bytesIn(data: ArrayBufferView | ArrayBufferLike): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

for (const variant of variants) {
  describe(`data that is sent over ${variant.name}`, () => {
    it("bytes may be any buffer or view: a part, a Buffer, of shared or resizable memory, or none", async () => {
      await using served = await serve(variant);
      const { client, connection } = await opened(served);
      const resizable = new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 }));
      const shared = new Uint8Array(new SharedArrayBuffer(4));
      class Own extends Uint8Array {}
      for (const bytes of [resizable, shared]) bytes.set([1, 2, 3, 4]);
      const right = [
        resizable,
        shared,
        resizable.subarray(0, 2),
        Buffer.from("text"),
        Own.of(5, 6),
        new Uint8Array(0),
        Uint8Array.of(1, 2).buffer,
        shared.buffer,
        new DataView(resizable.buffer, 1, 2),
        new DataView(shared.buffer, 1, 2),
        Uint16Array.of(1, 2),
        new Uint8ClampedArray(shared.buffer, 2),
        Float64Array.of(0.1),
        new ArrayBuffer(0),
        new DataView(new ArrayBuffer(0)),
        new Uint16Array(0),
      ];
      await connection.subscribe("news");
      for (const data of right) {
        const ways = [
          () => void connection.send(data),
          () => void connection.send("binary", data),
          () => void connection.sendBinary(data),
          () => void served.server.broadcast(data),
          async () => assertEquals((await served.server.publish("news", data)).accepted, true),
        ];
        for (const send of ways) {
          await send();
          const frame = await client.frame();
          assertEquals([frame?.opcode, frame?.payload.join()], [2, bytesIn(data).join()]);
        }
        if (variant.engine === "Deno.serve") continue;
        connection.ping(data);
        assertEquals((await client.frame())?.payload.join(), bytesIn(data).join());
      }
      client.socket.destroy();
    });

    it("a message in memory of any kind may be large", async () => {
      await using served = await serve(variant);
      const { client, connection } = await opened(served);
      const shared = new Uint8Array(new SharedArrayBuffer(300_000)).fill(7);
      for (const data of [shared, shared.buffer, new Float64Array(40_000).fill(3).buffer]) {
        connection.send(data);
        served.server.broadcast(data);
        for (let i = 0; i < 2; i++) {
          const payload = (await client.frame())?.payload;
          assertEquals([payload?.length, payload?.equals(bytesIn(data))], [data.byteLength, true]);
        }
      }
      client.socket.destroy();
    });

    it("a Blob is refused, with what to do", async () => {
      await using served = await serve(variant);
      const { client, connection } = await opened(served);
      const blob = new Blob(["text"]) as unknown as ArrayBuffer;
      const advice = "a Blob, whose bytes are not in memory: give await blob.arrayBuffer()";
      const { server } = served;
      const refused: [string, () => unknown][] = [
        ["sendBinary()", () => connection.send(blob)],
        ["broadcast()", () => server.broadcast(blob)],
      ];
      for (const [call, send] of refused) {
        assertEquals(assertThrows(send, WebSocketError).message, `Cannot ${call} ${advice}`);
      }
      for (const publish of [server.publish("news", blob), connection.publish("news", blob)]) {
        const { accepted, error } = await publish;
        assertEquals([accepted, error?.message], [false, `Cannot publish() ${advice}`]);
      }
      client.socket.destroy();
    });

    it("anything else is refused, and so are bytes whose buffer was transferred; nothing is sent", async () => {
      await using served = await serve(variant);
      const { client, connection } = await opened(served);
      const { server } = served;
      const wrong: unknown[] = [
        null,
        undefined,
        5,
        5n,
        {},
        [1],
        new String("text"),
        new Proxy(new ArrayBuffer(1), {}),
        new Proxy(new DataView(new ArrayBuffer(1)), {}),
        ...goneBytes(),
      ];
      for (const data of wrong as Uint8Array[]) {
        assertInvalid(() => connection.send(data), /^Cannot sendBinary\(\) this: it takes/);
        assertInvalid(() => connection.sendBinary(data), /^Cannot sendBinary\(\)/);
        assertInvalid(() => connection.sendUtf8(data as unknown as string), /^Cannot sendUtf8\(\)/);
        assertInvalid(() => server.broadcast(data), /^Cannot broadcast\(\)/);
        if (data !== undefined) assertInvalid(() => connection.ping(data), /^Cannot ping\(\)/);
      }
      for (const text of ["\ud800", "a\udc00b"]) {
        assertThrows(() => connection.sendUtf8(text), TypeError, "lone surrogate");
        assertThrows(() => server.broadcast(text), TypeError, "lone surrogate");
        assertThrows(() => connection.ping(text), TypeError, "lone surrogate");
      }
      for (const kind of ["text", 5n, Symbol("utf8")]) {
        assertInvalid(() => connection.send(kind as "utf8", "text"), /use "utf8", "binary"/);
      }
      connection.send("the first");
      assertEquals(String((await client.frame())?.payload), "the first");
      client.socket.destroy();
    });
  });
}

for (const variant of transports) {
  describe(`what a connection is given over ${variant.name}`, () => {
    it("recv(): invalid options reject, and take no message with them", async () => {
      const got = new Journal<unknown>();
      await using served = await serve(variant, {
        onConnect: (_server, connection) =>
          void connection.on({
            async ready(connection) {
              const signal = { addEventListener() {}, aborted: false };
              const wrong = [null, 5, "signal", { signal: null }, { signal }, { timeout: 1 }];
              for (const options of wrong as object[]) {
                const error = await assertRejects(() => connection.recv(options), WebSocketError);
                assertEquals(error.code, "ERR_INVALID_ARGUMENT");
              }
              for (const options of [undefined, {}, { signal: undefined }]) {
                got.add(await connection.recv(options));
              }
            },
          }),
      });
      using client = await RawClient.open(served.url);
      for (const text of ["1", "2", "3"]) client.write(clientFrame(1, text));
      assertEquals([await got.next(), await got.next(), await got.next()], ["1", "2", "3"]);
      assertEquals(served.errors, []);
    });

    it("on(): each handler is read once, all are set or none; what is no object is refused", async () => {
      await using served = await serve(variant);
      const { client, connection } = await opened(served);
      const { server } = served;
      const failure = new Error("the getter's own");
      const before = () => {};
      for (const owner of [connection, server] as { on(handlers: unknown): unknown }[]) {
        owner.on({ error: before });
        for (const handlers of [null, undefined, 5, "error", [], () => {}]) {
          assertInvalid(() => owner.on(handlers), /^Cannot set these handlers: give an object/);
        }
        const wrong = [{ error: () => {}, [owner === server ? "tick" : "message"]: 5 }];
        for (const handlers of wrong) assertInvalid(() => owner.on(handlers), /must be a function/);
        const throwing = Object.defineProperty({ error: () => {} }, "unknown", {
          enumerable: true,
          value: () => {},
        });
        assertInvalid(() => owner.on(throwing), /"unknown"/);
        const name = owner === server ? "tick" : "utf8";
        const failing = Object.defineProperty({ error: () => {} }, name, {
          enumerable: true,
          get() {
            throw failure;
          },
        });
        let thrown: unknown;
        try {
          owner.on(failing);
        } catch (error) {
          thrown = error;
        }
        assertEquals(thrown, failure);
      }
      assertEquals([connection.onError, server.onError], [before, before] as unknown[]);

      let reads = 0;
      const changing = {
        get error() {
          return reads++ === 0 ? () => {} : 5 as never;
        },
      };
      connection.on(changing);
      assertEquals([reads, typeof connection.onError], [1, "function"]);
      reads = 0;
      server.on(changing);
      assertEquals([reads, typeof server.onError], [1, "function"]);
      client.socket.destroy();
    });

    it("on(): methods of a class are handlers too", async () => {
      class Room {
        utf8(connection: WebSocketConnection, data: string) {
          connection.send(data);
        }
      }
      await using served = await serve(variant, {
        onConnect: (_server, connection) => void connection.on(new Room()),
      });
      using client = await RawClient.open(served.url);
      client.write(clientFrame(1, "text"));
      assertEquals(String((await client.frame())?.payload), "text");
    });

    it("doPong and nodelay: what is neither is refused", async () => {
      await using served = await serve(variant);
      const { client, connection } = await opened(served);
      for (const value of [5, "no", {}, undefined] as never[]) {
        assertInvalid(() => connection.doPong = value, /doPong .*a function, or null/);
        assertInvalid(() => connection.nodelay = value, /nodelay .*true or false/);
      }
      connection.nodelay = true;
      client.socket.destroy();
    });

    it("disconnect(): a reason that is no string is refused, and nothing is sent", async () => {
      await using served = await serve(variant);
      const { client, connection } = await opened(served);
      for (const reason of [null, 5, {}, ["why"]] as never[]) {
        assertThrows(() => connection.disconnect(1000, reason), RangeError, "use a string");
      }
      for (const code of [null, "1000", NaN, -0, 1000.5, 1005] as never[]) {
        assertThrows(
          () => connection.disconnect(code),
          RangeError,
          "Cannot close with status code",
        );
      }
      connection.disconnect(1000, "why");
      assertEquals(await client.closeCode(), 1000);
    });

    it("handshake.reject(): once the WebSocket is open it throws, and is not ignored", async () => {
      await using served = await serve(variant);
      const { client, connection } = await opened(served);
      const error = assertThrows(() => connection.handshake!.reject(403), WebSocketError);
      assertEquals(error.code, "ERR_STATE");
      connection.send("still open");
      assertEquals(String((await client.frame())?.payload), "still open");
      client.socket.destroy();
    });

    it("handshake.response: fields of the framing are refused, as a 101 has no body (RFC 9110 §8.6)", async () => {
      for (const name of ["Content-Length", "Transfer-Encoding", "Connection", "Upgrade"]) {
        await using served = await serve(variant, {
          onConnect: (_server, connection) =>
            void connection.on({
              handshake: (_connection, handshake) => handshake.response.headers.set(name, "5"),
            }),
        });
        assertEquals((await RawClient.ask(served.url, upgradeRequest())).status, 500);
        assertEquals(served.errors.map((it) => (it as WebSocketError).code), ["ERR_HANDLER"]);
      }
    });

    it("server.disconnect(): undefined is nobody", async () => {
      await using served = await serve(variant);
      const { client, connection } = await opened(served);
      assertEquals(served.server.disconnect(undefined), false);
      assertEquals(served.server.disconnect(new WebSocketServer()), false);
      assertEquals(connection.isReady, true);
      assertEquals(served.server.disconnect(connection.socket), true);
      client.socket.destroy();
    });
  });
}
