/**
 * Fuzzes the echo server over all four transports: mutated sessions over real sockets, while a proper
 * client must be served all along.
 *
 *     npm run fuzz                                    one minute
 *     npm run fuzz -- --minutes 10
 *     npm run fuzz -- --transport deno_tcp,bun_tcp    some transports
 *     npm run fuzz -- --seed 7 --start 1200           the sessions of another run, from one on
 *
 * The last line is "N passed, N failed", with one for each transport.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { targetsNamed } from "../support/targets.ts";
import { fuzz } from "./fuzz.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    transport: { type: "string" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 0x7fffffff)) },
    start: { type: "string", default: "0" },
  },
});

const targets = targetsNamed(values.transport);
const seconds = Number(values.minutes) * 60 / targets.length;
const [seed, start] = [Number(values.seed), Number(values.start)];
if (!(seconds > 0) || !Number.isSafeInteger(seed) || !Number.isSafeInteger(start)) {
  console.error("--minutes takes a number above 0, --seed and --start whole numbers");
  process.exit(2);
}

console.log(`seed ${seed}`);
let failed = 0;
for (const target of targets) {
  const { failures, ...figures } = await fuzz({ target, seed, start, seconds });
  const { sessions, bytes, roundTrips, memory } = figures;
  console.log(
    `${target.name}: ${sessions} sessions, ${(bytes / 1e6).toFixed(1)} MB, ` +
      `${roundTrips} healthy round trips, ${(memory / 1e6).toFixed(0)} MB of memory at most`,
  );
  for (const failure of failures) console.log(`failed: ${target.name}: ${failure}`);
  if (failures.length > 0) failed++;
}
console.log(`${targets.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
