import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import type { WebSocketConnection } from "../../mod.ts";
import { clientFrame } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { handling, serve, transports } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

/** Real times, as short as they can be told apart. */
const [SILENCE, INTERVAL] = [0.2, 0.1];

/** More than a reader in sips takes while a client may be silent: 60 MiB, of which the system holds some. */
const [PIECES, PIECE] = [240, 262_144];

/** A client of `ws`, which answers pings, with those that it got. */
async function openPinged(url: string) {
  const client = await openWs(url);
  const pings = new Journal<Uint8Array>();
  client.socket.on("ping", pings.add);
  return { ...client, pings };
}

for (const variant of transports) {
  const { name, engine } = variant;
  // Deno.serve's engine does it by itself: a ping after half of silenceMax, the end after all of it.
  const byEngine = engine === "Deno.serve";
  const dropsAfter = byEngine ? SILENCE : SILENCE + INTERVAL;

  describe(`silenceMax, silenceCheckInterval over ${name}`, () => {
    it("a client that answers pings stays, however little it has to say", async () => {
      const ends = new Journal<number>();
      await using served = await serve(variant, {
        ...handling({ disconnect: (_connection, code) => ends.add(code) }),
        silenceMax: SILENCE,
        silenceCheckInterval: INTERVAL,
      });
      const { socket, pings } = await openPinged(served.url);
      await pings.first(5);
      assertEquals([ends.entries, [...served.server.connections].length], [[], 1]);
      socket.close(1000);
      assertEquals(await ends.next(), 1000);
    });

    // Deno.serve's engine pings by itself, and does not look at what waits.
    const skip = byEngine ? "the engine decides" : false;
    it("a reader that is slow but steady stays, though its pongs come late", { skip }, async () => {
      const ends = new Journal<number>();
      await using served = await serve(variant, {
        ...handling({
          ready(connection) {
            for (let i = 0; i < PIECES; i++) connection.sendBinary(new Uint8Array(PIECE).fill(i));
          },
          disconnect: (_connection, code) => ends.add(code),
        }),
        // Long enough for a client on a busy machine to read something in.
        silenceMax: 1.5,
        silenceCheckInterval: 0.5,
        closeTimeout: 60,
        maxBufferedAmount: PIECES * PIECE * 2,
      });
      using client = await RawClient.connect(served.url);
      client.write(upgradeRequest());
      let length = 0;
      const { promise, resolve } = Promise.withResolvers<void>();
      client.socket.removeAllListeners("data");
      client.socket.on("data", (chunk: Uint8Array) => {
        length += chunk.length;
        if (length > PIECES * PIECE) return resolve();
        client.pause();
        setTimeout(() => client.resume(), 5);
      });
      await patiently(promise, "the last byte");
      assertEquals(ends.entries, []);
    });

    it(`a client that does not is pinged, and dropped (1006) ${byEngine ? "after silenceMax" : "after silenceMax and one interval"}`, async () => {
      const ends = new Journal<[number, string]>();
      await using served = await serve(variant, {
        ...handling({ disconnect: (_connection, ...end) => ends.add(end) }),
        silenceMax: SILENCE,
        silenceCheckInterval: INTERVAL,
      });
      using client = await RawClient.open(served.url);
      client.write(clientFrame(1, "the last word"));
      const since = performance.now();
      assertEquals((await client.frame())?.opcode, 9);
      assertEquals(await ends.next(), [1006, ""]);
      const seconds = (performance.now() - since) / 1000;
      // A loaded machine may be late, but never early.
      assert(seconds > dropsAfter - 0.02, `dropped after ${seconds} s`);
      await client.end();
      assertEquals(served.errors, []);
    });

    it("0 turns the checks off, and they can be turned on while the server runs", async () => {
      await using served = await serve(variant, { silenceMax: 0, silenceCheckInterval: 0.02 });
      const idle = await openPinged(served.url);
      await new Promise((resolve) => setTimeout(resolve, 100));
      assertEquals(idle.pings.entries, []);
      served.server.silenceMax = SILENCE;
      // It holds for connections made after; where the checks are ours, for all of them.
      const { pings, socket } = byEngine ? await openPinged(served.url) : idle;
      await pings.next();
      socket.terminate();
      idle.socket.terminate();
    });

    it("a client is not dropped for what it cannot be heard to say", async () => {
      const connections = new Journal<WebSocketConnection>();
      await using served = await serve(variant, {
        ...handling({
          ready(connection) {
            connection.pause();
            connections.add(connection);
          },
        }),
        silenceMax: 0.05,
      });
      const { socket } = await openWs(served.url);
      const connection = await connections.next();
      await new Promise((resolve) => setTimeout(resolve, 300));
      assertEquals(connection.isReady, true);
      connection.resume();
      socket.terminate();
    });

    if (!byEngine) {
      it("a client that has spoken since the last check is not pinged", async () => {
        await using served = await serve(variant, {
          ...handling({ utf8: (connection, data) => void connection.sendUtf8(data) }),
          silenceMax: 1,
          silenceCheckInterval: 0.1,
        });
        const { socket, pings, messages } = await openPinged(served.url);
        const talk = setInterval(() => socket.send("and another thing"), 10);
        await messages.first(40);
        assertEquals(pings.entries, []);
        clearInterval(talk);
        await pings.next();
        socket.terminate();
      });

      it("one timer serves all connections", async () => {
        await using served = await serve(variant, { silenceMax: 10, silenceCheckInterval: 0.05 });
        const clients = await Promise.all(
          Array.from({ length: 30 }, () => openPinged(served.url)),
        );
        const { setTimeout, setInterval } = globalThis;
        const first = clients[0].pings;
        const before = first.entries.length;
        let made = 0;
        globalThis.setTimeout = counting(setTimeout, () => made++);
        globalThis.setInterval = counting(setInterval, () => made++);
        // A promise that a test waits with has a timer of its own: one for each ping waited for.
        await first.first(before + 4);
        Object.assign(globalThis, { setTimeout, setInterval });
        assert(made >= 4 && made <= 12, `${made} timers in 4 checks of 30 connections`);
        for (const { pings } of clients) await pings.first(before + 3);
        for (const { socket } of clients) socket.terminate();
      });
    }
  });
}

/** The same function, told of each call. */
function counting<F>(act: F, called: () => void): F {
  return ((...args: unknown[]) => {
    called();
    return (act as (...args: unknown[]) => unknown)(...args);
  }) as F;
}
