// npm run bench -- [engines] [--quick] [--only SUBSTRING,...] [--json FILE] [--list]
//
// "engines" measures two servers with Redis or NATS between them; without it, each server is alone.
// Measures the servers of each suite in turn, prints tables, and draws docs/benchmark.svg after a whole run.
// --only keeps the comparisons whose name SUITE/A/B contains one of the substrings; --list prints those names.

import { mkdirSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Children } from "./child.ts";
import { engineSuites } from "./engine_scenarios.ts";
import { describeMachine, findRuntimes } from "./machine.ts";
import { plot } from "./plot.ts";
import { plotScale } from "./plot_scale.ts";
import { header, suiteReport, summary } from "./report.ts";
import type { Results } from "./results.ts";
import { full, quick, type Suite, suites } from "./scenarios.ts";
import { runSuite } from "./suite_run.ts";

const ROUNDS = 5;

const { values: options, positionals: [group] } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    json: { type: "string" },
    list: { type: "boolean", default: false },
  },
});

const root = fileURLToPath(new URL("..", import.meta.url));
if (group !== undefined && group !== "engines") {
  console.error(`"${group}" is no group of suites: say "engines", or nothing for all others`);
  process.exit(2);
}
const suitesOf = group === "engines" ? engineSuites : suites;
const chosen = choose(suitesOf(options.quick ? quick : full), options.only);
if (chosen.length === 0) {
  console.error(`nothing matches --only ${options.only}; --list prints the names to choose from`);
  process.exit(2);
}
if (options.list) {
  for (const suite of chosen) {
    for (const comparison of suite.comparisons) console.log(comparisonName(suite, comparison));
  }
  process.exit(0);
}

const runtimes = findRuntimes(root);
const machine = describeMachine(runtimes);
const results: Results = {
  date: new Date().toISOString(),
  quick: options.quick,
  rounds: options.quick ? 1 : ROUNDS,
  machine,
  suites: [],
};
console.log(header(results));

const children = new Children(root, runtimes, machine);
for (const suite of chosen) {
  const result = await runSuite(suite, results.rounds, children);
  results.suites.push(result);
  console.log(`\n${suiteReport(result)}`);
  // Written after each suite, so that a run that is stopped keeps what it has.
  if (options.json) writeFileSync(options.json, JSON.stringify(results, null, 2) + "\n");
}
console.log(`\n${summary(results)}`);

if (!options.quick && options.only === undefined && group === undefined) {
  mkdirSync(`${root}docs`, { recursive: true });
  writeFileSync(`${root}docs/benchmark.svg`, plot(results));
  writeFileSync(`${root}docs/scale.svg`, plotScale(results)!);
  console.log("\ndocs/benchmark.svg shows the echo figures, docs/scale.svg how they scale.");
}
const failed = results.suites.some((suite) => suite.cells.some((cell) => cell.failures.length > 0));
process.exit(failed ? 1 : 0);

function comparisonName(suite: Suite, { a, b }: Suite["comparisons"][number]): string {
  return `${suite.id}/${a.server}/${b.server}`;
}

function choose(all: Suite[], only: string | undefined): Suite[] {
  if (only === undefined) return all;
  const wanted = only.split(",");
  return all.flatMap((suite) => {
    const comparisons = suite.comparisons.filter((comparison) => {
      const name = comparisonName(suite, comparison);
      return wanted.some((substring) => name.includes(substring));
    });
    return comparisons.length > 0 ? [{ ...suite, comparisons }] : [];
  });
}
