import { assert, assertEquals } from "@std/assert";
import { it } from "node:test";
import { runtime } from "../support/transports.ts";
import { targets } from "../support/targets.ts";
import { cutAtRandom, mutate } from "./mutate.ts";
import { fuzz } from "./fuzz.ts";
import { Random } from "./random.ts";
import { makeSession } from "./session.ts";

for (const target of targets.filter((it) => it.runtime === runtime)) {
  it(`${target.name} survives some seconds of fuzzing`, async (t) => {
    const seed = Math.floor(Math.random() * 0x7fffffff);
    const { sessions, roundTrips, failures } = await fuzz({ target, seed, seconds: 5 });
    t.diagnostic(`seed ${seed}: ${sessions} sessions, ${roundTrips} healthy round trips`);
    assertEquals(failures, [], `seed ${seed}`);
    assert(sessions > 0 && roundTrips > 0);
  });
}

it("a seed makes the same sessions and the same mutations", () => {
  const make = (seed: number, number: number) => {
    const random = new Random(seed, number);
    const { head, frames } = makeSession(random);
    const mutated = mutate(random, frames, head);
    return [head, frames, ...cutAtRandom(random, mutated)].map((it) => it.join());
  };
  for (let number = 0; number < 50; number++) assertEquals(make(7, number), make(7, number));
  assert(make(7, 1).join() !== make(7, 2).join());
  assert(make(7, 1).join() !== make(8, 1).join());
});
