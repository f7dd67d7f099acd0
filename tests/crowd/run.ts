/**
 * Has a crowd of connections open at once on each of the four transports, and a message go to all of
 * them: each must get it, once and whole, while another client is served.
 *
 *     npm run crowd                                   10,000 connections
 *     npm run crowd -- --connections 2000
 *     npm run crowd -- --transport deno_tcp,bun_tcp   some transports
 *
 * The last line is "N passed, N failed", with one for each transport.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { targetsNamed } from "../support/targets.ts";
import { crowd, type CrowdReport } from "./crowd.ts";

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "10000" },
    transport: { type: "string" },
  },
});

const connections = Number(values.connections);
if (!Number.isSafeInteger(connections) || connections < 1) {
  console.error("--connections takes a whole number above 0");
  process.exit(2);
}

const targets = targetsNamed(values.transport);
let failed = 0;
for (const target of targets) {
  const report = await crowd({ target, connections });
  const { failures } = report;
  if (report.broadcasts.length > 0) console.log(`${target.name}: ${summary(report)}`);
  for (const failure of failures) console.log(`failed: ${target.name}: ${failure}`);
  if (failures.length > 0) failed++;
}
console.log(`${targets.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

function summary({ opening, broadcasts, slowest, memory: { before, open, peak } }: CrowdReport) {
  const each = (open - before) / connections / 1000;
  return `${connections} connections open in ${seconds(opening)} s, ` +
    `${broadcasts.length} broadcasts in ${broadcasts.map(seconds).join(", ")} s, ` +
    `another client's answers in ${slowest.toFixed(0)} ms at most, ` +
    `memory ${megabytes(before)} to ${megabytes(open)} MB (${each.toFixed(1)} KB a connection), ` +
    `${megabytes(peak)} MB at most`;
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(2);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
