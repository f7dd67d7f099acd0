import { describe, it } from "node:test";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { MAX_SCRATCH, OutputQueue } from "../../../src/protocol/mod.ts";
import { concat } from "../../support/client_frame.ts";

/** Writes bytes of one value by way of the scratch buffer. */
function write(queue: OutputQueue, size: number, value: number, reserved = size): void {
  queue.reserve(reserved);
  assert(queue.scratch.length - queue.offset >= reserved, "there is no room for what was reserved");
  queue.scratch.fill(value, queue.offset, queue.offset + size);
  queue.commit(size);
}

/** Takes the next piece and copies it before it is given back. */
function take(queue: OutputQueue): Uint8Array | undefined {
  const piece = queue.next();
  const copy = piece?.slice();
  queue.done();
  return copy;
}

function takeAll(queue: OutputQueue): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let piece = take(queue); piece !== undefined; piece = take(queue)) pieces.push(piece);
  return pieces;
}

describe("output queue", () => {
  it("has nothing to begin with, and no scratch buffer while it is idle", () => {
    const queue = new OutputQueue();
    assertEquals([queue.length, queue.next(), queue.scratch.length], [0, undefined, 0]);
    write(queue, 10, 1);
    takeAll(queue);
    assertEquals([queue.length, queue.next(), queue.scratch.length], [0, undefined, 0]);
  });

  it("puts small writes side by side into one piece", () => {
    const queue = new OutputQueue();
    write(queue, 3, 1);
    write(queue, 2, 2, 100);
    assertEquals(queue.length, 5);
    assertEquals(takeAll(queue), [Uint8Array.of(1, 1, 1, 2, 2)]);
  });

  it("keeps what is pushed as it is, in order with what is written", () => {
    const queue = new OutputQueue();
    const large = new Uint8Array(100_000);
    write(queue, 1, 1);
    queue.push(large);
    write(queue, 1, 2);
    assertEquals(queue.length, 100_002);
    assertEquals(take(queue), Uint8Array.of(1));
    assertStrictEquals(queue.next(), large);
    assertEquals(queue.length, 1);
    queue.done();
    assertEquals(takeAll(queue), [Uint8Array.of(2)]);
  });

  it("sends no empty piece when room was reserved and not used", () => {
    const queue = new OutputQueue();
    queue.reserve(100);
    assertEquals(queue.next(), undefined);
    queue.push(Uint8Array.of(1));
    assertEquals(takeAll(queue), [Uint8Array.of(1)]);
  });

  it("does not write into a piece that is under way", () => {
    const queue = new OutputQueue();
    const other = new OutputQueue();
    write(queue, 5, 1);
    const piece = queue.next()!;
    for (const it of [queue, other]) {
      write(it, 5, 2);
      write(it, 60_000, 3);
    }
    assertEquals(piece, new Uint8Array(5).fill(1));
    queue.done();
  });

  it("gives no buffer of a cleared queue to another while it may still be read", () => {
    const queue = new OutputQueue();
    write(queue, 5, 1);
    const piece = queue.next()!;
    queue.clear();
    queue.done();
    const others = Array.from({ length: 500 }, () => new OutputQueue());
    for (const it of others) write(it, 5, 2);
    assertEquals(piece, new Uint8Array(5).fill(1));
  });

  it("gives two queues no buffer in common, whatever was cleared before", () => {
    const queues = Array.from({ length: 20 }, () => new OutputQueue());
    for (const it of queues) {
      write(it, 10, 9);
      it.push(new Uint8Array(3));
      write(it, 5000, 9);
      it.clear();
      assertEquals([it.length, it.next()], [0, undefined]);
      it.done();
    }
    queues.forEach((it, i) => write(it, 4000, i));
    queues.forEach((it, i) => assertEquals(takeAll(it), [new Uint8Array(4000).fill(i)]));
  });

  it("gives back what went in, whatever the order of the calls", () => {
    const size = fc.oneof(
      fc.nat(50),
      fc.nat(5000),
      fc.nat(70_000),
      fc.constantFrom(4096, 65_536, MAX_SCRATCH - 100),
    );
    const step = fc.oneof(
      fc.record({ act: fc.constant("write" as const), size, extra: fc.nat(100) }),
      fc.record({ act: fc.constant("push" as const), size }),
      fc.record({ act: fc.constant("take" as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const queue = new OutputQueue();
        const expected: Uint8Array[] = [];
        const actual: Uint8Array[] = [];
        steps.forEach((step, i) => {
          if (step.act === "take") {
            actual.push(take(queue) ?? new Uint8Array());
            return;
          }
          const data = new Uint8Array(step.size).fill(i);
          expected.push(data);
          if (step.act === "push") queue.push(data);
          else write(queue, step.size, i, step.size + step.extra);
        });
        const [into, out] = [concat(...expected), concat(...actual)];
        assertEquals(queue.length, into.length - out.length);
        assertEquals(concat(out, ...takeAll(queue)), into);
      }),
      { numRuns: 200 },
    );
  });
});
