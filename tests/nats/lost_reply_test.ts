import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { natsEngine } from "../../src/nats/mod.ts";
import type { EngineTopic, PublishResult } from "../../src/topics/engine.ts";
import { NatsServer, NO_NATS } from "../support/nats_server.ts";
import { patiently } from "../support/patience.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { connector, historyStreams, manage } from "./harness.ts";

const KEPT: EngineTopic = { name: "kept", history: { count: 100, age: 600 } };
const UNKEPT: EngineTopic = { name: "unkept", history: null };
const ALL = /CONNECT/;

const soon = () => new Promise((resolve) => setTimeout(resolve, 10));

interface Scene {
  readonly nats: NatsServer;
  readonly proxy: TcpProxy;
  publish(topic: EngineTopic, data: string, idempotencyKey?: string): Promise<PublishResult>;
  close(): Promise<void>;
}

/** Runs a test with an engine whose connection goes through a proxy. */
async function within(test: (scene: Scene) => Promise<void>): Promise<void> {
  const nats = await NatsServer.start();
  const proxy = await TcpProxy.start(nats.port);
  const engine = natsEngine(connector(proxy.port));
  let number = 0;
  await engine.start({
    publication() {},
    presence() {},
    control() {},
    down() {},
    up() {},
    dropped() {},
    error() {},
  });
  try {
    await test({
      nats,
      proxy,
      publish: async (topic, data, idempotencyKey) =>
        await engine.publish(topic, { data, id: `lost.${++number}`, idempotencyKey }, null),
      close: async () => await engine.close(),
    });
  } finally {
    await engine.close();
    await proxy.close();
    await nats.close();
  }
}

/** Waits until a stream has so many publications. */
async function kept({ port }: NatsServer, count: number): Promise<void> {
  await patiently(
    manage(port, async ({ streams }) => {
      const [name] = await historyStreams(port);
      while ((await streams.info(name)).state.messages < count) await soon();
    }),
    `${count} in history`,
  );
}

describe("an answer to publishing is lost", () => {
  it(
    "after it was done, with history: it is found there",
    { skip: NO_NATS },
    () =>
      within(async ({ nats, proxy, publish }) => {
        const first = await publish(KEPT, "1");
        proxy.lose("replies", ALL);
        const results = [publish(KEPT, "2"), publish(KEPT, "3")];
        await kept(nats, 3);
        proxy.cut();
        const { epoch } = first.position!;
        assertEquals(await Promise.all(results), [
          { accepted: true, position: { epoch, offset: 2 } },
          { accepted: true, position: { epoch, offset: 3 } },
        ]);
      }),
  );

  it("before it was done, and NATS has ended: it is not there, and never will be", {
    skip: NO_NATS,
  }, () =>
    within(async ({ nats, proxy, publish }) => {
      await publish(KEPT, "1");
      proxy.lose("requests", ALL);
      const lost = publish(KEPT, "2");
      await soon();
      await nats.kill();
      // What the engine sends from now on is not lost.
      proxy.cut();
      await nats.start();
      const { accepted, error } = await lost;
      assertEquals(accepted, false);
      assert(error instanceof Error);
      const again = await publish(KEPT, "3");
      assertEquals([again.accepted, again.position?.offset], [true, 2]);
    }));

  it("of a repeat, which has the name of the first one there: it is never refused", {
    skip: NO_NATS,
  }, () =>
    within(async ({ nats, proxy, publish }) => {
      assertEquals((await publish(KEPT, "1", "key")).accepted, true);
      proxy.lose("requests", ALL);
      const lost = publish(KEPT, "1", "key");
      await soon();
      await nats.kill();
      proxy.cut();
      await nats.start();
      assertEquals((await lost).accepted, "unknown");
      assertEquals((await publish(KEPT, "1", "key")).repeated, true);
    }));

  it(
    "before it was done, and the same NATS may do it yet: nobody knows",
    { skip: NO_NATS },
    () =>
      within(async ({ proxy, publish }) => {
        await publish(KEPT, "1");
        proxy.lose("requests", ALL);
        const lost = publish(KEPT, "2");
        await soon();
        proxy.cut();
        const { accepted, error } = await lost;
        assertEquals(accepted, "unknown");
        assert(error instanceof Error);
      }),
  );

  it(
    "after it was done, without history: nobody knows",
    { skip: NO_NATS },
    () =>
      within(async ({ proxy, publish }) => {
        await publish(UNKEPT, "1");
        proxy.lose("replies", ALL);
        const lost = publish(UNKEPT, "2");
        await soon();
        proxy.cut();
        const { accepted, error } = await lost;
        assertEquals(accepted, "unknown");
        assert(error instanceof Error);
      }),
  );

  it("and NATS hangs: there is an answer all the same, and the next one is refused at once", {
    skip: NO_NATS,
  }, () =>
    within(async ({ proxy, publish }) => {
      await publish(KEPT, "1");
      // It answers nothing on new connections either.
      proxy.lose("requests", ALL);
      const began = performance.now();
      const results = await Promise.all([publish(KEPT, "2"), publish(UNKEPT, "2")]);
      assert(performance.now() - began < 6000, "not answered in time");
      assertEquals(results.map(({ accepted }) => accepted), ["unknown", "unknown"]);
      assertEquals((await publish(KEPT, "3")).accepted, false);
    }));

  it("and NATS hangs: the engine can be closed all the same, and all that waits is answered", {
    skip: NO_NATS,
  }, () =>
    within(async ({ proxy, publish, close }) => {
      await publish(UNKEPT, "1");
      proxy.lose("requests", ALL);
      const results = [publish(UNKEPT, "2")];
      await soon();
      // It waits for the answer to the one before, until the end sends it.
      results.push(publish(UNKEPT, "3"));
      const kept = publish(KEPT, "1");
      await patiently(close(), "the end of the engine");
      const told = (await Promise.all(results)).map(({ accepted }) => accepted);
      assertEquals(told, ["unknown", "unknown"]);
      assert((await kept).accepted !== true);
    }));
});
