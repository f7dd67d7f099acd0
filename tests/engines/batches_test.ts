import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { type Batch, Batches, type LostBatch } from "../../src/engines/batches.ts";
import { ConnectionLost } from "../../src/engines/connection_lost.ts";
import { ACCEPTED, accepted } from "../../src/engines/publish_results.ts";
import type { EngineTopic, PublishResult } from "../../src/topics/engine.ts";
import { decodePayload } from "../../src/topics/payload.ts";
import { TestClock } from "../topics/fakes.ts";

const LIVE: EngineTopic = { name: "live", history: null };
const KEPT: EngineTopic = { name: "kept", history: { count: 10, age: 60 } };

/** An engine that answers when a test says so. */
class Asked {
  readonly clock = new TestClock();
  readonly asked: { batch: Batch<string>; answer(): void; fail(error: Error): void }[] = [];
  readonly searched: LostBatch<string>[] = [];
  readonly batches: Batches<string>;
  #messages = 0;

  constructor({ together = true, up = true, maxBytes = 1000 } = {}) {
    this.batches = new Batches({
      clock: this.clock,
      name: "The engine",
      maxBytes: () => maxBytes,
      together: () => together,
      ask: (batch) => {
        if (!up) return Promise.reject(new ConnectionLost("It is away", true));
        batch.sent = "sent";
        return new Promise((resolve, reject) => {
          const answer = () => {
            for (const entry of batch.entries) entry.resolve(ACCEPTED);
            resolve();
          };
          this.asked.push({ batch, answer, fail: reject });
        });
      },
      isRefusal: (error) => !(error instanceof ConnectionLost),
      whenUp: () => Promise.resolve(true),
      find: (losts) => {
        this.searched.push(...losts);
        for (const { batch } of losts) {
          batch.entries[0].resolve(accepted({ epoch: "e", offset: 1 }));
        }
        return Promise.resolve();
      },
    });
  }

  publish(data: string, topic = LIVE, idempotencyKey?: string): Promise<PublishResult> {
    const id = `m${this.#messages++}`;
    return this.batches.add(topic, { data, id, idempotencyKey }, null);
  }

  /** What was sent so far, batch by batch. */
  get sent(): string[][] {
    return this.asked.map(({ batch }) =>
      batch.entries.map(({ payload }) => decodePayload(payload, 0).data as string)
    );
  }
}

/** Whatever is due in this turn and in the promises that it settles. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const LOST = new ConnectionLost("The connection broke", true);

/** What became of each, in short. */
const said = async (results: Promise<PublishResult>[]) =>
  (await Promise.all(results)).map(({ accepted, error }) => error?.message ?? accepted);

describe("what is published to one topic goes to an engine together", () => {
  it("all of one turn, then all that has come while it was not answered", async () => {
    const it = new Asked();
    const first = [it.publish("a"), it.publish("b")];
    assertEquals(it.sent, []);
    await turn();
    const second = [it.publish("c"), it.publish("d")];
    await turn();
    assertEquals(it.sent, [["a", "b"]]);
    it.asked[0].answer();
    assertEquals(await said(first), [true, true]);
    await turn();
    assertEquals(it.sent, [["a", "b"], ["c", "d"]]);
    it.asked[1].answer();
    assertEquals(await said(second), [true, true]);
    await turn();
    assertEquals(it.batches.settled("live"), undefined);
  });

  it("one topic does not wait for another", async () => {
    const it = new Asked();
    it.publish("a");
    await turn();
    it.publish("b", KEPT);
    await turn();
    assertEquals(it.sent, [["a"], ["b"]]);
  });

  it("no more bytes than an engine takes at once, and no more than 256", async () => {
    const it = new Asked();
    // A payload has 5 bytes more than its data.
    for (const data of ["x".repeat(495), "y".repeat(495), "z"]) it.publish(data);
    await turn();
    assertEquals(it.sent.map(({ length }) => length), [2]);
    it.asked[0].answer();
    await turn();
    assertEquals(it.sent.map(({ length }) => length), [2, 1]);
    const many = new Asked({ maxBytes: Infinity });
    for (let i = 0; i < 300; i++) many.publish("");
    await turn();
    assertEquals(many.sent.map(({ length }) => length), [256]);
    many.asked[0].answer();
    await turn();
    assertEquals(many.sent.map(({ length }) => length), [256, 44]);
  });

  it("with an idempotency key alone, between what is published before and after", async () => {
    const it = new Asked();
    it.publish("a");
    it.publish("b", LIVE, "k");
    it.publish("c");
    assertEquals(it.sent, [["a"], ["b"]]);
    it.asked[0].answer();
    await turn();
    assertEquals(it.sent, [["a"], ["b"]]);
    it.asked[1].answer();
    await turn();
    assertEquals(it.sent, [["a"], ["b"], ["c"]]);
  });

  it("where they may not go together, each at once", () => {
    const it = new Asked({ together: false });
    for (const data of ["a", "b", "c"]) it.publish(data);
    assertEquals(it.sent, [["a"], ["b"], ["c"]]);
  });

  it("what waits is sent before something else is asked, and at the end", () => {
    const it = new Asked();
    it.publish("a");
    it.batches.settled("kept");
    it.publish("b");
    it.batches.close();
    assertEquals(it.sent, [["a"], ["b"]]);
  });
});

describe("every publication is answered", () => {
  it("an error of the engine refuses all that went together", async () => {
    const it = new Asked();
    const results = [it.publish("a"), it.publish("b")];
    await turn();
    it.asked[0].fail(new Error("No space"));
    assertEquals(await said(results), Array(2).fill('Cannot publish to "live": No space'));
  });

  it("what was not sent is refused", async () => {
    const it = new Asked({ up: false });
    assertEquals(await said([it.publish("a", KEPT)]), ['Cannot publish to "kept": It is away']);
    assertEquals(it.searched, []);
  });

  it("without an answer, those that were announced are accepted, nobody knows of the others", async () => {
    const it = new Asked();
    const results = [it.publish("a"), it.publish("b")];
    await turn();
    it.batches.heard("m1", undefined);
    it.asked[0].fail(LOST);
    assertEquals((await Promise.all(results)).map(({ accepted }) => accepted), ["unknown", true]);
    assertEquals(it.searched, []);
  });

  it("without an answer, those with history are looked for", async () => {
    const it = new Asked();
    const results = [it.publish("a", KEPT), it.publish("b", KEPT)];
    await turn();
    it.asked[0].fail(LOST);
    const [a, b] = await Promise.all(results);
    assertEquals(a, { accepted: true, position: { epoch: "e", offset: 1 } });
    assertEquals(b.accepted, "unknown");
    assertEquals(it.searched.map(({ sent, why }) => [sent, why]), [["sent", LOST.message]]);
  });

  it("what would be answered too late is not sent any more", async () => {
    const it = new Asked();
    it.publish("a");
    await turn();
    const late = it.publish("b");
    it.clock.pass(1.4);
    it.asked[0].answer();
    assertEquals(await said([late]), [
      'Cannot publish to "live": The engine has not answered in time what was published before it',
    ]);
    assertEquals(it.sent, [["a"]]);
    it.publish("c");
    await turn();
    assertEquals(it.sent, [["a"], ["c"]]);
  });
});
