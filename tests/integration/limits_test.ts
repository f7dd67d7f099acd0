import { once } from "node:events";
import { connect } from "node:net";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import { deflateRawSync } from "node:zlib";
import type { WebSocketConnection, WebSocketError } from "../../mod.ts";
import { clientFrame, closeBytes, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { inTime, patiently } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { echo, handling, serve, transports, type Variant } from "../support/transports.ts";

// Limits at which something else happens than one step before, where no other test shows both sides.

const KIB = 1024;
const MIB = 1024 * KIB;

/** How many bytes an engine counts for a frame of 126 to 65,535 bytes, beside those. */
function frameOverhead({ engine }: Variant): number {
  return engine === "Deno.serve" ? 0 : 4;
}

/** Sends until just so many bytes wait; gives what the last send returned. */
async function fillTo(
  connection: WebSocketConnection,
  amount: number,
  overhead: number,
): Promise<boolean> {
  const room = () => amount - connection.bufferedAmount;
  for (let still = 0; still < 10;) {
    if (room() > 128 * KIB) {
      connection.sendBinary(new Uint8Array(64 * KIB));
      still = 0;
    }
    const before = room();
    // The system takes some of it, until its buffers are full.
    await new Promise((resolve) => setTimeout(resolve, 5));
    still = room() === before && room() <= 128 * KIB ? still + 1 : 0;
  }
  while (room() > 60 * KIB) connection.sendBinary(new Uint8Array(30 * KIB));
  const taken = connection.sendBinary(new Uint8Array(room() - overhead));
  assertEquals(connection.bufferedAmount, amount);
  return taken;
}

/** A second by a clock that stands still, until it is told to go on. */
async function withStoppedClock(act: (goOn: (ms: number) => void) => Promise<void>): Promise<void> {
  const { now } = performance;
  let time = Math.ceil(now.call(performance) / 1000) * 1000;
  performance.now = () => time;
  try {
    await act((ms) => time += ms);
  } finally {
    performance.now = now;
  }
}

const CLOSE_SECONDS = 0.6;

/** Ends two connections, one of which answers in the midst of closeTimeout and the other never. */
async function closeLate(
  variant: Variant,
  closeTimeout: number,
): Promise<{ ends: number[]; late: number }> {
  const connections = new Journal<WebSocketConnection>();
  const ends = new Journal<number>();
  await using served = await serve(variant, {
    ...handling({ ready: connections.add, disconnect: (_connection, code) => ends.add(code) }),
    closeTimeout,
  });
  using slow = await RawClient.open(served.url);
  using tooSlow = await RawClient.open(served.url);
  const began = performance.now();
  for (const it of await connections.first(2)) it.disconnect(4001);
  for (const client of [slow, tooSlow]) assertEquals(await client.closeCode(), 4001);
  await new Promise((resolve) => setTimeout(resolve, closeTimeout * 500));
  slow.write(clientFrame(8, closeBytes(4001)));
  await ends.first(2);
  return { ends: ends.entries, late: (performance.now() - began) / 1000 };
}

for (const variant of transports) {
  const { name, engine } = variant;

  describe(`limits over ${name}`, () => {
    it("highWaterMark: just as much may wait; with a byte more send… returns false", async () => {
      const connections = new Journal<WebSocketConnection>();
      const options = { ...handling({ ready: connections.add }), highWaterMark: MIB };
      await using served = await serve(variant, options);
      using client = await RawClient.open(served.url);
      const connection = await connections.next();
      client.socket.pause();
      assertEquals(await fillTo(connection, MIB, frameOverhead(variant)), true);
      assertEquals(connection.sendBinary(new Uint8Array(1)), false);
      assertEquals([connection.isReady, served.errors], [true, []]);
      connection.terminate();
    });

    it("maxBufferedAmount: just as much is held; with a byte more the peer is dropped", async () => {
      const connections = new Journal<WebSocketConnection>();
      const ends = new Journal<number>();
      await using served = await serve(variant, {
        ...handling({
          ready: connections.add,
          disconnect: (_connection, code) => ends.add(code),
        }),
        highWaterMark: MIB,
        maxBufferedAmount: 2 * MIB,
      });
      using client = await RawClient.open(served.url);
      const connection = await connections.next();
      client.socket.pause();
      assertEquals(await fillTo(connection, 2 * MIB, frameOverhead(variant)), false);
      assertEquals([connection.isReady, served.errors], [true, []]);
      assertEquals(connection.sendBinary(new Uint8Array(1)), false);
      assertEquals(connection.disconnected, true);
      assertEquals(await ends.next(), 1006);
      assertEquals(served.errors.map((it) => (it as WebSocketError).code), ["ERR_TOO_SLOW"]);
    });

    it("maxBufferedAmount: a single message of more is sent, when nothing waited before it", async () => {
      const connections = new Journal<WebSocketConnection>();
      await using served = await serve(variant, {
        ...handling({ ready: connections.add }),
        maxBufferedAmount: 2 * MIB,
      });
      using client = await RawClient.open(served.url);
      const connection = await connections.next();
      for (let round = 0; round < 2; round++) {
        connection.sendBinary(new Uint8Array(8 * MIB).fill(round));
        await connection.drained();
        const payload = (await client.frame())?.payload;
        assertEquals([payload?.length, payload?.at(-1)], [8 * MIB, round]);
      }
      assertEquals([connection.isReady, served.errors], [true, []]);
    });

    it("maxSendSize: a broadcast of just as much goes to all, of a byte more to nobody", async () => {
      await using served = await serve(variant, { maxSendSize: 10 });
      using one = await RawClient.open(served.url);
      using other = await RawClient.open(served.url);
      while (served.server.connections.size < 2) await new Promise((go) => setImmediate(go));
      for (const tooMuch of ["12345678901", "€€€€", new Uint8Array(11)]) {
        assertThrows(() => served.server.broadcast(tooMuch), RangeError, "maxSendSize is 10");
      }
      assertEquals(served.server.broadcast("€€€1"), 2);
      for (const client of [one, other]) {
        assertEquals((await client.frame())?.payload.toString(), "€€€1");
      }
    });

    if (engine === "Bun.serve") {
      it("closeTimeout is not waited for: the engine ends a connection at once", async () => {
        await inTime(CLOSE_SECONDS, async (seconds) => {
          const { ends, late } = await closeLate(variant, seconds);
          assertEquals([ends, late < seconds], [[4001, 4001], true]);
        });
      });
    } else {
      it("closeTimeout: a Close may be answered just as late, and no later", async () => {
        await inTime(CLOSE_SECONDS, async (seconds) => {
          const { ends, late } = await closeLate(variant, seconds);
          assertEquals(ends, [4001, 1006]);
          assert(late > seconds - 0.05, `given up after ${late} s`);
        });
      });
    }

    // The engine of Deno.serve has no compression.
    if (engine === "Deno.serve") return;
    it("maxRecvSize: a message that inflates to just as much is taken, a byte more is 1009", async () => {
      const maxRecvSize = 100 * KIB;
      const options = { ...echo, extensions: "permessage-deflate", maxRecvSize };
      await using served = await serve(variant, options);
      const offer = { "Sec-WebSocket-Extensions": "permessage-deflate" };
      const squeezed = (size: number) => {
        const payload = concat(deflateRawSync(new Uint8Array(size)), Uint8Array.of(0));
        assert(payload.length < 1000, "what comes is far below the limit");
        return clientFrame(2, payload, { rsv: 0x40 });
      };
      using client = await RawClient.open(served.url, offer);
      client.write(squeezed(maxRecvSize));
      assertEquals((await client.frame())?.opcode, 2);
      client.write(squeezed(maxRecvSize + 1));
      assertEquals(await client.closeCode(), 1009);
    });
  });
}

for (const variant of transports.filter(({ transport }) => transport === "tcp")) {
  describe(`limits over ${variant.name}, which the engines of the runtimes have not`, () => {
    it("maxControlFrames: just as many a second are taken, one more is 1008", async () => {
      await using served = await serve(variant, { ...echo, maxControlFrames: 50 });
      using client = await RawClient.open(served.url);
      using idle = await RawClient.open(served.url);
      const burst = concat(...Array<Uint8Array>(25).fill(concat(clientFrame(9), clientFrame(10))));
      await withStoppedClock(async (goOn) => {
        for (let second = 0; second < 3; second++) {
          // All that may come in this second, and it is counted to its end.
          client.write(burst);
          for (let i = 0; i < 25; i++) assertEquals((await client.frame())?.opcode, 10);
          goOn(999);
          client.write(clientFrame(1, "still there?"));
          assertEquals((await client.frame())?.opcode, 1);
          goOn(1);
        }
        assertEquals(served.errors, []);
        client.write(burst);
        for (let i = 0; i < 25; i++) assertEquals((await client.frame())?.opcode, 10);
        goOn(999);
        client.write(clientFrame(10));
        assertEquals(await client.closeCode(), 1008);
      });
      // What one does is counted for nobody else.
      idle.write(clientFrame(9));
      assertEquals((await idle.frame())?.opcode, 10);
      assertEquals(served.errors.length, 1);
    });

    it("maxConnections: up to twice as many get an answer, one more is dropped without", async () => {
      await assertDropsAtTwice(variant, { maxConnections: 2 });
    });

    it("maxConnectionsPerAddress: up to twice as many get an answer, one more is dropped", async () => {
      await assertDropsAtTwice(variant, { maxConnectionsPerAddress: 2 });
    });

    it("closeTimeout: a refused peer that does not hang up is read so long, and then dropped", async () => {
      const ends = new Journal<number>();
      await using served = await serve(variant, {
        ...handling({ disconnect: (_connection, code) => ends.add(code) }),
        closeTimeout: CLOSE_SECONDS,
        maxConnections: 1,
      });
      const { hostname, port } = new URL(served.url);
      const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
      // That it is reset in the end is what this is about.
      const reset = once(socket, "close").catch(() => {});
      socket.on("error", () => {});
      socket.write(upgradeRequest({ "Sec-WebSocket-Key": "short" }));
      const began = performance.now();
      await patiently(once(socket.resume(), "end"), "the end of what a refused peer is told");
      // It goes on sending; nothing of that is kept, and it takes up its place all the while.
      const drip = setInterval(() => socket.write(new Uint8Array(100 * KIB)), 20);
      try {
        assertEquals((await RawClient.ask(served.url, upgradeRequest())).status, 503);
        assertEquals(await ends.next(), 1006);
        const late = (performance.now() - began) / 1000;
        assert(late > CLOSE_SECONDS - 0.05, `dropped after ${late} s`);
        await patiently(reset, "the drop of a refused peer");
      } finally {
        clearInterval(drip);
        socket.destroy();
      }
      using next = await RawClient.open(served.url);
      assertEquals([next.ended, served.errors], [false, []]);
    });

    it("handshakeTimeout: a head may take just as long, and no longer", () =>
      inTime(0.6, async (seconds) => {
        await using served = await serve(variant, { ...echo, handshakeTimeout: seconds });
        const request = upgradeRequest();
        using slow = await RawClient.connect(served.url);
        using tooSlow = await RawClient.connect(served.url);
        const began = performance.now();
        for (const client of [slow, tooSlow]) client.write(request.slice(0, -1));
        await new Promise((resolve) => setTimeout(resolve, seconds * 500));
        assertEquals(slow.received.length, 0, "it was answered too early");
        slow.write(request.slice(-1));
        assertEquals((await slow.response(true)).status, 101);
        assertEquals((await tooSlow.response()).status, 408);
        const took = (performance.now() - began) / 1000;
        assert(took > seconds - 0.05, `given up after ${took} s`);
        // The time is for the handshake only.
        slow.write(clientFrame(1, "still there?"));
        assertEquals((await slow.frame())?.opcode, 1);
      }));
  });
}

/** Twice as many silent connections as may be, and then one more. */
async function assertDropsAtTwice(
  variant: Variant,
  limit: { maxConnections: 2 } | { maxConnectionsPerAddress: 2 },
): Promise<void> {
  const accepted = new Journal<WebSocketConnection>();
  await using served = await serve(variant, {
    ...limit,
    onConnect: (_server, connection) => accepted.add(connection),
  });
  const silent: RawClient[] = [];
  const join = async () => silent.push(await RawClient.connect(served.url));
  try {
    for (let i = 0; i < 4; i++) await join();
    using fifth = await RawClient.connect(served.url);
    fifth.write(upgradeRequest());
    await fifth.end();
    assertEquals(fifth.received.length, 0);
    for (const it of silent.slice(2)) {
      it.write(upgradeRequest());
      assertEquals((await it.response()).status, 503);
    }
    await accepted.first(2);
    // Only those that have a seat reach the handlers.
    assertEquals([accepted.entries.length, served.errors], [2, []]);
  } finally {
    for (const it of silent) it[Symbol.dispose]();
  }
}
