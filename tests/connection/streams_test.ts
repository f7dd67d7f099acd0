import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import { connect } from "../../client/mod.ts";
import { ClosedError, type WebSocketConnection, WebSocketError } from "../../mod.ts";
import { clientFrame, closeBytes, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { RawClient } from "../support/raw_client.ts";
import { handling, serve, type Served, transports } from "../support/transports.ts";

const MIB = 1024 * 1024;

/** Opens a connection; gives both ends. */
async function opened(
  served: Served<WebSocketConnection>,
  connections: Journal<WebSocketConnection>,
): Promise<{ client: RawClient; connection: WebSocketConnection } & Disposable> {
  const client = await RawClient.open(served.url);
  const connection = await connections.next();
  return { client, connection, [Symbol.dispose]: () => client[Symbol.dispose]() };
}

/** Handlers that put each connection, with its messages kept, into a journal. */
function kept(): {
  handlers: ReturnType<typeof handling>;
  connections: Journal<WebSocketConnection>;
} {
  const connections = new Journal<WebSocketConnection>();
  const handlers = handling({
    ready(connection) {
      void connection.readable;
      connections.add(connection);
    },
  });
  return { handlers, connections };
}

/** How a promise ends. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    await patiently(promise, "the end of a stream");
    return "done";
  } catch (error) {
    return error;
  }
}

async function readAll(readable: ReadableStream<string | Uint8Array>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const message of readable) all.push(message);
  return all;
}

const close = (code?: number, reason = "") =>
  clientFrame(8, code === undefined ? new Uint8Array() : closeBytes(code, reason));

for (const variant of transports) {
  const waitsForClose = variant.engine !== "Bun.serve";
  describe(`connection.readable over ${variant.name}`, () => {
    for (const [name, code] of [["1000", 1000], ["1001", 1001], ["no code", undefined]] as const) {
      it(`gives the messages in order, and ends with ${name} (RFC 6455 §7.4.1)`, async () => {
        const { handlers, connections } = kept();
        await using served = await serve(variant, handlers);
        using ends = await opened(served, connections);
        const { client, connection } = ends;
        client.write(concat(clientFrame(1, "one"), clientFrame(2, Uint8Array.of(2)), close(code)));
        assertEquals(await readAll(connection.readable), ["one", Uint8Array.of(2)]);
      });
    }

    it("fails when the connection ends with another code, after what came before", async () => {
      const { handlers, connections } = kept();
      await using served = await serve(variant, handlers);
      using ends = await opened(served, connections);
      const { client, connection } = ends;
      client.write(concat(clientFrame(1, "one"), close(4001, "broken")));
      const reader = connection.readable.getReader();
      assertEquals(await reader.read(), { done: false, value: "one" });
      const error = await outcome(reader.read());
      assertInstanceOf(error, ClosedError);
      assertEquals([error.code, error.closeCode, error.reason], ["ERR_CLOSED", 4001, "broken"]);
      assertEquals(error.message, 'Cannot go on: the connection has ended (4001, "broken")');
    });

    it("fails when the connection is lost", async () => {
      const { handlers, connections } = kept();
      await using served = await serve(variant, handlers);
      using ends = await opened(served, connections);
      const { client, connection } = ends;
      client.reset();
      const error = await outcome(connection.readable.getReader().read());
      assertInstanceOf(error, ClosedError);
      assertEquals(error.closeCode, 1006);
    });

    const skip = variant.engine === "Deno.serve" && "its engine cannot be paused";
    it("is read no faster than somebody reads from it", { skip }, async () => {
      const { handlers, connections } = kept();
      await using served = await serve(variant, { ...handlers, highWaterMark: MIB });
      using ends = await opened(served, connections);
      const { client, connection } = ends;
      const piece = clientFrame(2, new Uint8Array(MIB));
      for (let i = 0; i < 32; i++) client.write(piece);
      client.write(close(1000));
      let before = -1;
      while (client.socket.writableLength !== before) {
        before = client.socket.writableLength;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert(before > 8 * MIB, `only ${before} bytes are stuck`);
      let size = 0;
      for await (const message of connection.readable) size += message.length;
      assertEquals(size, 32 * MIB);
    });

    for (
      const [name, cause, code] of [
        ["nothing", undefined, 1000],
        ["an error", new Error("secret"), 1011],
        ["a ClosedError", new ClosedError(4000, "enough"), 4000],
        ["an error with an unusable closeCode", { closeCode: 1006 }, 1011],
      ] as const
    ) {
      it(`cancelled with ${name}, it ends the connection with ${code}`, async () => {
        const { handlers, connections } = kept();
        await using served = await serve(variant, handlers);
        using ends = await opened(served, connections);
        const { client, connection } = ends;
        await connection.readable.cancel(cause);
        const frame = await client.frame();
        assertEquals([frame?.opcode, frame?.payload.readUInt16BE()], [8, code]);
        assertEquals(frame?.payload.subarray(2).toString(), code === 4000 ? "enough" : "");
        client.write(close(code));
      });
    }

    it("excludes handlers for messages", async () => {
      const connections = new Journal<WebSocketConnection>();
      await using served = await serve(
        variant,
        handling({ ready: connections.add, utf8() {} }),
      );
      using ends = await opened(served, connections);
      const { connection } = ends;
      const state = /^Cannot read a stream on a connection that has a handler for "utf8"/;
      assert(state.test(assertThrows(() => connection.readable, WebSocketError).message));
      connection.on({ utf8: undefined });
      assertEquals(connection.readable, connection.readable);
      const error = assertThrows(() => connection.on({ binary() {} }), WebSocketError);
      assertEquals(error.code, "ERR_STATE");
      connection.terminate();
    });
  });

  describe(`connection.writable over ${variant.name}`, () => {
    it("sends strings as text and bytes in any form, and closes with 1000 behind them", async () => {
      const { handlers, connections } = kept();
      await using served = await serve(variant, handlers);
      using ends = await opened(served, connections);
      const { client, connection } = ends;
      const writer = connection.writable.getWriter();
      await writer.write("text");
      await writer.write(Uint8Array.of(1).buffer);
      await writer.write(new DataView(Uint8Array.of(0, 2).buffer, 1));
      let ended = false;
      const end = writer.close().then(() => ended = true);
      const frames = [await client.frame(), await client.frame(), await client.frame()];
      assertEquals(frames.map((it) => [it?.opcode, it?.payload.toString("latin1")]), [
        [1, "text"],
        [2, "\x01"],
        [2, "\x02"],
      ]);
      assertEquals(await client.closeCode(), 1000);
      assertEquals(ended, !waitsForClose);
      client.write(close(1000));
      await patiently(end, "the end of the stream");
      assertEquals(connection.disconnected, true);
    });

    it("has writers wait for a peer that does not read, and fails when that goes", async () => {
      const { handlers, connections } = kept();
      await using served = await serve(variant, handlers);
      using ends = await opened(served, connections);
      const { client, connection } = ends;
      client.pause();
      const writer = connection.writable.getWriter();
      const write = writer.write(new Uint8Array(32 * MIB));
      const end = outcome(write);
      while (connection.bufferedAmount < MIB) await turn();
      assertEquals(await Promise.race([end, turn().then(() => "waits")]), "waits");
      client.reset();
      const error = await end;
      assertInstanceOf(error, ClosedError);
      assertEquals(error.closeCode, 1006);
      assertEquals(await outcome(writer.closed), error);
    });

    it("ends a pipe though nothing is to be written when the peer goes", async () => {
      const { handlers, connections } = kept();
      await using served = await serve(variant, handlers);
      using ends = await opened(served, connections);
      const { client, connection } = ends;
      const cancelled = new Journal<unknown>();
      const source = new ReadableStream<string>({ cancel: cancelled.add });
      const pipe = outcome(source.pipeTo(connection.writable));
      client.write(close(4002));
      const error = await pipe;
      assertInstanceOf(error, ClosedError);
      assertEquals(error.closeCode, 4002);
      assertEquals(await cancelled.next(), error);
    });

    for (
      const [name, cause, code] of [
        ["nothing", undefined, 1011],
        ["an error", new Error("secret"), 1011],
        ["a ClosedError", new ClosedError(4000, "changed"), 4000],
      ] as const
    ) {
      it(`aborted with ${name}, it ends the connection with ${code}`, async () => {
        const { handlers, connections } = kept();
        await using served = await serve(variant, handlers);
        using ends = await opened(served, connections);
        const { client, connection } = ends;
        await connection.writable.abort(cause);
        assertEquals(await client.closeCode(), code);
        client.write(close(code));
      });
    }

    const skip = !waitsForClose && "its engine does not wait for the answer";
    it("fails to close when the peer does not answer the Close", { skip }, async () => {
      const { handlers, connections } = kept();
      await using served = await serve(variant, { ...handlers, closeTimeout: 0.05 });
      using ends = await opened(served, connections);
      const { connection } = ends;
      const error = await outcome(connection.writable.close());
      assertInstanceOf(error, ClosedError);
      assertEquals(error.closeCode, 1006);
    });

    it("refuses what is no message, with what to do", async () => {
      const { handlers, connections } = kept();
      await using served = await serve(variant, handlers);
      using ends = await opened(served, connections);
      const { connection } = ends;
      const writer = connection.writable.getWriter();
      writer.closed.catch(() => {});
      const error = await assertRejects(
        () => writer.write(new Blob(["text"]) as unknown as ArrayBuffer),
        WebSocketError,
      );
      assert(error.message.includes("give await blob.arrayBuffer()"), error.message);
      connection.terminate();
    });

    it("fails at once when it is asked for after the end", async () => {
      const ended = new Journal<WebSocketConnection>();
      await using served = await serve(variant, handling({ disconnect: ended.add }));
      using client = await RawClient.open(served.url);
      client.write(close(1000));
      const connection = await ended.next();
      assertInstanceOf(await outcome(connection.writable.getWriter().write("late")), ClosedError);
      assertEquals(await readAll(connection.readable), []);
    });
  });

  describe(`the streams of a connection over ${variant.name}`, () => {
    it("echo when they are joined, until the peer closes", async () => {
      const ends = new Journal<unknown>();
      await using served = await serve(
        variant,
        handling({
          ready: async ({ readable, writable }) => {
            ends.add(await outcome(readable.pipeTo(writable)));
          },
        }),
      );
      using client = await RawClient.open(served.url);
      client.write(concat(clientFrame(1, "one"), clientFrame(2, Uint8Array.of(2))));
      assertEquals((await client.frame())?.payload.toString(), "one");
      assertEquals((await client.frame())?.payload.toString("latin1"), "\x02");
      client.write(close(1000));
      assertEquals(await ends.next(), "done");
    });

    it("are there from ready on: ERR_STATE before", async () => {
      const errors: WebSocketError[] = [];
      await using served = await serve(variant, {
        onConnect(_server, connection) {
          errors.push(assertThrows(() => connection.readable, WebSocketError));
          errors.push(assertThrows(() => connection.writable, WebSocketError));
        },
      });
      using _client = await RawClient.open(served.url);
      assertEquals(errors.map(({ code }) => code), ["ERR_STATE", "ERR_STATE"]);
    });

    it("make no error of a handler when the peer leaves", async () => {
      const ends = new Journal<number>();
      await using served = await serve(
        variant,
        handling({
          ready: (connection) => new ReadableStream<string>().pipeTo(connection.writable),
          disconnect: (_connection, code) => ends.add(code),
        }),
      );
      using reading = await RawClient.open(served.url);
      reading.write(close(4003));
      assertEquals(await ends.next(), 4003);
      using lost = await RawClient.open(served.url);
      lost.reset();
      assertEquals(await ends.next(), 1006);
      await new Promise((resolve) => setTimeout(resolve, 10));
      assertEquals(served.errors, []);
    });

    it("carry a large file down and up, of which little is held, for clients too", async () => {
      const total = 16 * MIB;
      let most = 0;
      let came = 0;
      const ends = new Journal<string>();
      await using served = await serve(variant, {
        ...handling({
          async ready(connection) {
            let sent = 0;
            const file = new ReadableStream<Uint8Array>({
              pull(controller) {
                most = Math.max(most, connection.bufferedAmount);
                if (sent === total) return controller.close();
                controller.enqueue(new Uint8Array(65_536).fill(sent >> 16));
                sent += 65_536;
              },
            });
            await file.pipeTo(connection.writable);
            ends.add("sent");
          },
        }),
        highWaterMark: MIB,
      });
      const download = await connect(served.url);
      let wrong = 0;
      for await (const piece of download.readable) {
        const bytes = piece as Uint8Array;
        if (bytes[0] !== (came >> 16 & 255) || bytes.at(-1) !== bytes[0]) wrong++;
        came += bytes.length;
      }
      assertEquals([came, wrong, await ends.next()], [total, 0, "sent"]);
      assert(most <= 1.2 * MIB, `${most} bytes were held`);

      const uploads = new Journal<number>();
      await using taking = await serve(variant, {
        ...handling({
          async ready({ readable }) {
            let size = 0;
            await readable.pipeTo(
              new WritableStream({
                async write(piece) {
                  size += piece.length;
                  if (size % (4 * MIB) === 0) await new Promise((go) => setTimeout(go, 5));
                },
              }),
            );
            uploads.add(size);
          },
        }),
        highWaterMark: MIB,
      });
      const upload = await connect(taking.url);
      const writer = upload.writable.getWriter();
      for (let sent = 0; sent < total; sent += 65_536) await writer.write(new Uint8Array(65_536));
      await patiently(writer.close(), "the end of the upload");
      assertEquals(await uploads.next(), total);
    });
  });
}

/** Waits for a turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
