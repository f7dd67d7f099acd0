/**
 * What every engine must pass: the ten promises of `src/topics/engine.ts`.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import type { Clock } from "../../src/topics/clock.ts";
import type {
  Awaitable,
  Engine,
  EngineEvents,
  EngineTopic,
  Member,
  Message,
  Place,
  Position,
  Publication,
  PublishResult,
} from "../../src/topics/engine.ts";
import type { Hub } from "../../src/topics/hub.ts";
import { patiently } from "../support/patience.ts";
import { makeHub, TestSubscriber } from "./fakes.ts";

/** What the suite needs to try an engine: a place where several servers meet. */
export interface EngineHarness {
  /** An engine that was not started, for one more server. */
  join(): Awaitable<Engine>;
  /** Ends the place, after its engines. */
  close(): Awaitable<void>;
  /** Where the servers take their time from, if that is not the machine's. */
  readonly clock?: Clock;
  /** Has time go by for the engine; without it, what needs that is skipped. */
  pass?(seconds: number): Awaitable<void>;
  /** Makes the engine unreachable until the function it gives is called. */
  cut?(): Awaitable<() => Awaitable<void>>;
  /** Has a topic lose its last publications, epoch and all else as before: a stale replica was promoted. */
  rewind?(topic: EngineTopic, publications: number): Awaitable<void>;
}

/** What can be tried of an engine. */
export interface EngineTrial {
  /** What its harness can do; tests that need something else are not this engine's. */
  can?: readonly ("pass" | "cut" | "rewind")[];
  /** What it does not have; tests of that are skipped with this as the reason. */
  lacks?: { history?: string; presence?: string };
}

let topics = 0;
/** A topic that no other test uses. */
function newTopic(history: EngineTopic["history"] = { count: 1000, age: 600 }): EngineTopic {
  return { name: `t${++topics} é/*>.{x}`, history };
}

let messages = 0;
function message(data: string | Uint8Array, more: Partial<Message> = {}): Message {
  return { data, id: `suite.${++messages}`, ...more };
}

function bytes(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? Buffer.from(data) : data;
}

interface Heard {
  topic: string;
  publication: Publication;
  place: Place | null;
}

/** An engine with what it has told. */
class Listener implements EngineEvents {
  readonly engine: Engine;
  readonly heard: Heard[] = [];
  readonly others: string[] = [];
  readonly errors: Error[] = [];
  ups = 0;
  #watchers: (() => void)[] = [];

  constructor(engine: Engine) {
    this.engine = engine;
  }

  publication(topic: string, publication: Publication, place: Place | null): void {
    this.heard.push({ topic, publication, place });
    this.#changed();
  }
  presence(topic: string, kind: "join" | "leave", { id, user, info }: Member): void {
    this.others.push(`${kind} ${topic} ${id} ${user} ${info}`);
    this.#changed();
  }
  control(text: string): void {
    this.others.push(`control ${text}`);
    this.#changed();
  }
  down(): void {
    this.others.push("down");
    this.#changed();
  }
  up(): void {
    this.ups++;
    this.#changed();
  }
  dropped(): void {}
  error(error: Error): void {
    this.errors.push(error);
  }

  on(topic: EngineTopic): Heard[] {
    return this.heard.filter((it) => it.topic === topic.name);
  }
  texts(topic: EngineTopic): (string | Uint8Array)[] {
    return this.on(topic).map(({ publication }) => publication.data);
  }
  until(condition: () => boolean, what: string): Promise<void> {
    const wait = async () => {
      while (!condition()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
    };
    return patiently(wait(), what);
  }
  #changed(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }
}

interface Meeting extends EngineHarness {
  server(): Promise<Listener>;
}

/**
 * Registers the tests of an engine.
 *
 * @param name The engine's name.
 * @param make Makes a place for each test.
 * @param trial What can be tried of it.
 */
export function testEngine(
  name: string,
  make: () => Awaitable<EngineHarness>,
  { can = [], lacks = {} }: EngineTrial = {},
): void {
  const withHistory = { skip: lacks.history };
  const withPresence = { skip: lacks.presence };

  /** Runs a test in a place of its own. */
  async function within(test: (place: Meeting) => Promise<void>): Promise<void> {
    const harness = await make();
    const listeners: Listener[] = [];
    const server = async () => {
      const listener = new Listener(await harness.join());
      listeners.push(listener);
      await listener.engine.start(listener);
      await listener.until(() => listener.ups > 0, "up");
      return listener;
    };
    try {
      await test(Object.assign(Object.create(harness), { server }));
      for (const { errors } of listeners) assertEquals(errors, []);
    } finally {
      for (const { engine } of listeners) await engine.close();
      await harness.close();
    }
  }

  const runs = (test: (place: Meeting) => Promise<void>) => () => within(test);
  /** A test for which time has to go by. */
  const later = (
    title: string,
    skip: string | undefined,
    test: (place: Meeting) => Promise<void>,
  ) => {
    if (can.includes("pass")) it(title, { skip }, runs(test));
  };
  /** A test for which something has to fail. */
  const faulty = (
    title: string,
    fault: "cut" | "rewind",
    skip: string | undefined,
    test: (place: Meeting) => Promise<void>,
  ) => {
    if (can.includes(fault)) it(title, { skip }, runs(test));
  };

  const publish = async (
    { engine }: Listener,
    topic: EngineTopic,
    data: string | Uint8Array,
    more: Partial<Message> = {},
    seen: Position | null = null,
  ): Promise<PublishResult> => await engine.publish(topic, message(data, more), seen);

  describe(`engine ${name}, 1: one order for all`, () => {
    for (const history of [null, { count: 1000, age: 600 }]) {
      const options = history === null ? {} : withHistory;
      it(
        `three servers publish at once, ${history === null ? "without" : "with"} history`,
        options,
        runs(async ({ server }) => {
          const servers = [await server(), await server(), await server()];
          const topic = newTopic(history);
          for (const { engine } of servers) await engine.subscribe([topic]);
          const results = await Promise.all(
            servers.flatMap((it, i) =>
              Array.from({ length: 50 }, (_, n) => publish(it, topic, `${i} ${n}`))
            ),
          );
          assert(results.every(({ accepted }) => accepted === true));
          for (const it of servers) await it.until(() => it.on(topic).length >= 150, "150");
          const [first, ...others] = servers.map((it) => it.texts(topic));
          assertEquals(new Set(first).size, 150);
          for (const other of others) assertEquals(other, first);
          for (const i of [0, 1, 2]) {
            const own = first.filter((it) => (it as string).startsWith(`${i} `));
            assertEquals(own, Array.from({ length: 50 }, (_, n) => `${i} ${n}`));
          }
        }),
      );
    }
  });

  describe(`engine ${name}, 2: with history, one step takes an offset, appends and announces`, () => {
    it(
      "announcements name the offset before, and history has the same",
      withHistory,
      runs(async ({ server }) => {
        const [a, b] = [await server(), await server()];
        const topic = newTopic();
        const other = newTopic();
        await b.engine.subscribe([topic]);
        const positions: Position[] = [];
        for (let i = 0; i < 20; i++) {
          await publish(a, other, "elsewhere");
          positions.push((await publish(a, topic, `${i}`)).position!);
        }
        await b.until(() => b.on(topic).length >= 20, "20 publications");
        const heard = b.on(topic);
        assertEquals(
          heard.map(({ publication, place }) => ({
            epoch: place!.epoch,
            offset: publication.offset,
          })),
          positions,
        );
        heard.forEach(({ place }, i) => {
          const before = i === 0 ? 0 : heard[i - 1].publication.offset!;
          assert(place!.previous === undefined || place!.previous === before);
        });
        const page = await b.engine.read(topic, { limit: 100 });
        assertEquals(page.publications, heard.map(({ publication }) => publication));
        assert(page.position.offset >= positions.at(-1)!.offset);
        assertEquals(page.position.epoch, positions[0].epoch);
      }),
    );

    it(
      "keeps as many as the topic says",
      withHistory,
      runs(async ({ server }) => {
        const a = await server();
        const topic = newTopic({ count: 5, age: 600 });
        const offsets: number[] = [];
        for (let i = 0; i < 40; i++) {
          offsets.push((await publish(a, topic, `${i}`)).position!.offset);
        }
        const all = await a.engine.read(topic, { limit: 100 });
        const kept = all.publications.length;
        // An engine may trim coarsely, but not without bound, and never below.
        assert(kept >= 5 && kept <= 40, `${kept} are kept`);
        assertEquals(all.publications.map(({ offset }) => offset), offsets.slice(-kept));
        const from = offsets[40 - kept - 1];
        if (from !== undefined && kept < 40) {
          const whole = await a.engine.read(topic, { after: from, limit: 100 });
          assertEquals([whole.whole, whole.publications.length], [true, kept]);
          if (kept < 39) {
            const hole = await a.engine.read(topic, { after: offsets[40 - kept - 2], limit: 100 });
            assertEquals([hole.whole, hole.publications], [false, []]);
          }
        }
      }),
    );

    later("keeps them as long as the topic says", lacks.history, async ({ server, pass }) => {
      const a = await server();
      const topic = newTopic({ count: 100, age: 2 });
      const { position } = await publish(a, topic, "old");
      await pass!(3);
      const page = await a.engine.read(topic, { limit: 100 });
      assertEquals([page.publications, page.position], [[], position!]);
      const missed = await a.engine.read(topic, { ...position, after: 0, limit: 10 });
      assertEquals(missed.whole, false);
    });
  });

  describe(`engine ${name}, 3: subscribing, then reading`, () => {
    it(
      "the position is told where nothing was published, the same to all",
      withHistory,
      runs(async ({ server }) => {
        const [a, b] = [await server(), await server()];
        const topic = newTopic();
        const first = await a.engine.read(topic, { limit: 0 });
        const second = await b.engine.read(topic, { after: first.position.offset, limit: 10 });
        assertNotEquals(first.position.epoch, "");
        assertEquals(second.position, first.position);
        assertEquals([second.whole, second.publications], [true, []]);
        const { position } = await publish(b, topic, "x");
        assertEquals(position!.epoch, first.position.epoch);
        assert(position!.offset > first.position.offset);
      }),
    );

    it(
      "what is published after the acknowledgement is announced",
      runs(async ({ server }) => {
        const [a, b] = [await server(), await server()];
        for (let i = 0; i < 20; i++) {
          const topic = newTopic(null);
          await b.engine.subscribe([topic]);
          await publish(a, topic, `${i}`);
          await b.until(() => b.on(topic).length > 0, "the publication");
        }
      }),
    );

    it(
      "reads in pages, by count and by bytes, forwards and back",
      withHistory,
      runs(async ({ server }) => {
        const a = await server();
        const topic = newTopic();
        const offsets: number[] = [];
        for (let i = 0; i < 10; i++) {
          offsets.push((await publish(a, topic, "x".repeat(100))).position!.offset);
        }
        const read = async (range: Parameters<Engine["read"]>[1]) => {
          const page = await a.engine.read(topic, range);
          return page.publications.map(({ offset }) => offsets.indexOf(offset!));
        };
        assertEquals(await read({ limit: 3 }), [0, 1, 2]);
        assertEquals(await read({ after: offsets[2], limit: 3 }), [3, 4, 5]);
        assertEquals(await read({ after: offsets[8], limit: 3 }), [9]);
        assertEquals(await read({ limit: 0 }), []);
        assertEquals(await read({ limit: 3, reverse: true }), [9, 8, 7]);
        assertEquals(await read({ after: offsets[7], limit: 3, reverse: true }), [6, 5, 4]);
        assertEquals(await read({ after: offsets[1], limit: 3, reverse: true }), [0]);
        const some = await read({ limit: 10, bytes: 250 });
        assert(some.length >= 1 && some.length <= 10);
        assertEquals(some, offsets.map((_, i) => i).slice(0, some.length));
      }),
    );

    it(
      "tells of another epoch, and of an offset that never was",
      withHistory,
      runs(async ({ server }) => {
        const a = await server();
        const topic = newTopic();
        const { position } = await publish(a, topic, "x");
        const { epoch, offset } = position!;
        const read = async (epoch: string, after: number) => {
          const page = await a.engine.read(topic, { epoch, after, limit: 10 });
          assertEquals(page.position.epoch, position!.epoch);
          return [page.whole, page.publications.length];
        };
        assertEquals(await read(epoch, offset), [true, 0]);
        assertEquals(await read(`${epoch}x`, offset), [false, 0]);
        assertEquals(await read(epoch, offset + 1000), [false, 0]);
      }),
    );
  });

  describe(`engine ${name}, 4: without history, once`, () => {
    it(
      "announcements have no place, results no position",
      runs(async ({ server }) => {
        const [a, b] = [await server(), await server()];
        const topic = newTopic(null);
        await b.engine.subscribe([topic]);
        await b.engine.subscribe([topic]);
        const result = await publish(a, topic, "x");
        await publish(a, topic, "y");
        await b.until(() => b.on(topic).length >= 2, "both");
        assertEquals(result, { accepted: true });
        assertEquals(b.texts(topic), ["x", "y"]);
        for (const { publication, place } of b.on(topic)) {
          assertEquals([publication.offset, place], [undefined, null]);
        }
      }),
    );
  });

  describe(`engine ${name}, 5: publishing is honest`, () => {
    for (const history of [null, { count: 1000, age: 600 }]) {
      const options = history === null ? {} : withHistory;
      const how = history === null ? "without history" : "with history";
      it(
        `a repeat is accepted once, and per topic, ${how}`,
        options,
        runs(async ({ server }) => {
          const [a, b] = [await server(), await server()];
          const [topic, other] = [newTopic(history), newTopic(history)];
          await b.engine.subscribe([topic, other]);
          const first = await publish(a, topic, "once", { idempotencyKey: "k" });
          await publish(a, topic, "between");
          const again = await publish(b, topic, "twice", { idempotencyKey: "k" });
          const elsewhere = await publish(b, other, "other", { idempotencyKey: "k" });
          await publish(a, topic, "last");
          await b.until(() => b.texts(topic).includes("last"), "the last");
          assertEquals(b.texts(topic), ["once", "between", "last"]);
          assertEquals([first.accepted, first.repeated], [true, undefined]);
          assertEquals([again.accepted, again.repeated], [true, true]);
          assertEquals(again.position, first.position);
          assertEquals([elsewhere.accepted, elsewhere.repeated], [true, undefined]);
        }),
      );

      it(
        `what is published in one turn comes whole and in that order, each with its own answer, ${how}`,
        options,
        runs(async ({ server }) => {
          const [a, b] = [await server(), await server()];
          const [topic, other] = [newTopic(history), newTopic(history)];
          for (const { engine } of [a, b]) await engine.subscribe([topic, other]);
          const large = Buffer.alloc(200_000, "large");
          const turn: [string | Uint8Array, Partial<Message>][] = [
            ["", {}],
            [new Uint8Array(), { tags: { x: "y" } }],
            ["keyed", { idempotencyKey: "k" }],
            ...Array.from({ length: 300 }, (_, i): [string, object] => [`${i}`, {}]),
            // More than one message of an engine takes.
            ...Array.from({ length: 8 }, (): [Uint8Array, object] => [large, {}]),
            ["again", { idempotencyKey: "k" }],
            ["é", { key: "e" }],
          ];
          const results = await Promise.all(turn.flatMap(([data, more]) => [
            publish(a, topic, data, more),
            publish(a, other, data, more),
          ]));
          const expected = turn.map(([data]) => data).filter((data) => data !== "again");
          for (const it of [a, b]) {
            for (const [i, some] of [topic, other].entries()) {
              await it.until(() => it.on(some).length >= expected.length, "all");
              const heard = it.on(some).map(({ publication }) => publication);
              const same = heard.map(({ data }, i) =>
                Buffer.compare(bytes(data), bytes(expected[i]))
              );
              assertEquals([same.length, same.filter((difference) => difference !== 0)], [
                expected.length,
                [],
              ]);
              assertEquals([heard[1].tags, heard.at(-1)!.key], [{ x: "y" }, "e"]);
              const told = results.filter((_, n) => n % 2 === i);
              assert(told.every(({ accepted }) => accepted === true));
              const [again] = told.splice(-2, 1);
              assertEquals(again.repeated, true);
              assertEquals(
                told.map(({ position }) => position?.offset),
                heard.map((it) => it.offset),
              );
            }
          }
        }),
      );

      later(
        `a key is forgotten after five minutes, ${how}`,
        history === null ? undefined : lacks.history,
        async ({ server, pass }) => {
          const a = await server();
          const topic = newTopic(history);
          await publish(a, topic, "x", { idempotencyKey: "k" });
          await pass!(290);
          assertEquals((await publish(a, topic, "x", { idempotencyKey: "k" })).repeated, true);
          await pass!(20);
          assertEquals((await publish(a, topic, "x", { idempotencyKey: "k" })).repeated, undefined);
        },
      );
    }

    it(
      "text and bytes, key, tags and publisher arrive as they were",
      runs(async ({ server }) => {
        const [a, b] = [await server(), await server()];
        const topic = newTopic(null);
        await b.engine.subscribe([topic]);
        const publisher = { id: "c1", user: "ada", info: '{"n":12345678901234567890}' };
        const tags = { one: "1", "": "é\n" };
        const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
        await publish(a, topic, "é\0😀\r\n", { key: "k é", tags, publisher });
        await publish(a, topic, bytes);
        await publish(a, topic, "");
        await publish(a, topic, new Uint8Array());
        await b.until(() => b.on(topic).length >= 4, "four");
        assertEquals(b.texts(topic), ["é\0😀\r\n", bytes, "", new Uint8Array()]);
        const [{ publication }, second] = b.on(topic);
        assertEquals(
          [publication.key, publication.tags, publication.publisher],
          ["k é", tags, publisher],
        );
        assert(publication.id.startsWith("suite.") && publication.time > 1e12);
        assertEquals(
          [second.publication.key, second.publication.tags, second.publication.publisher],
          [undefined, undefined, undefined],
        );
      }),
    );
  });

  describe(`engine ${name}, 6: only what is needed`, () => {
    it(
      "a server hears of what it is subscribed to, until it is not",
      runs(async ({ server }) => {
        const [a, b] = [await server(), await server()];
        const [one, two] = [newTopic(null), newTopic(null)];
        await b.engine.subscribe([one, two]);
        await publish(a, one, "1");
        await b.until(() => b.on(one).length > 0, "the first");
        await b.engine.unsubscribe([one]);
        await publish(a, one, "2");
        await publish(a, two, "3");
        await b.until(() => b.on(two).length > 0, "the third");
        assertEquals(b.heard.map(({ publication }) => publication.data), ["1", "3"]);
        await b.engine.subscribe([one]);
        await publish(a, one, "4");
        await b.until(() => b.on(one).length > 1, "the fourth");
        assertEquals(a.heard, []);
      }),
    );

    it(
      "joins and leaves go to those subscribed, control messages to all",
      runs(async ({ server }) => {
        const [a, b] = [await server(), await server()];
        const topic = newTopic(null);
        await b.engine.subscribe([topic]);
        await a.engine.announce(topic, "join", { id: "c", user: "u", info: "i" });
        await a.engine.announce(topic, "leave", { id: "c", user: "u" });
        await a.engine.control("é all");
        await a.until(() => a.others.length >= 1, "the control message");
        await b.until(() => b.others.length >= 3, "all three");
        assertEquals(a.others, ["control é all"]);
        assertEquals([...b.others].sort(), [
          "control é all",
          `join ${topic.name} c u i`,
          `leave ${topic.name} c u undefined`,
        ]);
      }),
    );
  });

  describe(`engine ${name}, 7: presence`, withPresence, () => {
    it(
      "tells and counts who is there, on whatever server",
      runs(async ({ server }) => {
        const [a, b] = [await server(), await server()];
        const [topic, other] = [newTopic(null), newTopic(null)];
        const member = (id: string, user: string) => ({ id, user, info: `${id} é` });
        await a.engine.enter([
          { topic, member: member("1", "ada") },
          { topic, member: member("2", "ada") },
          { topic: other, member: member("1", "ada") },
        ], 60);
        await b.engine.enter([{ topic, member: member("3", "bob") }], 60);
        assertEquals(await b.engine.memberCount(topic), { connections: 3, users: 2 });
        const members = [...await a.engine.members(topic, 10)].sort((x, y) => x.id < y.id ? -1 : 1);
        assertEquals(members, [member("1", "ada"), member("2", "ada"), member("3", "bob")]);
        assertEquals((await a.engine.members(topic, 2)).length, 2);
        await b.engine.leave([{ topic, member: member("2", "ada") }, {
          topic,
          member: member("9", "eve"),
        }]);
        assertEquals(await a.engine.memberCount(topic), { connections: 2, users: 2 });
        assertEquals(await a.engine.memberCount(other), { connections: 1, users: 1 });
        assertEquals(await a.engine.members(newTopic(null), 10), []);
      }),
    );

    later(
      "ends when its time is over, unless it was written again",
      lacks.presence,
      async (place) => {
        const a = await place.server();
        const topic = newTopic(null);
        const entry = (id: string) => [{ topic, member: { id, user: id } }];
        await a.engine.enter(entry("stays"), 4);
        await a.engine.enter(entry("goes"), 4);
        await place.pass!(3);
        await a.engine.enter(entry("stays"), 4);
        await place.pass!(2);
        assertEquals(await a.engine.members(topic, 10), [{ id: "stays", user: "stays" }]);
        assertEquals(await a.engine.memberCount(topic), { connections: 1, users: 1 });
        await place.pass!(3);
        assertEquals(await a.engine.memberCount(topic), { connections: 0, users: 0 });
      },
    );
  });

  describe(`engine ${name}, 8: down is not dead`, () => {
    faulty(
      "publishing is answered, and it comes back by itself",
      "cut",
      undefined,
      async (place) => {
        const a = await place.server();
        const topic = newTopic(null);
        await a.engine.subscribe([topic]);
        const restore = await place.cut!();
        const began = performance.now();
        const result = await publish(a, topic, "lost");
        assert(performance.now() - began < 6000, "publishing was not answered in time");
        assertNotEquals(result.accepted, true);
        assert(result.error instanceof Error);
        await a.until(() => a.others.includes("down"), "down");
        assertEquals(a.engine.state.up, false);
        await restore();
        await a.until(() => a.ups > 1, "up again");
        assertEquals(a.engine.state.up, true);
        await a.engine.subscribe([topic]);
        assertEquals((await publish(a, topic, "again")).accepted, true);
        await a.until(() => a.texts(topic).includes("again"), "the publication");
      },
    );

    for (const history of [null, { count: 1000, age: 600 }]) {
      const options = history === null ? {} : withHistory;
      it(
        `what was published before the end is published, ${
          history === null ? "without" : "with"
        } history`,
        options,
        runs(async ({ server }) => {
          const [a, b] = [await server(), await server()];
          const topic = newTopic(history);
          await b.engine.subscribe([topic]);
          const results: Promise<PublishResult>[] = [];
          for (let i = 0; i < 3; i++) {
            results.push(publish(a, topic, `${i}`), publish(a, topic, `${i}, the same turn`));
            await new Promise((resolve) => setImmediate(resolve));
          }
          await a.engine.close();
          await b.until(() => b.on(topic).length >= 6, "all six");
          assertEquals(b.texts(topic).map((it) => (it as string)[0]), [
            "0",
            "0",
            "1",
            "1",
            "2",
            "2",
          ]);
          const told = (await Promise.all(results)).map(({ accepted }) => accepted);
          assert(told.every((accepted) => accepted !== false), `${told}`);
        }),
      );
    }

    it("publishing after the end is refused, not thrown", async () => {
      const harness = await make();
      const listener = new Listener(await harness.join());
      await listener.engine.start(listener);
      await listener.engine.close();
      const { accepted, error } = await publish(listener, newTopic(null), "x");
      assertEquals([accepted, error instanceof Error], [false, true]);
      await harness.close();
    });
  });

  describe(`engine ${name}, 9: a new epoch`, withHistory, () => {
    it(
      "begins once, whoever asks for it, and holds for all",
      runs(async ({ server }) => {
        const [a, b] = [await server(), await server()];
        const topic = newTopic();
        await publish(a, topic, "lost");
        const { position: { epoch } } = await a.engine.read(topic, { limit: 0 });
        const renewed = await Promise.all([
          a.engine.renew(topic, epoch),
          b.engine.renew(topic, epoch),
        ]);
        assertNotEquals(renewed[0].epoch, epoch);
        assertEquals(renewed[1].epoch, renewed[0].epoch);
        const { position } = await publish(b, topic, "new");
        assertEquals(position!.epoch, renewed[0].epoch);
        const page = await a.engine.read(topic, { limit: 10 });
        assertEquals(page.publications.map(({ data }) => data), ["new"]);
        assertEquals((await a.engine.read(topic, { epoch, after: 0, limit: 10 })).whole, false);
      }),
    );

    it(
      "begins when a publisher has seen what the stream does not have",
      runs(async ({ server }) => {
        const a = await server();
        const topic = newTopic();
        const { position } = await publish(a, topic, "x");
        const { epoch, offset } = position!;
        const same = await publish(a, topic, "y", {}, { epoch, offset });
        assertEquals(same.position!.epoch, epoch);
        const elsewhere = await publish(a, topic, "y", {}, { epoch: "other", offset: 1e6 });
        assertEquals(elsewhere.position!.epoch, epoch);
        const beyond = await publish(a, topic, "z", {}, { epoch, offset: offset + 1e6 });
        assertEquals(beyond.accepted, true);
        assertNotEquals(beyond.position!.epoch, epoch);
      }),
    );

    faulty(
      "servers find out that a stream has lost its end",
      "rewind",
      lacks.history,
      (place) =>
        withHubs(place, 2, async ([hub]) => {
          const topic = newTopic();
          const subscriber = new TestSubscriber();
          await hub.join(subscriber).subscribe(topic.name);
          for (const text of ["1", "2", "3"]) await hub.publish(topic.name, text);
          await patiently(subscriber.until(() => subscriber.received.length === 3), "three");
          await place.rewind!(topic, 2);
          await hub.publish(topic.name, "4");
          const told = () => subscriber.journal.some((it) => it.startsWith("interrupted"));
          await patiently(subscriber.until(told), "interrupted");
        }),
    );
  });

  describe(`engine ${name}, 10: with servers and subscribers`, withHistory, () => {
    it("any interleaving gives an order without hole or repeat, or says so", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(anyStep, { minLength: 1, maxLength: 60, size: "max" }),
          async (steps) => {
            await within((place) =>
              withHubs(place, 2, (hubs) => new Story(hubs, `story ${++topics}`).tell(steps))
            );
          },
        ),
        { numRuns: 60 },
      );
    });

    it(
      "those who are left out skip an offset, and recovery from before gives it all the same",
      runs((place) =>
        withHubs(place, 2, async ([one, two]) => {
          const topic = newTopic().name;
          const [ada, bob] = [new TestSubscriber(), new TestSubscriber()];
          const adas = one.join(ada);
          const { position } = await adas.subscribe(topic);
          await two.join(bob).subscribe(topic);
          await one.publish(topic, "1", {}, ada);
          await one.publish(topic, "2", {}, [ada]);
          await one.publish(topic, "3");
          await patiently(ada.until(() => ada.received.includes("3")), "the third");
          await patiently(bob.until(() => bob.received.includes("3")), "the third");
          assertEquals([ada.received, bob.received], [["3"], ["1", "2", "3"]]);
          const here = adas.list.get(topic)!.position!;
          assertEquals((await one.history(topic, { limit: 9 })).publications.length, 3);
          const back = new TestSubscriber();
          const result = await one.join(back).subscribe(topic, { position });
          assertEquals([result.recovered, result.position], [true, here]);
          assertEquals(back.received, ["1", "2", "3"]);
        })
      ),
    );
  });

  /** Runs a test with servers' topics, all of them with history. */
  async function withHubs(
    place: EngineHarness,
    count: number,
    test: (hubs: Hub[]) => Promise<void>,
  ): Promise<void> {
    const hubs: Hub[] = [];
    const reported: Error[] = [];
    for (let i = 0; i < count; i++) {
      const { hub, errors } = makeHub({
        engine: await place.join(),
        clock: place.clock,
        topics: (topic) => ({
          history: { count: 1000, age: 600 },
          slow: topic.endsWith("drop") ? "drop" : topic.endsWith("latest") ? "latest" : undefined,
        }),
      });
      await hub.start();
      hubs.push(hub);
      reported.push(...errors);
    }
    try {
      await test(hubs);
      assertEquals(reported, []);
    } finally {
      for (const hub of hubs) await hub.close();
    }
  }
}

// Stories: what servers and subscribers do, in any order.

const seat = fc.nat(5);
const server = fc.nat(1);

type Step =
  | { do: "publish"; server: number; wait: boolean }
  | { do: "subscribe" | "resume"; seat: number; server: number; wait: boolean }
  | { do: "leave" | "unsubscribe" | "slow" | "drain"; seat: number };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("publish" as const), server, wait: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("subscribe" as const, "resume" as const),
      seat,
      server,
      wait: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "leave" as const,
        "unsubscribe" as const,
        "slow" as const,
        "drain" as const,
      ),
      seat,
    }),
  },
);

/** One visit of a subscriber to one topic. */
interface Visit {
  topic: string;
  subscriber: TestSubscriber;
  subscriptions: ReturnType<Hub["join"]>;
  /** What it saw in the visit that it goes on from; null where it does not recover. */
  before: string[] | null;
  result: Promise<{ recovered: boolean } | null>;
  over: boolean;
}

class Story {
  readonly #hubs: Hub[];
  readonly #topics: string[];
  readonly #watchers: TestSubscriber[] = [];
  readonly #seats: (Visit | undefined)[] = [];
  readonly #visits: Visit[] = [];
  #published = 0;
  readonly #publishing: Promise<PublishResult>[] = [];

  constructor(hubs: Hub[], name: string) {
    this.#hubs = hubs;
    this.#topics = [name, `${name} drop`, `${name} latest`];
  }

  async tell(steps: readonly Step[]): Promise<void> {
    for (const topic of this.#topics) {
      const watcher = new TestSubscriber();
      await this.#hubs[0].join(watcher).subscribe(topic);
      this.#watchers.push(watcher);
    }
    for (const step of steps) await this.#take(step);
    await this.#finish();
    for (const visit of this.#visits) await this.#check(visit);
  }

  async #take(step: Step): Promise<void> {
    if (step.do === "publish") {
      for (const topic of this.#topics) {
        const text = `${this.#published++}`;
        this.#publishing.push(
          this.#hubs[step.server].publish(topic, text, { key: `k${text.at(-1)}` }),
        );
      }
      if (step.wait) await Promise.all(this.#publishing);
      return;
    }
    const visit = this.#seats[step.seat];
    switch (step.do) {
      case "subscribe":
      case "resume":
        if (visit !== undefined && !visit.over) return;
        return await this.#come(step, visit);
      case "slow":
        if (visit !== undefined) visit.subscriber.bufferedAmount = 1000;
        return;
      case "drain":
        if (visit !== undefined) this.#drain(visit);
        return;
      default:
        if (visit === undefined || visit.over) return;
        visit.over = true;
        if (step.do === "leave") visit.subscriptions.end();
        else visit.subscriptions.unsubscribe(visit.topic);
    }
  }

  async #come(
    step: Step & { seat: number; server: number; wait: boolean },
    last?: Visit,
  ): Promise<void> {
    const topic = this.#topics[step.seat % this.#topics.length];
    const position = step.do === "resume"
      ? last?.subscriptions.list.get(topic)?.position
      : undefined;
    const subscriber = new TestSubscriber();
    const subscriptions = this.#hubs[step.server].join(subscriber);
    const before = position === undefined
      ? null
      : [...(last!.before ?? []), ...last!.subscriber.received];
    const result = subscriptions.subscribe(topic, { position }).catch(() => null);
    const visit = { topic, subscriber, subscriptions, before, result, over: false };
    this.#visits.push(visit);
    this.#seats[step.seat] = visit;
    if (step.wait) await result;
  }

  #drain({ subscriber, subscriptions }: Visit): void {
    subscriber.bufferedAmount = 0;
    subscriptions.flush();
  }

  /** Has everything arrive everywhere. */
  async #finish(): Promise<void> {
    const results = await Promise.all(this.#publishing);
    assert(results.every(({ accepted }) => accepted === true));
    for (const visit of this.#visits) {
      await visit.result;
      if (!visit.over) this.#drain(visit);
    }
    for (const [i, topic] of this.#topics.entries()) {
      await this.#hubs[0].publish(topic, "end", { key: "end" });
      const all = [this.#watchers[i]];
      for (const visit of this.#visits) {
        if (visit.topic === topic && !visit.over) all.push(visit.subscriber);
      }
      for (const it of all) await patiently(it.until(() => it.received.includes("end")), "the end");
    }
  }

  async #check({ topic, subscriber, subscriptions, before, result, over }: Visit): Promise<void> {
    const all = this.#watchers[this.#topics.indexOf(topic)].received;
    const { received, journal } = subscriber;
    const told = await result;
    assertEquals(journal, received, "nobody was to be interrupted");
    if (told === null) return assertEquals(received, []);
    const whole = told.recovered ? [...before!, ...received] : received;
    const leftOut = subscriptions.list.get(topic)?.leftOut ?? 0;
    const slowable = topic.endsWith("drop") || topic.endsWith("latest");
    if (!slowable) {
      assertEquals(leftOut, 0);
      if (whole.length === 0) return;
      const from = all.indexOf(whole[0]);
      assertEquals(
        whole,
        all.slice(from, from + whole.length),
        "a hole, a repeat or another order",
      );
      return;
    }
    // What was given is in order and once; and of each key that was kept back, the newest was given.
    assertEquals(new Set(received).size, received.length, "a repeat");
    if (topic.endsWith("drop")) {
      assertEquals(all.filter((it) => received.includes(it)), received, "another order");
    } else if (!over) {
      const newest = (list: readonly string[], key: string) =>
        list.filter((it) => it.at(-1) === key).at(-1);
      for (let key = 0; key <= 9; key++) {
        const mine = newest(received, `${key}`);
        if (mine !== undefined) assertEquals(mine, newest(all, `${key}`), "not the newest");
      }
    }
  }
}
