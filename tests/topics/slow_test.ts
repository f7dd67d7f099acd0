import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { WebSocketConnection, WebSocketError, WebSocketServer } from "../../mod.ts";
import { transports } from "../support/transports.ts";
import { gather, type Guest, pathOf } from "./gathering.ts";

const KIB = 1024;
/** Publications begin with their number. */
const PADDING = " ".repeat(64 * KIB);
const KEYS = ["a", "b"];
/** Far more than the kernel's buffers of one connection take on the loopback interface. */
const MOST = 2000;

/**
 * Publishes numbers under keys that take turns, until something has become of it; gives how many. Each has
 * come to somebody who is not slow before the next: nobody else suffers.
 */
async function publishUntil(
  server: WebSocketServer,
  healthy: Guest,
  done: () => boolean,
): Promise<number> {
  for (let i = 0; i < MOST; i++) {
    if (done()) return i;
    await server.publish("t", `${i}${PADDING}`, { key: KEYS[i % KEYS.length] });
    assertEquals(parseInt(await healthy.next()), i);
  }
  throw new Error("nobody is ever slow");
}

function leftOut(connection: WebSocketConnection): number {
  return connection.subscriptions.get("t")!.leftOut;
}

/** The numbers that come, up to one. */
async function numbersTo(last: number, guest: Guest): Promise<number[]> {
  const numbers: number[] = [];
  while (numbers.at(-1) !== last) numbers.push(parseInt(await guest.next()));
  return numbers;
}

for (const variant of transports) {
  const path = pathOf(variant);
  const limits = { highWaterMark: 256 * KIB };

  describe(`a slow subscriber over ${variant.name}`, () => {
    it('slow: "drop" leaves out what does not fit, counts it, and goes on when there is room', async () => {
      await using gathering = await gather(path, {
        ...limits,
        topics: { slow: "drop", history: { count: 10, age: 60 } },
      });
      const { server } = gathering;
      const [slow, healthy] = [await gathering.come(), await gathering.come()];
      const position = { epoch: "", offset: 0 };
      assertEquals((await slow.connection.subscribe("t", { position })).recovered, true);
      await healthy.connection.subscribe("t");
      slow.client.pause();
      const count = await publishUntil(server, healthy, () => leftOut(slow.connection) > 2);
      assert(slow.connection.bufferedAmount < limits.highWaterMark + 2 * PADDING.length);
      const { recovered, position: known } = slow.connection.subscriptions.get("t")!;
      assertEquals([recovered, known], [false, undefined], "it can no longer say where it is");
      slow.client.resume();
      await slow.connection.drained();
      await server.publish("t", "-1");
      const numbers = await numbersTo(-1, slow);
      assertEquals(numbers.length, count - leftOut(slow.connection) + 1);
      assertEquals(numbers.slice(0, -1), numbers.slice(0, -1).map((_, i) => i));
      const { counts } = server.topics.get("t")!;
      assertEquals([counts.dropped, counts.published], [leftOut(slow.connection), count + 1]);
    });

    it('slow: "latest" keeps the newest of each key, in order, and sends it when there is room', async () => {
      await using gathering = await gather(path, { ...limits, topics: { slow: "latest" } });
      const { server } = gathering;
      const [slow, healthy] = [await gathering.come(), await gathering.come()];
      await slow.connection.subscribe("t");
      await healthy.connection.subscribe("t");
      slow.client.pause();
      const count = await publishUntil(server, healthy, () => leftOut(slow.connection) > 10);
      const replaced = leftOut(slow.connection);
      slow.client.resume();
      const numbers = await numbersTo(count - 1, slow);
      assertEquals(numbers.slice(-2), [count - 2, count - 1], "the newest of both keys");
      assertEquals(numbers, numbers.toSorted((a, b) => a - b));
      assertEquals(numbers.length + replaced, count);
      const { counts } = server.topics.get("t")!;
      assertEquals([counts.replaced, counts.dropped], [replaced, 0]);
      await server.publish("t", "-1");
      assertEquals(parseInt(await slow.next()), -1, "what is live comes again");
    });

    it('slow: "disconnect", the default, is the connection\'s own limit', async () => {
      await using gathering = await gather(path, { ...limits, maxBufferedAmount: 1024 * KIB });
      const { server } = gathering;
      const [slow, healthy] = [await gathering.come(), await gathering.come()];
      await slow.connection.subscribe("t");
      await healthy.connection.subscribe("t");
      slow.client.pause();
      const { counts } = server.topics.get("t")!;
      await publishUntil(server, healthy, () => slow.connection.disconnected);
      assertEquals(gathering.errors.map((it) => (it as WebSocketError).code), ["ERR_TOO_SLOW"]);
      assertEquals([counts.disconnected, server.subscriberCount("t")], [1, 1]);
      assertEquals(await gathering.ends.next(), 1006);
    });

    it("maxWaitingKeys: a subscriber for whom more keys wait is dropped", async () => {
      for (const maxWaitingKeys of [1, 2]) {
        await using gathering = await gather(path, {
          ...limits,
          topics: { slow: "latest" },
          maxWaitingKeys,
        });
        const { server, errors } = gathering;
        const [slow, healthy] = [await gathering.come(), await gathering.come()];
        await slow.connection.subscribe("t");
        await healthy.connection.subscribe("t");
        slow.client.pause();
        const done = () => slow.connection.disconnected || leftOut(slow.connection) > 10;
        await publishUntil(server, healthy, done);
        assertEquals(slow.connection.disconnected, maxWaitingKeys === 1);
        const codes = errors.map((it) => (it as WebSocketError).code);
        assertEquals(codes, maxWaitingKeys === 1 ? ["ERR_TOO_SLOW"] : []);
      }
    });
  });
}
