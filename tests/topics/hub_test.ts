import { describe, it } from "node:test";
import { setImmediate } from "node:timers";
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Position } from "../../src/topics/engine.ts";
import { WebSocketError } from "../../src/base/errors.ts";
import { MemoryEngine, type TimedMemoryEngineOptions } from "../../src/topics/memory_engine.ts";
import {
  HISTORY,
  makeHub,
  PlainFormat,
  sharedMessage,
  TestClock,
  type TestHubOptions,
  TestSubscriber,
} from "./fakes.ts";
import { settle, UnreliableEngine, UnreliablePlace } from "./unreliable_engine.ts";

function memory(options: Partial<TestHubOptions> = {}) {
  const clock = new TestClock();
  const made = makeHub({
    engine: new MemoryEngine({ clock } as TimedMemoryEngineOptions),
    clock,
    ...options,
  });
  void made.hub.start();
  const join = () => {
    const subscriber = new TestSubscriber();
    return { subscriber, subscriptions: made.hub.join(subscriber) };
  };
  return { ...made, clock, join };
}

/** One server over a network that moves only when told to. */
function network(options: Partial<TestHubOptions> = {}) {
  const clock = new TestClock();
  const place = new UnreliablePlace(clock);
  const engine = new UnreliableEngine(place);
  const made = makeHub({ engine, clock, topics: HISTORY, ...options });
  void made.hub.start();
  /** Something that another server publishes. */
  const elsewhere = (data: string) => {
    clock.pass(0.001);
    place.publish({ name: "t", ...HISTORY }, { data, id: `other.${data}` });
  };
  const join = (position?: Position) => {
    const subscriber = new TestSubscriber();
    const subscriptions = made.hub.join(subscriber);
    const result = subscriptions.subscribe("t", { position });
    return { subscriber, subscriptions, result };
  };
  return { ...made, clock, place, engine, elsewhere, join };
}

describe("hub: subscribing and publishing in memory", () => {
  it("takes effect within the call, in the order of the calls", () => {
    const { hub, join } = memory();
    const { subscriber, subscriptions } = join();
    void hub.publish("t", "before");
    void subscriptions.subscribe("t");
    void hub.publish("t", "1");
    subscriber.deliver(sharedMessage("sent"));
    void hub.publish("t", "2");
    subscriptions.unsubscribe("t");
    void hub.publish("t", "after");
    assertEquals(subscriber.received, ["1", "sent", "2"]);
  });

  it("twice is once, with the same answer", async () => {
    const { hub, join } = memory({ topics: HISTORY });
    const { subscriber, subscriptions } = join();
    const [one, two] = [subscriptions.subscribe("t"), subscriptions.subscribe("t")];
    assertEquals(await one, await two);
    await hub.publish("t", "x");
    assertEquals([subscriber.received, hub.subscriberCount("t")], [["x"], 1]);
  });

  it("a publication is encoded once for each format, whoever recovers it", async () => {
    const { hub, plain, join } = memory({ topics: HISTORY });
    const other = new PlainFormat();
    const { position } = await join().subscriptions.subscribe("t");
    for (let i = 0; i < 9; i++) await join().subscriptions.subscribe("t");
    for (let i = 0; i < 9; i++) await join().subscriptions.subscribe("t", { format: other });
    await hub.publish("t", "x");
    assertEquals([plain.encoded, other.encoded], [1, 1]);
    for (let i = 0; i < 9; i++) {
      const { subscriber, subscriptions } = join();
      await subscriptions.subscribe("t", { position });
      assertEquals(subscriber.received, ["x"]);
    }
    assertEquals([plain.encoded, other.encoded], [2, 1]);
  });

  it("a subscriber that fails keeps the publication from nobody", async () => {
    const { hub, errors, join } = memory();
    const all = [join(), join(), join()];
    for (const { subscriptions } of all) await subscriptions.subscribe("t");
    all[1].subscriber.onDeliver = () => {
      throw new Error("no");
    };
    const result = await hub.publish("t", "x");
    assertEquals(all.map(({ subscriber }) => subscriber.received), [["x"], ["x"], ["x"]]);
    assertEquals([result.accepted, errors.map(({ message }) => message)], [true, ["no"]]);
  });

  it("what is published, subscribed and left within a delivery comes after it, for all", async () => {
    for (const topics of [{}, HISTORY]) {
      const { hub, join } = memory({ topics });
      const [one, two, three] = [join(), join(), join()];
      await one.subscriptions.subscribe("t");
      await two.subscriptions.subscribe("t");
      one.subscriber.onDeliver = (text) => {
        if (text !== "1") return;
        void hub.publish("t", "2");
        void three.subscriptions.subscribe("t");
        void hub.publish("t", "3");
      };
      await hub.publish("t", "1");
      await hub.publish("t", "4");
      assertEquals(one.subscriber.received, ["1", "2", "3", "4"]);
      assertEquals(two.subscriber.received, ["1", "2", "3", "4"]);
      // It begins when the delivery is over, and is given all that follows its position.
      assertEquals(three.subscriber.received, ["2", "3", "4"]);
    }
  });

  it("unsubscribe wins over a subscribe under way", async () => {
    let allow = () => {};
    const asked = new Promise<void>((resolve) => allow = resolve);
    const told: string[] = [];
    const { hub, join } = memory({
      onSubscribe: () => asked,
      onUnsubscribe: (_, topic) => told.push(topic),
    });
    const { subscriber, subscriptions } = join();
    const result = subscriptions.subscribe("t");
    assertEquals(subscriptions.unsubscribe("t"), true);
    allow();
    await assertRejects(() => result, WebSocketError, "unsubscribe() was called meanwhile");
    await hub.publish("t", "x");
    assertEquals([subscriber.received, hub.subscriberCount("t"), told], [[], 0, []]);
  });

  it("publish never rejects: what is wrong with it is told", async () => {
    const { hub, errors } = memory();
    const bad = [
      hub.publish("", "x"),
      hub.publish("x".repeat(256), "x"),
      hub.publish("é".repeat(128), "x"),
      hub.publish("\ud800", "x"),
      hub.publish("t", "\udfff"),
      hub.publish("t", 5 as unknown as string),
    ];
    for (const result of await Promise.all(bad)) {
      assertEquals([result.accepted, result.error instanceof Error], [false, true]);
    }
    assertEquals(errors.length, bad.length);
    assertEquals((await hub.publish("é".repeat(127), "x")).accepted, true);
    await hub.close();
    assertEquals((await hub.publish("t", "x")).accepted, false);
  });
});

describe("hub: who may subscribe", () => {
  it("a handler may refuse, by false or a throw, now or later", async () => {
    const no: (() => unknown)[] = [
      () => false,
      () => Promise.resolve(false),
      () => {
        throw new Error("why");
      },
      () => Promise.reject(new Error("why")),
    ];
    for (const onSubscribe of no) {
      const { hub, join } = memory({ onSubscribe });
      const { subscriptions } = join();
      await assertRejects(() => subscriptions.subscribe("t"), WebSocketError, "onSubscribe");
      assertEquals([subscriptions.list.size, hub.subscriberCount("t")], [0, 0]);
    }
  });

  it("limits: topics of a connection, counted before anybody is asked; subscribers of a topic", async () => {
    const { join } = memory({
      limits: { maxTopicsPerConnection: 2, maxSubscribersPerTopic: 2 },
      onSubscribe: () => Promise.resolve(),
    });
    const [one, two, three] = [join(), join(), join()];
    const results = ["a", "b", "c"].map((it) => one.subscriptions.subscribe(it));
    await assertRejects(() => results[2], WebSocketError, "maxTopicsPerConnection");
    await results[1];
    await two.subscriptions.subscribe("b");
    await assertRejects(
      () => three.subscriptions.subscribe("b"),
      WebSocketError,
      "maxSubscribersPerTopic",
    );
    assertEquals(three.subscriptions.list.size, 0);
  });

  it("tells when topics open and close, and who leaves", async () => {
    const told: string[] = [];
    const { hub, join, clock } = memory({
      onTopicOpen: (topic) => told.push(`open ${topic}`),
      onTopicClose: (topic) => told.push(`close ${topic}`),
      onUnsubscribe: (_, topic) => told.push(`left ${topic}`),
    });
    const [one, two] = [join(), join()];
    await one.subscriptions.subscribe("t");
    await two.subscriptions.subscribe("t");
    one.subscriptions.end();
    assertEquals([...one.subscriptions.list.keys()], ["t"]);
    two.subscriptions.unsubscribe("t");
    assertEquals(told, ["open t", "left t", "left t", "close t"]);
    assertEquals([...hub.topics.keys()], []);
    await two.subscriptions.subscribe("t");
    await hub.publish("t", "x");
    assertEquals([told.at(-1), two.subscriber.received], ["open t", ["x"]]);
    two.subscriptions.end();
    clock.pass(10);
    await hub.close();
    assertEquals(clock.waiting, 0);
  });
});

describe("hub: slow subscribers", () => {
  it('"drop" leaves out what does not fit, counts it, and has no position to come back to', async () => {
    const { hub, join } = memory({ topics: { ...HISTORY, slow: "drop" } });
    const { subscriber, subscriptions } = join();
    await subscriptions.subscribe("t");
    const subscription = subscriptions.list.get("t")!;
    await hub.publish("t", "1");
    assertEquals(subscription.position?.offset, 1);
    subscriber.bufferedAmount = 101;
    await hub.publish("t", "2");
    subscriber.bufferedAmount = 100;
    await hub.publish("t", "3");
    assertEquals(subscriber.received, ["1", "3"]);
    assertEquals([subscription.leftOut, hub.topics.get("t")!.counts.dropped], [1, 1]);
    assertEquals([subscription.position, subscription.recovered], [undefined, false]);
  });

  it('"latest" keeps the newest of each key until there is room, in the order of publishing', async () => {
    const { hub, join } = memory({ topics: { slow: "latest" } });
    const { subscriber, subscriptions } = join();
    await subscriptions.subscribe("t");
    subscriber.bufferedAmount = 101;
    for (
      const [key, data] of [["a", "a1"], ["b", "b1"], ["a", "a2"], [undefined, "1"], [
        undefined,
        "2",
      ]]
    ) {
      await hub.publish("t", data!, { key });
    }
    assertEquals([subscriber.received, subscriber.drainsWanted], [[], 1]);
    // Room or not, what waits goes first.
    subscriber.bufferedAmount = 0;
    await hub.publish("t", "b2", { key: "b" });
    assertEquals(subscriber.received, []);
    subscriptions.flush();
    assertEquals(subscriber.received, ["a2", "2", "b2"]);
    assertEquals(subscriptions.list.get("t")!.leftOut, 3);
    assertEquals(hub.topics.get("t")!.counts.replaced, 3);
    await hub.publish("t", "3");
    assertEquals(subscriber.received.at(-1), "3");
  });

  it('"latest" sends no more than there is room for, and ends who has too many keys', async () => {
    const { hub, join } = memory({ topics: { slow: "latest" }, limits: { maxWaitingKeys: 2 } });
    const { subscriber, subscriptions } = join();
    await subscriptions.subscribe("t");
    subscriber.bufferedAmount = 101;
    for (const key of ["a", "b", "c"]) await hub.publish("t", key, { key });
    assertEquals(subscriber.journal, ["overflowed t"]);
    subscriber.bufferedAmount = 0;
    subscriber.onDeliver = () => subscriber.bufferedAmount = 101;
    subscriptions.flush();
    assertEquals([subscriber.received, subscriber.drainsWanted], [["a"], 2]);
    subscriber.bufferedAmount = 0;
    subscriptions.flush();
    assertEquals(subscriber.received, ["a", "b"]);
  });

  it("connections that end since they are slow are counted", async () => {
    const { hub, join } = memory();
    const [one, two] = [join(), join()];
    await one.subscriptions.subscribe("t");
    await two.subscriptions.subscribe("t");
    one.subscriptions.end(true);
    assertEquals(hub.topics.get("t")!.counts.disconnected, 1);
  });
});

describe("hub: presence", () => {
  it("is there while a subscription is, and is refreshed before its time is over", async () => {
    const { hub, join, clock } = memory({ topics: { presence: true } });
    const { subscriptions } = join();
    const member = { id: "c1", user: "ada", info: "i" };
    await subscriptions.subscribe("t", { member });
    await subscriptions.subscribe("u");
    await join().subscriptions.subscribe("t");
    assertEquals(await hub.memberCount("t"), { connections: 2, users: 2 });
    assertEquals((await hub.members("u"))[0].id, subscriptions.id);
    clock.pass(600);
    assert((await hub.members("t")).some(({ id }) => id === "c1"));
    subscriptions.end();
    assertEquals(await hub.memberCount("t"), { connections: 1, users: 1 });
    await assertRejects(() => memory().hub.members("t"), WebSocketError, "presence");
  });
});

describe("hub: over a network (promises 2, 3, 5 and 8)", () => {
  it("what is published here waits for the topic's subscription, in order", async () => {
    const { hub, place, engine, join } = network();
    const { subscriber, result } = join();
    const published = [hub.publish("t", "1"), hub.publish("t", "2")];
    await settle(place);
    assertEquals((await result).recovered, false);
    assertEquals((await Promise.all(published)).map(({ accepted }) => accepted), [true, true]);
    assertEquals(subscriber.received, ["1", "2"]);
    assert(engine.subscribed.has("t"));
  });

  it("what waits for a subscription is published when that is given up", async () => {
    const { hub, place, join } = network();
    const { subscriptions, result } = join();
    const published = hub.publish("t", "1");
    subscriptions.unsubscribe("t");
    const after = hub.publish("t", "2");
    await assertRejects(() => result);
    await settle(place);
    assertEquals([(await published).accepted, (await after).accepted], [true, true]);
    assertEquals([...place.log.values()], [["1", "2"]]);
  });

  it("what waits for a subscription that is not acknowledged in 5 s is refused, and never published", async () => {
    const { hub, place, clock, join } = network();
    join();
    const published = hub.publish("t", "1");
    clock.pass(5);
    const { accepted, error } = await published;
    assertEquals([accepted, error!.message.includes("acknowledged")], [false, true]);
    await settle(place);
    assertEquals(place.log.size, 0);
  });

  it("a gap is filled from history while other announcements wait", async () => {
    const { place, elsewhere, join, hub } = network();
    const { subscriber } = join();
    await settle(place);
    for (const it of ["1", "2", "3"]) elsewhere(it);
    // The first of them is lost.
    place.step(0, "lose");
    await settle(place);
    assertEquals(subscriber.received, ["1", "2", "3"]);
    assertEquals(hub.topics.get("t")!.counts.gaps, 1);
  });

  it("more than may be held is read again, however many there are", async () => {
    for (let count = 2; count < 12; count++) {
      const { place, elsewhere, join } = network({ limits: { maxHeld: 2 } });
      const { subscriber } = join();
      await settle(place);
      elsewhere("0");
      elsewhere("1");
      place.step(0, "lose");
      // The second shows the gap, and history is read.
      place.step(0);
      place.step(0);
      // All others come before the answer.
      for (let i = 2; i < count; i++) elsewhere(`${i}`);
      for (let i = 2; i < count; i++) place.step(1);
      await settle(place);
      assertEquals(subscriber.received, Array.from({ length: count }, (_, i) => `${i}`));
    }
  });

  it("a recovery that was read before an epoch ended does not recover after it", async () => {
    const { hub, place, elsewhere, join } = network();
    const first = join();
    await settle(place);
    const position = await hub.position("t");
    elsewhere("1");
    await settle(place);
    const back = join(position);
    place.step(0);
    place.wipe({ name: "t", ...HISTORY });
    elsewhere("2");
    // The announcement, what the server asks then, and the answer to that before the older one.
    place.step(1);
    place.step(0);
    place.step(0, "overtake");
    await settle(place);
    assertEquals(first.subscriber.journal.at(-1)!.startsWith("interrupted"), true);
    assertEquals([(await back.result).recovered, back.subscriber.received], [false, []]);
  });

  it("an answer that has been overtaken by a newer one counts for nothing", async () => {
    const { hub, place, engine, elsewhere, join } = network();
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    const { subscriber, result } = join();
    // The subscription is acknowledged, and the position read, but that answer is late.
    for (let i = 0; i < 3; i++) {
      place.step(0);
      await turn();
    }
    engine.subscribed.delete("t");
    hub.dropped(["t"]);
    elsewhere("1");
    // Subscribed again, acknowledged, read again; each of these before the late one.
    for (const fate of ["arrive", "overtake", "arrive", "overtake"] as const) {
      place.step(0, fate);
      await turn();
    }
    const { position } = await result;
    assertEquals(position, place.read({ name: "t", ...HISTORY }, { limit: 0 }).position);
    await settle(place);
    elsewhere("2");
    await settle(place);
    assertEquals(subscriber.received, ["2"]);
  });

  it("what was recovered for one is not given to others once more was published", async () => {
    const { hub, place, elsewhere, join } = network();
    join();
    await settle(place);
    const position = await hub.position("t");
    elsewhere("1");
    await settle(place);
    const one = join(position);
    await settle(place);
    elsewhere("2");
    await settle(place);
    const two = join(position);
    await settle(place);
    assertEquals([one.subscriber.received, two.subscriber.received], [["1", "2"], ["1", "2"]]);
  });

  it("what is announced while the first page is read is in what the first subscriber recovers", async () => {
    const { place, elsewhere, join } = network();
    const epoch = place.stream({ name: "t", ...HISTORY }).epoch;
    for (const it of ["1", "2"]) elsewhere(it);
    const { subscriber, result } = join({ epoch, offset: 0 });
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    // Request and answer of the subscription, then the request for the page.
    for (let i = 0; i < 3; i++) {
      place.step(0);
      await turn();
    }
    elsewhere("3");
    // The announcement comes before the answer.
    place.step(1);
    await settle(place);
    assertEquals((await result).recovered, true);
    assertEquals(subscriber.received, ["1", "2", "3"]);
  });

  it("a recovery reads on when more was published meanwhile than may wait for it", async () => {
    const { hub, place, elsewhere, join } = network({ limits: { maxHeld: 2 } });
    const first = join();
    await settle(place);
    const position = await hub.position("t");
    for (let i = 0; i < 3; i++) elsewhere(`${i}`);
    await settle(place);
    const back = join(position);
    // The request is answered, then much is published before the answer comes.
    place.step(0);
    for (let i = 3; i < 10; i++) elsewhere(`${i}`);
    for (let i = 0; i < 7; i++) place.step(1);
    assertEquals(first.subscriber.received.length, 10);
    await settle(place);
    assertEquals((await back.result).recovered, true);
    assertEquals(back.subscriber.received, first.subscriber.received);
  });

  it("an announcement that is lost and followed by nothing is found out", async () => {
    const { place, elsewhere, join, clock } = network();
    const { subscriber } = join();
    await settle(place);
    elsewhere("1");
    place.step(0, "lose");
    await settle(place);
    assertEquals(subscriber.received, []);
    clock.pass(90);
    await settle(place);
    assertEquals(subscriber.received, ["1"]);
  });

  it("after the engine was away, what was missed comes at once; without history it is counted", async () => {
    for (const history of [HISTORY.history, undefined]) {
      const { hub, place, engine, elsewhere, join } = network({ topics: { history } });
      const { subscriber, result } = join();
      await settle(place);
      await result;
      engine.down();
      elsewhere("1");
      const late = join();
      await settle(place);
      assertEquals(hub.subscriberCount("t"), 2);
      engine.up();
      await settle(place);
      await late.result;
      const { counts } = hub.topics.get("t")!;
      assertEquals([subscriber.received, counts.gaps], history ? [["1"], 0] : [[], 1]);
    }
  });

  it("a herd that comes back to one position shares one read", async () => {
    const { hub, place, engine, elsewhere, join } = network();
    join();
    await settle(place);
    const position = await hub.position("t");
    elsewhere("1");
    await settle(place);
    const before = engine.reads;
    const herd = Array.from({ length: 50 }, () => join(position));
    await settle(place);
    for (const { result, subscriber } of herd) {
      assertEquals([(await result).recovered, subscriber.received], [true, ["1"]]);
    }
    assertEquals(engine.reads - before, 1);
  });

  it("a new epoch is told with the new position, and recoveries of the old one end", async () => {
    const { hub, place, elsewhere, join } = network();
    const { subscriber } = join();
    await settle(place);
    const position = await hub.position("t");
    for (const it of ["1", "2"]) elsewhere(it);
    await settle(place);
    const back = join(position);
    place.wipe({ name: "t", ...HISTORY });
    elsewhere("3");
    await settle(place);
    assertEquals((await back.result).recovered, false);
    assertEquals((await back.result).position?.epoch, "e2");
    const told = subscriber.journal.filter((it) => it.startsWith("interrupted"));
    assertEquals(told.length, 1);
    elsewhere("4");
    await settle(place);
    assertEquals(subscriber.received.at(-1), "4");
    assertEquals(back.subscriber.received.at(-1), "4");
  });

  it("who claims more than there is is asked about once, and has not recovered", async () => {
    const { hub, place, engine, join } = network();
    join();
    await settle(place);
    const { epoch } = (await hub.position("t"))!;
    const before = engine.reads;
    const herd = Array.from({ length: 20 }, () => join({ epoch, offset: 1e9 }));
    await settle(place);
    for (const { result } of herd) assertEquals((await result).recovered, false);
    assert(engine.reads - before <= 2, `${engine.reads - before} reads`);
    assertEquals((await hub.position("t"))!.epoch, epoch);
  });

  it("an engine that will never take a topic has the subscription refused", async () => {
    const { hub, place, engine, join } = network();
    engine.failing.set("subscribe", [new WebSocketError("ERR_UNSUPPORTED", "no history here")]);
    const { result, subscriptions } = join();
    await settle(place);
    await assertRejects(() => result, WebSocketError, "no history here");
    assertEquals([subscriptions.list.size, hub.topics.size], [0, 0]);
  });

  it("what fails for now is tried again", async () => {
    const { place, engine, clock, elsewhere, join, errors } = network();
    for (const kind of ["subscribe", "read"]) engine.failing.set(kind, [new Error("busy")]);
    const { result, subscriber } = join();
    for (let i = 0; i < 3; i++) {
      await settle(place);
      clock.pass(1);
    }
    await settle(place);
    await result;
    elsewhere("1");
    await settle(place);
    assertEquals([subscriber.received, errors.length], [["1"], 2]);
  });

  it("the last to leave has the topic let go a little later", async () => {
    const { place, engine, clock, join } = network();
    const { subscriptions } = join();
    await settle(place);
    subscriptions.end();
    await settle(place);
    assert(engine.subscribed.has("t"));
    clock.pass(1);
    const { subscriptions: next } = join();
    clock.pass(5);
    await settle(place);
    assert(engine.subscribed.has("t"), "somebody has come back");
    next.end();
    clock.pass(5);
    await settle(place);
    assert(!engine.subscribed.has("t"));
  });
});
