import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { EngineTopic, Message } from "../../src/topics/engine.ts";
import {
  MemoryEngine,
  type MemoryEngineOptions,
  type TimedMemoryEngineOptions,
} from "../../src/topics/memory_engine.ts";
import { testEngine } from "./engine_suite.ts";
import { TestClock } from "./fakes.ts";

testEngine("memory", () => {
  const clock = new TestClock();
  const first = new MemoryEngine({ clock } as TimedMemoryEngineOptions);
  let joined = false;
  return {
    clock,
    join() {
      if (joined) return new MemoryEngine({ shareWith: first });
      joined = true;
      return first;
    },
    pass: (seconds) => clock.pass(seconds),
    close() {},
  };
}, { can: ["pass"] });

const EVENTS = {
  publication() {},
  presence() {},
  control() {},
  down() {},
  up() {},
  dropped() {},
  error() {},
};

function start(options: MemoryEngineOptions = {}) {
  const clock = new TestClock();
  const engine = new MemoryEngine({ clock, ...options } as TimedMemoryEngineOptions);
  engine.start({ ...EVENTS });
  return { engine, clock };
}

function topic(name: string, count = 100, age = 60): EngineTopic {
  return { name, history: { count, age } };
}

let number = 0;
function message(data: string | Uint8Array, more: Partial<Message> = {}): Message {
  return { data, id: `test.${++number}`, ...more };
}

describe("memory engine: bounds", () => {
  it("over maxHistoryBytes the oldest publication goes, whosever it is", () => {
    const { engine } = start({ maxHistoryBytes: 256 * 2 + 3 * (256 + 100) });
    const [one, two] = [topic("one"), topic("two")];
    const text = "x".repeat(100);
    engine.publish(one, message(text), null);
    engine.publish(two, message(text), null);
    engine.publish(one, message(text), null);
    const offsets = (it: EngineTopic) =>
      engine.read(it, { limit: 10 }).publications.map(({ offset }) => offset);
    assertEquals([offsets(one), offsets(two)], [[1, 2], [1]]);
    engine.publish(two, message(text), null);
    assertEquals([offsets(one), offsets(two)], [[2], [1, 2]]);
    assertEquals(engine.read(one, { after: 0, limit: 10 }).whole, false);
    assertEquals(engine.historyBytes, 256 * 2 + 3 * (256 + 100));
  });

  it("a publication over the bound is told of and not kept", () => {
    const { engine } = start({ maxHistoryBytes: 1000 });
    const result = engine.publish(topic("t"), message("x".repeat(2000)), null);
    assertEquals([result.accepted, result.position?.offset], [true, 1]);
    const page = engine.read(topic("t"), { after: 0, limit: 10 });
    assertEquals([page.whole, page.position.offset, page.publications], [false, 1, []]);
  });

  it("topics that are named and never used again are forgotten, and take no more than the bound", () => {
    const { engine, clock } = start({ maxHistoryBytes: 100_000 });
    for (let i = 0; i < 2000; i++) engine.read(topic(`t${i}`), { limit: 0 });
    engine.publish(topic("last"), message("x"), null);
    assert(engine.historyBytes <= 100_000, `${engine.historyBytes}`);
    clock.pass(2 * 3600);
    assertEquals(engine.historyBytes, 0);
  });

  it("the oldest idempotency keys are forgotten over maxIdempotencyKeys", () => {
    const { engine } = start({ maxIdempotencyKeys: 2 });
    const publish = (idempotencyKey: string) =>
      engine.publish(topic("t"), message("x", { idempotencyKey }), null).repeated ?? false;
    assertEquals(["a", "b", "a", "c", "a", "c"].map(publish), [
      false,
      false,
      true,
      false,
      false,
      true,
    ]);
  });

  it("keys and topics that read the same when joined are told apart", () => {
    const { engine } = start();
    engine.publish(topic("ab"), message("x", { idempotencyKey: "c" }), null);
    assertEquals(
      engine.publish(topic("a"), message("x", { idempotencyKey: "bc" }), null).repeated,
      undefined,
    );
  });

  it("takes no numbers that are none", () => {
    assertThrows(() => new MemoryEngine({ maxHistoryBytes: -1 }), Error, "maxHistoryBytes");
    assertThrows(() => new MemoryEngine({ maxIdempotencyKeys: 0.5 }), Error, "maxIdempotencyKeys");
    assertThrows(() => new MemoryEngine({ shareWith: {} as MemoryEngine }), Error, "shareWith");
  });
});

describe("memory engine: life", () => {
  it("the last of those that share their topics leaves no timer", () => {
    const { engine, clock } = start();
    const other = new MemoryEngine({ shareWith: engine });
    other.start({ ...EVENTS });
    engine.close();
    assertEquals(clock.waiting, 1);
    other.close();
    assertEquals(clock.waiting, 0);
    other.close();
  });

  it("history does not change when the publisher's bytes do", () => {
    const { engine } = start();
    const data = new Uint8Array([1, 2]);
    engine.publish(topic("t"), message(data), null);
    data.fill(9);
    const [kept] = engine.read(topic("t"), { limit: 1 }).publications;
    assertEquals(kept.data, new Uint8Array([1, 2]));
  });

  it("time does not go back when the machine's clock does", () => {
    const clock = new TestClock();
    let shift = 0;
    const engine = new MemoryEngine({
      clock: { now: () => clock.now() + shift, after: (ms, act) => clock.after(ms, act) },
    } as TimedMemoryEngineOptions);
    engine.start({ ...EVENTS });
    engine.publish(topic("t"), message("a"), null);
    shift = -60_000;
    engine.publish(topic("t"), message("b"), null);
    const [a, b] = engine.read(topic("t"), { limit: 2 }).publications;
    assert(b.time >= a.time);
  });
});
