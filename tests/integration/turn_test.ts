import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { Turn } from "../../src/transport/tcp/turn.ts";
import { Journal } from "../support/journal.ts";

const MIB = 1024 * 1024;

describe("what one connection may inflate before others are served", () => {
  it("is just under 1 MiB; with a byte more it waits, and then goes on", async () => {
    const rests = new Journal<true>();
    const turn = new Turn(() => rests.add(true));
    for (let round = 1; round <= 3; round++) {
      assertEquals(turn.inflated(MIB - 1), false);
      assertEquals([turn.inflated(1), turn.resting], [true, true]);
      assertEquals(rests.entries.length, round - 1, "the others have not had their turn");
      await rests.next();
      assertEquals(turn.resting, false);
    }
  });

  it("is counted anew with each read, since others were served between them", () => {
    const turn = new Turn(() => {});
    for (let read = 0; read < 10; read++) {
      turn.begin();
      assertEquals(turn.inflated(MIB - 1), false);
    }
  });

  it("is counted for all messages of a read together, and one large one ends it", () => {
    const turn = new Turn(() => {});
    for (let i = 0; i < 15; i++) assertEquals(turn.inflated(MIB / 16), false);
    assertEquals(turn.inflated(MIB / 16), true);
    assertEquals(new Turn(() => {}).inflated(16 * MIB), true);
  });
});
