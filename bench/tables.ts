// Prints the tables of docs/PERFORMANCE.md and docs/ENGINES.md from kept results.
// deno run -A bench/tables.ts RESULTS.json...

import { readFileSync } from "node:fs";
import process from "node:process";
import { type Cell, findCell, medianOf, type Outcome, type Results } from "./results.ts";
import type { SuiteResult } from "./results.ts";
import { serverById } from "./servers.ts";

const results = process.argv.slice(2).map((file) =>
  JSON.parse(readFileSync(file, "utf8")) as Results
);
const suites = results.flatMap(({ suites }) => suites);

/** Suites that are one table, a column each. */
const ECHO = /^(64Bx32|64Bx1|64KiB|1MiB)-(binary|text)$/;
const SHAPES = ["64Bx32", "64Bx1", "64KiB", "1MiB"];

const sections: string[] = [];
const echoes = suites.filter(({ id }) => ECHO.test(id));
if (echoes.length > 0) sections.push(echoFigures(), echoRatios());
for (const suite of suites) {
  if (ECHO.test(suite.id)) continue;
  if (suite.id.startsWith("scale-")) sections.push(scaling(suite));
  else if (suite.id.startsWith("idle")) sections.push(memory(suite));
  else sections.push(ratios(suite));
}
const judged = suites.flatMap(({ outcomes }) => outcomes).filter(({ goal }) => goal !== undefined);
const met = judged.filter((outcome) => outcome.met).length;
sections.push(`Of ${judged.length} goals ${met} are met.`);
console.log(sections.join("\n\n"));

function echoFigures(): string {
  const servers = [...new Set(echoes.flatMap(({ cells }) => cells.map(({ server }) => server)))];
  const columns = echoes.map(({ id }) => id.replace("-", " ").replace("x", " × "));
  return table(
    "Echo, messages a second",
    ["server", ...columns],
    servers.map((server) => [
      serverById(server).label,
      ...echoes.map(({ cells }) => {
        const perSecond = medianOf(findCell(cells, { point: "all", server }), "perSecond");
        return perSecond === undefined ? "" : amount(perSecond);
      }),
    ]),
  );
}

/** Binary and text in one cell. */
function echoRatios(): string {
  const pairs = new Map<string, Outcome>();
  for (const { outcomes } of echoes) {
    for (const outcome of outcomes) pairs.set(`${outcome.a.server}/${outcome.b.server}`, outcome);
  }
  const rows = [...pairs.values()].map(({ a, b }) => [
    serverById(a.server).label,
    serverById(b.server).label,
    ...SHAPES.map((shape) => {
      const both = ["binary", "text"].flatMap((type) =>
        echoes.find(({ id }) => id === `${shape}-${type}`)?.outcomes.find((it) =>
          it.a.server === a.server && it.b.server === b.server
        ) ?? []
      );
      const bounds = [...new Set(both.flatMap(({ goal }) => goal?.bound ?? []))];
      const goals = bounds.length === 0 ? "" : ` (≥ ${bounds.join(", ")})`;
      return `${both.map(marked).join(", ")}${goals}`;
    }),
  ]);
  return table("Echo, ratios: binary, text", ["", "against", ...SHAPES], rows);
}

function ratios({ title, outcomes }: SuiteResult): string {
  const rows = outcomes.map((outcome) => {
    const { a, b, least, most, goal } = outcome;
    return [
      place(a),
      place(b),
      `${marked(outcome)} (${ratio(least)} to ${ratio(most)})`,
      goal === undefined ? "" : `${goal.at === "least" ? "≥" : "≤"} ${goal.bound}`,
    ];
  });
  return table(title, ["", "against", "ratio", "goal"], rows);
}

function memory({ title, cells, outcomes }: SuiteResult): string {
  const rows = cells.map((cell) => {
    const outcome = outcomes.find(({ a }) => a.server === cell.server);
    const bytes = medianOf(cell, "bytesPerConnection");
    const text = bytes === undefined ? "" : Math.round(bytes).toLocaleString("en");
    const bound = outcome?.goal?.bound;
    return [
      place(cell),
      outcome?.met ? `**${text}**` : text,
      bound === undefined ? "" : Math.round(bound).toLocaleString("en"),
    ];
  });
  return table(title, ["", "bytes", "goal"], rows);
}

function scaling({ title, cells }: SuiteResult): string {
  const text = (cell: Cell, figure: Parameters<typeof medianOf>[1], unit: number, digits = 0) => {
    const value = medianOf(cell, figure);
    return value === undefined ? "" : (value * unit).toFixed(digits);
  };
  const rows = cells.map((cell) => [
    serverById(cell.server).label,
    cell.point,
    amount(medianOf(cell, "perSecond") ?? 0),
    text(cell, "p50", 1e3, 2),
    text(cell, "p99", 1e3, 2),
    text(cell, "cpuPerMessage", 1e6, 1),
    text(cell, "peakMemory", 2 ** -20),
  ]);
  const columns = ["server", "", "messages/s", "p50 ms", "p99 ms", "CPU µs a message", "MiB"];
  return table(title, columns, rows);
}

function table(title: string, columns: string[], rows: string[][]): string {
  const lines = [columns, columns.map(() => "---"), ...rows].map((it) => `| ${it.join(" | ")} |`);
  return `### ${title}\n\n${lines.join("\n")}`;
}

function place({ point, server }: { point: string; server: string }): string {
  const { label } = serverById(server);
  return point === "all" ? label : `${label}, ${point}`;
}

/** Bold where its goal is met. */
function marked({ median, met }: Outcome): string {
  return met ? `**${ratio(median)}**` : ratio(median);
}

function ratio(value: number): string {
  return value.toFixed(value < 10 ? 2 : 1);
}

function amount(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  return value >= 1e4 ? `${Math.round(value / 1e3)} k` : Math.round(value).toLocaleString("en");
}
