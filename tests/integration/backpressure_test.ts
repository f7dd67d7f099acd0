import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import type { WebSocketConnection, WebSocketError } from "../../mod.ts";
import { clientFrame, closeBytes } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient } from "../support/raw_client.ts";
import { echo, handling, serve, transports } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

const MIB = 1024 * 1024;
/** Far more than the kernel's buffers of one connection take on the loopback interface. */
const FLOOD = 64 * MIB;
const PIECE = new Uint8Array(MIB);

/** Waits until nothing more of what a client has written goes out; gives what is left. */
async function whatIsStuck(client: RawClient): Promise<number> {
  for (let before = -1;;) {
    const now = client.socket.writableLength;
    // That nothing happens can only be seen by waiting.
    if (now === before) return now;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Sends until the server says to wait. */
function fill(connection: WebSocketConnection): void {
  for (let sent = 0; connection.sendBinary(PIECE); sent += PIECE.length) {
    assert(sent < FLOOD, "nothing ever has to wait");
  }
}

for (const variant of transports) {
  describe(`a connection that is not read, over ${variant.name}`, () => {
    const ways: Record<string, (connection: WebSocketConnection, open: Promise<void>) => unknown> =
      {
        "a handler's promise": (_connection, open) => open,
        "conn.pause()": (connection, open) => {
          connection.pause();
          void open.then(() => connection.resume());
        },
      };
    for (const [way, hold] of Object.entries(ways)) {
      if (variant.engine === "Deno.serve") {
        it(`${way} cannot stop Deno.serve: what it reads is held up to maxBufferedAmount`, async () => {
          const ends = new Journal<number>();
          await using served = await serve(variant, {
            ...handling({
              binary: (connection) => hold(connection, new Promise(() => {})),
              disconnect: (_connection, code) => ends.add(code),
            }),
            // Each message counts a little more than its bytes.
            maxBufferedAmount: 4.5 * MIB,
          });
          using client = await RawClient.open(served.url);
          for (let sent = 0; sent < 6 * MIB; sent += MIB) client.write(clientFrame(2, PIECE));
          assertEquals(await client.closeCode(), 1013);
          client.write(clientFrame(8, closeBytes(1013)));
          // The engine fails a connection on which messages come behind its own Close.
          assert([1006, 1013].includes(await ends.next()));
          assertEquals(served.errors.map((it) => (it as WebSocketError).code), ["ERR_PROTOCOL"]);
        });
        continue;
      }
      it(`${way} stops the reading until the kernel's buffers are full, and no byte is lost`, async () => {
        const opened = Promise.withResolvers<void>();
        const came = new Journal<Uint8Array>();
        await using served = await serve(
          variant,
          handling({
            binary(connection, data) {
              came.add(data);
              return came.entries.length === 1 ? hold(connection, opened.promise) : undefined;
            },
          }),
        );
        using client = await RawClient.open(served.url);
        for (let i = 0; i < 64; i++) client.write(clientFrame(2, PIECE));
        await came.next();
        const stuck = await whatIsStuck(client);
        assert(stuck > FLOOD / 4, `only ${stuck} bytes are stuck`);
        assertEquals(came.entries.length, 1);
        opened.resolve();
        await came.first(64);
        assertEquals(client.socket.writableLength, 0);
      });
    }

    if (variant.engine !== "Deno.serve") {
      it("recv() that nobody calls stops the reading as well", async () => {
        const connections = new Journal<WebSocketConnection>();
        await using served = await serve(
          variant,
          handling({
            ready(connection) {
              void connection.recv().then(() => connections.add(connection));
            },
          }),
        );
        using client = await RawClient.open(served.url);
        for (let i = 0; i < 64; i++) client.write(clientFrame(2, PIECE));
        const connection = await connections.next();
        assert(await whatIsStuck(client) > FLOOD / 4);
        for (let i = 1; i < 64; i++) assertEquals((await connection.recv())?.length, MIB);
      });
    }
  });

  describe(`a peer that does not read, over ${variant.name}`, () => {
    it("send returns false above highWaterMark; drain comes once when all is gone", async () => {
      const connections = new Journal<WebSocketConnection>();
      const course = new Journal<string>();
      await using served = await serve(variant, {
        ...handling({
          ready: connections.add,
          drain: ({ bufferedAmount }) => course.add(`drain at ${bufferedAmount}`),
        }),
        highWaterMark: 3 * MIB,
      });
      using client = await RawClient.open(served.url);
      const connection = await connections.next();
      client.socket.pause();
      assertEquals(connection.sendUtf8("x"), true);
      await connection.drained();
      let fills = 0;
      do {
        fill(connection);
        assert(connection.bufferedAmount > 3 * MIB, `${connection.bufferedAmount} bytes wait`);
        assert(++fills < 10, "it says that all is taken, again and again");
        // The system's buffers may have grown, and take all that has waited together with this.
      } while (connection.sendUtf8("still taken"));
      void connection.drained().then(() => course.add("drained"));
      void connection.drained().then(() => course.add("drained"));
      assertEquals(course.entries, []);
      client.socket.resume();
      assertEquals((await course.first(3)).toSorted(), ["drain at 0", "drained", "drained"]);
      assertEquals(connection.bufferedAmount, 0);
      for (let frame = await client.frame(); frame?.opcode !== 1 || frame.payload.length === 1;) {
        frame = await client.frame();
      }
      assertEquals(connection.sendUtf8("again"), true);
      await connection.drained();
      assertEquals(course.entries.length, 3, "drain comes only after a false");
    });

    it("drained() settles when the connection ends", async () => {
      const connections = new Journal<WebSocketConnection>();
      await using served = await serve(variant, handling({ ready: connections.add }));
      using client = await RawClient.open(served.url);
      const connection = await connections.next();
      client.socket.pause();
      fill(connection);
      const drained = connection.drained();
      connection.terminate();
      await drained;
      await connection.drained();
    });

    it("is dropped above maxBufferedAmount, and nobody else suffers", async () => {
      const connections = new Journal<WebSocketConnection>();
      const ends = new Journal<number>();
      await using served = await serve(variant, {
        onConnect(server, connection) {
          void echo.onConnect!(server, connection);
          connection.on({
            ready: connections.add,
            disconnect: (_connection, code) => ends.add(code),
          });
        },
        highWaterMark: MIB,
        maxBufferedAmount: 8 * MIB,
      });
      using slow = await RawClient.open(served.url);
      const victim = await connections.next();
      slow.socket.pause();
      const healthy = await openWs(served.url);
      while (!victim.disconnected) {
        victim.sendBinary(PIECE);
        healthy.socket.send("still there?");
        assertEquals(await healthy.messages.next(), "still there?");
        assert(victim.bufferedAmount <= 9 * MIB + 100);
      }
      assertEquals([await ends.next(), victim.bufferedAmount, victim.sendUtf8("x")], [
        1006,
        0,
        false,
      ]);
      assertEquals(served.errors.map((it) => (it as WebSocketError).code), ["ERR_TOO_SLOW"]);
      assertEquals(victim.error?.code, "ERR_TOO_SLOW");
      healthy.socket.close();
      await healthy.end();
    });

    it("is dropped by a broadcast too, which reaches all others", async () => {
      const connections = new Journal<WebSocketConnection>();
      await using served = await serve(variant, {
        ...handling({ ready: connections.add }),
        maxBufferedAmount: 4 * MIB,
      });
      using slow = await RawClient.open(served.url);
      const victim = await connections.next();
      slow.socket.pause();
      const healthy = await openWs(served.url);
      await connections.next();
      let count = 0;
      while (!victim.disconnected) {
        served.server.broadcast(PIECE);
        count++;
        await healthy.messages.first(count);
      }
      assertEquals(served.server.broadcast("without it"), 1);
      assertEquals((await healthy.messages.first(count + 1)).at(-1), "without it");
      healthy.socket.close();
      await healthy.end();
    });
  });

  if (variant.transport === "tcp") {
    describe(`a peer that floods and does not read, over ${variant.name}`, () => {
      it("is not read on above highWaterMark, so that its echoes cost no memory", async () => {
        const connections = new Journal<WebSocketConnection>();
        await using served = await serve(variant, {
          onConnect(server, connection) {
            void echo.onConnect!(server, connection);
            connection.onReady = connections.add;
          },
          highWaterMark: MIB,
        });
        using client = await RawClient.open(served.url);
        client.socket.pause();
        for (let i = 0; i < 64; i++) client.write(clientFrame(2, PIECE));
        const connection = await connections.next();
        assert(await whatIsStuck(client) > FLOOD / 4);
        assert(connection.bufferedAmount < 4 * MIB, `${connection.bufferedAmount} bytes wait`);
        client.socket.resume();
        for (let i = 0; i < 64; i++) assertEquals((await client.frame())?.payload.length, MIB);
      });
    });
  }
}
