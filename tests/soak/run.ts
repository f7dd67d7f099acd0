/**
 * Soaks a server on all four transports: clients that come and go, read slowly, break off, reset, or
 * fall silent, while steady ones are served.
 *
 *     npm run soak                                   one minute
 *     npm run soak -- --minutes 10
 *     npm run soak -- --connections 3000             1,000 by default
 *     npm run soak -- --transport deno_tcp,bun_tcp   some transports
 *     npm run soak -- --seed 7
 *
 * The last line is "N passed, N failed", with one for each transport.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { targetsNamed } from "../support/targets.ts";
import { soak } from "./soak.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    connections: { type: "string", default: "1000" },
    transport: { type: "string" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 0x7fffffff)) },
  },
});

const targets = targetsNamed(values.transport);
const seconds = Number(values.minutes) * 60 / targets.length;
const [connections, seed] = [Number(values.connections), Number(values.seed)];
if (!(seconds > 0) || !(connections > 0) || !Number.isSafeInteger(seed)) {
  console.error("--minutes and --connections take a number above 0, --seed a whole number");
  process.exit(2);
}

console.log(`seed ${seed}`);
let failed = 0;
for (const target of targets) {
  const { counts, figures, median, p99, memory, failures } = await soak({
    target,
    connections,
    seconds,
    seed,
  });
  const [warm, end] = memory.map((bytes) => (bytes / 1e6).toFixed(0));
  console.log(
    `${target.name}: ${figures.connections} connections, ${counts.connects} connects, ` +
      `${counts.disconnects} disconnects, ${figures.sent} messages and as many echoes, ` +
      `round trip ${median.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, memory ${warm} to ${end} MB`,
  );
  for (const failure of failures) console.log(`failed: ${target.name}: ${failure}`);
  if (failures.length > 0) failed++;
}
console.log(`${targets.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
