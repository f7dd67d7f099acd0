import { assertEquals } from "@std/assert";
import { it } from "node:test";
import { targets } from "../support/targets.ts";
import { runtime } from "../support/transports.ts";
import { crowd } from "./crowd.ts";

const CONNECTIONS = 400;

for (const target of targets.filter((it) => it.runtime === runtime)) {
  it(`${target.name}: each of ${CONNECTIONS} connections gets each broadcast once`, async () => {
    const { failures, broadcasts } = await crowd({ target, connections: CONNECTIONS });
    assertEquals(failures, []);
    assertEquals(broadcasts.length, 4);
  });
}
