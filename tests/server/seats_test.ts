import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import type { WebSocketConnection } from "../../mod.ts";
import { Roster } from "../../src/server/roster.ts";
import { TrustedProxies } from "../../src/server/trusted_proxies.ts";
import { allPaths } from "../support/all_paths.ts";
import { type BytePath, connectOver, openOver, serveOver } from "../support/byte_paths.ts";
import { clientFrame } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { type RawClient, upgradeRequest } from "../support/raw_client.ts";

/** Whether a client gets a seat; whoever gets none is told so, or dropped. */
async function isOpened(path: BytePath, url: string): Promise<boolean> {
  try {
    using client = await connectOver(path, url);
    client.write(upgradeRequest());
    return (await client.response(true)).status === 101;
  } catch {
    return false;
  }
}

for (const path of allPaths) {
  describe(`seats over ${path.name}`, () => {
    for (const limit of [{ maxConnections: 1 }, { maxConnectionsPerAddress: 1 }]) {
      it(`${Object.keys(limit)[0]}: a seat is taken before onAccept is awaited, and no handler hears of those without one`, async () => {
        const accepts = new Journal<true>();
        const connects = new Journal<true>();
        const decided = Promise.withResolvers<undefined>();
        await using served = await serveOver(path, {
          ...limit,
          onAccept() {
            accepts.add(true);
            return decided.promise;
          },
          onConnect: () => connects.add(true),
        });
        using first = await connectOver(path, served.url);
        first.write(upgradeRequest());
        await accepts.next();
        const others: RawClient[] = [];
        try {
          for (let i = 0; i < 5; i++) {
            // One is answered; those beyond the queue may on tcp be dropped without a word.
            const answered = i === 0 || path.transport === "http";
            try {
              const other = await connectOver(path, served.url);
              others.push(other);
              other.write(upgradeRequest());
              if (answered) assertEquals((await other.response()).status, 503);
              else await other.end();
            } catch (error) {
              // In the midst of the TLS handshake, that is.
              if (answered || !path.secure) throw error;
            }
          }
        } finally {
          for (const it of others) it[Symbol.dispose]();
        }
        assertEquals([accepts.entries.length, connects.entries.length], [1, 0]);
        decided.resolve(undefined);
        assertEquals((await first.response(true)).status, 101);
        assertEquals([accepts.entries.length, connects.entries.length], [1, 1]);
        assertEquals(served.errors, []);
      });
    }

    for (const slow of ["onAccept", "onConnect", "handshake"]) {
      it(`a seat is free again when its peer leaves while ${slow} has not settled`, async () => {
        const called = new Journal<true>();
        const never = new Promise<undefined>(() => {});
        let calls = 0;
        const first = () => {
          called.add(true);
          return ++calls === 1 ? never : undefined;
        };
        await using served = await serveOver(path, {
          maxConnections: 1,
          // A socket that is not read tells of no end, and one that has ended may still want its answer.
          handshakeTimeout: 0.3,
          closeTimeout: 0.3,
          ...(slow === "handshake"
            ? { onConnect: (_server, connection) => connection.on({ handshake: first }) }
            : { [slow]: first }),
        });
        const gone = await connectOver(path, served.url);
        gone.write(upgradeRequest());
        await called.next();
        gone[Symbol.dispose]();
        // Nobody tells when the server has seen it, so the next one asks until it has a seat.
        while (!await isOpened(path, served.url));
        assertEquals(served.errors, []);
      });
    }

    it("a seat is free again when onAccept or onConnect has refused, and when its connection has left", async () => {
      const left = new Journal<number>();
      let turn = 0;
      await using served = await serveOver(path, {
        maxConnections: 1,
        onAccept: () => turn++ === 0 ? Promise.reject(new Error("not this one")) : undefined,
        onConnect(_server, connection) {
          connection.on({ disconnect: (_connection, code) => left.add(code) });
          return turn !== 2;
        },
      });
      for (let i = 0; i < 2; i++) {
        using refused = await connectOver(path, served.url);
        refused.write(upgradeRequest());
        if (path.transport === "http") {
          assertEquals((await refused.response()).status, i === 0 ? 500 : 403);
        } else {
          await refused.end();
        }
      }
      assertEquals(await left.next(), 1006);
      for (let i = 0; i < 2; i++) {
        using client = await openOver(path, served.url);
        client.write(clientFrame(8));
        assertEquals(await left.next(), 1005);
      }
      assertEquals(served.errors.length, 1);
    });
  });
}

describe("the roster", () => {
  const limits = { maxConnections: 3, maxConnectionsPerAddress: 2, trustProxy: undefined };
  type Peer = Parameters<Roster<WebSocketConnection>["seat"]>[0];
  const nobody = { destroy() {} };
  const someone = () => ({}) as Peer & WebSocketConnection;

  it("reserves seats, which count until they are let go of, once", () => {
    const roster = new Roster(limits);
    const [one, two] = [roster.reserve("192.0.2.1", nobody)!, roster.reserve("192.0.2.1", nobody)!];
    assertEquals(roster.join(someone(), "192.0.2.1"), false, "no third from one address");
    assertEquals(roster.join(someone(), "192.0.2.2"), true);
    assertEquals(roster.join(someone(), "192.0.2.3"), false, "no fourth at all");
    one();
    one();
    assertEquals(roster.join(someone(), "192.0.2.1"), true);
    assertEquals(roster.join(someone(), "192.0.2.3"), false);
    two();
    assertEquals(roster.join(someone(), "192.0.2.1"), true);
    assertEquals(roster.join(someone(), "192.0.2.3"), false);
  });

  it("reserves places in the queue when there are no seats, until there are none of those either", () => {
    const roster = new Roster(limits);
    const reserved = Array.from({ length: 6 }, (_, i) => roster.reserve(`192.0.2.${i}`, nobody));
    assertEquals(reserved.every((it) => it !== undefined), true);
    assertEquals(roster.reserve("192.0.2.9", nobody), undefined);
    assertEquals(roster.wait(someone(), "192.0.2.9"), false);
    reserved[5]!();
    assertEquals(roster.wait(someone(), "192.0.2.9"), true);
    assertEquals(roster.reserve("192.0.2.9", nobody), undefined);
  });

  it("a seat stays the same when its peer gets a connection", () => {
    const roster = new Roster(limits);
    const [peer, connection] = [someone(), someone()];
    roster.join(peer, "192.0.2.1");
    roster.seat(peer, connection);
    roster.leave(peer);
    assertEquals(roster.join(someone(), "192.0.2.1"), true);
    assertEquals(roster.join(someone(), "192.0.2.1"), false);
    roster.leave(connection);
    assertEquals(roster.join(someone(), "192.0.2.1"), true);
  });

  it("counts nobody under the address of a proxy, but clients under their own", () => {
    const trustProxy = new TrustedProxies(["10.0.0.1"]);
    const roster = new Roster({ ...limits, maxConnections: 9, trustProxy });
    const peers = Array.from({ length: 4 }, someone);
    for (const it of peers) assertEquals(roster.join(it, "10.0.0.1"), true);
    const located = peers.map((it) => roster.locate(it, "192.0.2.1"));
    assertEquals(located, [true, true, false, false]);
    roster.leave(peers[0]);
    assertEquals(roster.locate(peers[2], "192.0.2.1"), true);
  });

  it("those without a seat wait in a queue as long as there are seats, and leave it", () => {
    const roster = new Roster(limits);
    const waiting = Array.from({ length: 3 }, someone);
    assertEquals(waiting.map((it) => roster.wait(it, "192.0.2.1")), [true, true, false]);
    assertEquals(roster.join(someone(), "192.0.2.1"), true, "a place in the queue is no seat");
    roster.leave(waiting[0]);
    assertEquals(roster.wait(waiting[2], "192.0.2.1"), true);
    assertEquals(roster.wait(someone(), "192.0.2.2"), true);
    assertEquals(roster.wait(someone(), "192.0.2.3"), false);
  });
});
