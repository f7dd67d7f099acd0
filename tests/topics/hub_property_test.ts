import { describe, it } from "node:test";
import { setImmediate } from "node:timers";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { EngineTopic, Position, PublishResult } from "../../src/topics/engine.ts";
import type { Hub } from "../../src/topics/hub.ts";
import { HISTORY, makeHub, TestClock, TestSubscriber } from "./fakes.ts";
import { type Fate, settle, UnreliableEngine, UnreliablePlace } from "./unreliable_engine.ts";

const TOPIC: EngineTopic = { name: "t", ...HISTORY };

interface Visit {
  subscriber: TestSubscriber;
  subscriptions: ReturnType<Hub["join"]>;
  since: Position | undefined;
  result: { recovered: boolean; position?: Position } | null;
  over: boolean;
}

class World {
  readonly clock = new TestClock();
  readonly place = new UnreliablePlace(this.clock);
  readonly engines = [new UnreliableEngine(this.place), new UnreliableEngine(this.place)];
  readonly hubs: Hub[] = [];
  readonly visits: Visit[] = [];
  readonly results: PublishResult[] = [];
  /** Positions that subscribers were at, to come back to. */
  readonly positions: Position[] = [{ epoch: "never", offset: 3 }, { epoch: "e1", offset: 10_000 }];
  #published = 0;

  constructor() {
    for (const engine of this.engines) {
      const { hub } = makeHub({
        engine,
        clock: this.clock,
        topics: HISTORY,
        limits: { maxHeld: 4 },
      });
      this.hubs.push(hub);
      void hub.start();
    }
  }

  publish(server: number): void {
    this.clock.pass(0.001);
    void this.hubs[server].publish("t", `${this.#published++}`).then((it) => this.results.push(it));
  }

  come(server: number, position?: Position): void {
    const subscriber = new TestSubscriber();
    const subscriptions = this.hubs[server].join(subscriber);
    const visit: Visit = { subscriber, subscriptions, since: position, result: null, over: false };
    subscriptions.subscribe("t", { position }).then((it) => visit.result = it, () => {});
    this.visits.push(visit);
  }

  leave(visit: Visit): void {
    visit.over = true;
    visit.subscriptions.end();
    const position = visit.subscriptions.list.get("t")?.position;
    if (position !== undefined) this.positions.push(position);
  }

  /** Everything arrives, and quiet topics are looked at. */
  async rest(): Promise<void> {
    for (const engine of this.engines) if (!engine.state.up) engine.up();
    await settle(this.place);
    for (let i = 0; i < 4; i++) {
      this.clock.pass(50);
      await settle(this.place);
    }
  }

  /** Each epoch's publications that were not lost by the place itself, and those that were. */
  check(visit: Visit): void {
    const { subscriber: { journal }, result, since, over } = visit;
    if (result === null) return assertEquals(journal, [], "something before it began");
    assert(result.position !== undefined, "begun without a position");
    // What it was given, cut where it was told that something is lost.
    const parts: string[][] = [[]];
    for (const it of journal) {
      if (it.startsWith("interrupted")) parts.push([]);
      else parts.at(-1)!.push(it);
    }
    parts.forEach((part, i) => {
      const last = i === parts.length - 1 && !over;
      const from = i === 0 && result.recovered ? since : undefined;
      this.#checkPart(part, from, last, journal);
    });
  }

  #checkPart(part: string[], since: Position | undefined, last: boolean, journal: string[]): void {
    const about = `${JSON.stringify(part)} of ${JSON.stringify(journal)}`;
    assertEquals(new Set(part).size, part.length, `a repeat: ${about}`);
    const { epoch } = this.place.stream(TOPIC);
    const now = (this.place.log.get(`t ${epoch}`) ?? []).filter((it) => !this.place.lost.has(it));
    const logs = [...this.place.log.values()];
    const log = part.length > 0 ? logs.find((it) => it.includes(part[0])) : now;
    assert(log !== undefined, `never published: ${about}`);
    // What the place has lost itself need not have arrived, but nothing else may be missing.
    const needed = (list: readonly unknown[]) =>
      list.filter((it) => !this.place.lost.has(it as string) || part.includes(it as string));
    if (part.length > 0) {
      const from = log.indexOf(part[0]);
      const all = needed(log.slice(from));
      assertEquals(part, all.slice(0, part.length), `a hole or another order: ${about}`);
    }
    if (last && now.length > 0 && part.length > 0) {
      assertEquals(part.at(-1), now.at(-1), `it stopped too early: ${about}`);
    }
    if (since !== undefined && last) {
      const kept = this.place.stream(TOPIC).kept.filter(({ offset }) => offset > since.offset);
      const first = kept[0]?.data;
      if (first !== undefined && since.epoch === epoch) {
        assert(part.includes(first as string), `said to have recovered, and has not: ${about}`);
      }
    }
  }
}

type Act =
  | { do: "publish"; server: number }
  | { do: "come"; server: number; since: number | undefined }
  | { do: "leave"; who: number }
  | { do: "step"; queue: number; fate: Fate }
  | { do: "down" | "up" | "drop"; server: number }
  | { do: "wipe" }
  | { do: "trim"; keep: number }
  | { do: "rest" };

const server = fc.nat(1);
const publish = fc.record({ do: fc.constant("publish" as const), server });
const come = fc.record({
  do: fc.constant("come" as const),
  server,
  since: fc.option(fc.nat(), { nil: undefined }),
});
const step = fc.record({
  do: fc.constant("step" as const),
  queue: fc.nat(5),
  fate: fc.constantFrom<Fate>("arrive", "arrive", "arrive", "lose", "repeat", "overtake"),
});
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: publish },
  { weight: 3, arbitrary: come },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("leave" as const), who: fc.nat() }) },
  { weight: 20, arbitrary: step },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("down" as const, "up" as const, "drop" as const),
      server,
    }),
  },
  { weight: 1, arbitrary: fc.constant<Act>({ do: "wipe" }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("trim" as const), keep: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.constant<Act>({ do: "rest" }) },
);

async function perform(world: World, it: Act): Promise<void> {
  switch (it.do) {
    case "publish":
      return world.publish(it.server);
    case "come": {
      const { positions } = world;
      return world.come(
        it.server,
        it.since === undefined ? undefined : positions[it.since % positions.length],
      );
    }
    case "leave": {
      const here = world.visits.filter(({ over }) => !over);
      if (here.length > 0) world.leave(here[it.who % here.length]);
      return;
    }
    case "step":
      world.place.step(it.queue, it.fate);
      // Whatever that settles has called back by then.
      return await new Promise<void>((resolve) => setImmediate(resolve));
    case "down":
      if (world.engines[it.server].state.up) world.engines[it.server].down();
      return;
    case "up":
      if (!world.engines[it.server].state.up) world.engines[it.server].up();
      return;
    case "drop":
      if (!world.engines[it.server].state.up) return;
      world.engines[it.server].subscribed.delete("t");
      return world.hubs[it.server].dropped(["t"]);
    case "wipe":
      return world.place.wipe(TOPIC);
    case "trim":
      return world.place.trim(TOPIC, it.keep);
    case "rest":
      return await world.rest();
  }
}

async function live(acts: readonly Act[]): Promise<World> {
  const world = new World();
  world.come(0);
  for (const it of acts) await perform(world, it);
  await world.rest();
  world.publish(0);
  world.publish(1);
  await world.rest();
  return world;
}

describe("hub: over a bad network (promises 1, 2, 3, 8 and 9)", () => {
  it("whatever is lost, late, repeated, out of order or wiped: no hole, no repeat, or it is told", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 120, size: "max" }), async (acts) => {
        const world = await live(acts);
        for (const visit of world.visits) {
          if (!visit.over) assert(visit.result !== null, "a subscription has never begun");
          world.check(visit);
        }
        for (const hub of world.hubs) await hub.close();
        assertEquals(world.clock.waiting, 0, "timers are left");
      }),
      { numRuns: 300 },
    );
  });

  it("a stream that has lost its end is found out: offsets are not taken for those seen", async () => {
    const before = fc.array(fc.oneof(publish, come), { minLength: 1, maxLength: 15, size: "max" });
    const after = fc.array(fc.oneof(publish, come), { maxLength: 15, size: "max" });
    await fc.assert(
      fc.asyncProperty(
        before,
        fc.integer({ min: 1, max: 5 }),
        fc.tuple(fc.boolean(), fc.boolean()),
        after,
        async (
          before,
          count,
          [quiet, other],
          after,
        ) => {
          const world = new World();
          world.come(0);
          // A server without subscribers publishes without knowing what others have seen.
          if (other) world.come(1);
          for (const it of before) await perform(world, it);
          await settle(world.place);
          world.place.rewind(TOPIC, count);
          if (quiet) await world.rest();
          for (const it of after) await perform(world, it);
          await world.rest();
          world.publish(0);
          await world.rest();
          for (const visit of world.visits) world.check(visit);
          for (const hub of world.hubs) await hub.close();
        },
      ),
      { numRuns: 200 },
    );
  });
});
