import { assert, assertEquals } from "@std/assert";
import { it } from "node:test";
import { runtime } from "../support/transports.ts";
import { targets } from "../support/targets.ts";
import { soak } from "./soak.ts";

for (const target of targets.filter((it) => it.runtime === runtime)) {
  it(`${target.name} loses nothing in some seconds of soaking`, async (t) => {
    const seed = Math.floor(Math.random() * 0x7fffffff);
    const report = await soak({ target, seed, seconds: 4, connections: 100 });
    const { figures, p99, failures } = report;
    t.diagnostic(
      `seed ${seed}: ${figures.connections} connections, ${figures.sent} messages, p99 ${p99} ms`,
    );
    assertEquals(failures, [], `seed ${seed}`);
    assert(figures.connections > 0 && figures.sent > 0);
  });
}
