// The results as Markdown tables that also read well in a terminal.

import type { Goal } from "./goals.ts";
import { type Cell, medianOf, type Outcome, type Results, type SuiteResult } from "./results.ts";
import type { Metric } from "./scenarios.ts";
import { serverById } from "./servers.ts";

/** A server that had this much of its processor left was held up by the load process. */
const IDLE_SERVER = 0.9;
/** More than this of a processor taken by others makes the figures doubtful. */
const DISTURBED = 0.1;

const COMPARED: Record<Metric, string> = {
  perSecond: "messages a second",
  perCpuSecond: "messages a second of the server's processor time",
  p99: "p99 latency",
  bytesPerConnection: "bytes a connection",
  cpuPerMessage: "processor time a message",
  cpuPerByte: "processor time a byte",
};

export function header({ date, quick, rounds, machine }: Results): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const gib = Math.round(machine.memory / 2 ** 30);
  return [
    `Benchmark of ${date}${quick ? " (quick: a smoke test, the figures say nothing)" : ""}`,
    `- Machine: ${machine.processor}, ${machine.processors} processors, ${gib} GiB, ${machine.system}`,
    `- Versions: ${versions.join(", ")}`,
    machine.pinning
      ? `- Pinned: server on processor ${machine.pinning.server}, load on ${machine.pinning.load}`
      : `- Not pinned, so expect more noise: ${machine.unpinned}`,
    `- Medians of ${rounds} ${rounds === 1 ? "round" : "rounds"}; in each round every server of a` +
    ` suite runs once, and a ratio is taken within a round`,
  ].join("\n");
}

export function suiteReport(suite: SuiteResult): string {
  const parts = [`## ${suite.title} (${suite.id})`];
  if (suite.rate !== undefined) parts.push(`Rate: ${count(suite.rate)} messages a second.`);
  parts.push(table(serverColumns(suite), suite.cells));
  const failures = suite.cells.flatMap((cell) =>
    cell.failures.map((failure) => `- ${placeName(cell)} failed: ${failure}`)
  );
  if (failures.length > 0) parts.push([...new Set(failures)].join("\n"));
  if (suite.cells.some((cell) => heldUp(suite, cell))) {
    parts.push("*: the load process was the limit; the server can do more than is shown.");
  }
  if (suite.outcomes.length > 0) {
    parts.push(`Compared: ${COMPARED[suite.metric]}.`, table(outcomeColumns(), suite.outcomes));
  }
  return parts.join("\n\n");
}

/** How many goals were met, which were not, and whether the machine was quiet. */
export function summary(results: Results): string {
  const judged = results.suites.flatMap((suite) =>
    suite.outcomes.filter((outcome) => outcome.goal).map((outcome) => ({ suite, outcome }))
  );
  const missed = judged.filter(({ outcome }) => !outcome.met);
  const unmeasured = results.suites.reduce((sum, suite) => sum + suite.unmeasured, 0);
  const lines = [
    "## Goals\n",
    `${judged.length - missed.length} met, ${missed.length} not met, ${unmeasured} not measured ` +
    "because a server failed.",
  ];
  for (const { suite, outcome } of missed) {
    lines.push(
      `- not met: ${suite.id}, ${placeName(outcome.a)} to ${placeName(outcome.b)}: ` +
        `${judgedText(outcome)}, goal ${goalText(outcome.goal!)}`,
    );
  }
  const others = results.suites.flatMap((suite) =>
    suite.cells.flatMap((cell) => cell.runs.flatMap((run) => run?.othersBusy ?? []))
  );
  const disturbed = others.filter((busy) => busy > DISTURBED).length;
  if (disturbed > 0) {
    lines.push(
      `\nOther processes took over ${DISTURBED * 100} % of a processor in ${disturbed} of ` +
        `${others.length} runs: repeat this on a quiet machine before trusting it.`,
    );
  }
  return lines.join("\n");
}

interface Column<T> {
  name: string;
  text: (row: T) => string;
  left?: true;
}

function serverColumns(suite: SuiteResult): Column<Cell>[] {
  const server: Column<Cell> = {
    name: "server",
    text: (cell) => placeName(cell),
    left: true,
  };
  const peak: Column<Cell> = {
    name: "peak memory",
    text: (cell) => show(medianOf(cell, "peakMemory"), (v) => `${count(v / 2 ** 20)} MiB`),
  };
  if (suite.metric === "bytesPerConnection") {
    return [server, {
      name: "bytes a connection",
      text: (cell) => show(medianOf(cell, "bytesPerConnection"), count),
    }, peak];
  }
  const perByte: Column<Cell>[] = suite.metric === "cpuPerByte"
    ? [{
      name: "CPU a byte",
      text: (cell) => show(medianOf(cell, "cpuPerByte"), (v) => `${(v * 1e9).toFixed(3)} ns`),
    }]
    : [];
  return [
    server,
    {
      name: "messages/s",
      text: (cell) =>
        show(medianOf(cell, "perSecond"), (v) => v < 100 ? v.toFixed(1) : count(v)) +
        (heldUp(suite, cell) ? "*" : ""),
    },
    { name: "p50", text: (cell) => show(medianOf(cell, "p50"), duration) },
    { name: "p99", text: (cell) => show(medianOf(cell, "p99"), duration) },
    { name: "CPU a message", text: (cell) => show(medianOf(cell, "cpuPerMessage"), duration) },
    ...perByte,
    { name: "server busy", text: (cell) => show(medianOf(cell, "serverBusy"), percent) },
    ...(suite.cells.some((cell) => medianOf(cell, "engineBusy") !== undefined)
      ? [{
        name: "engine busy",
        text: (cell: Cell) => show(medianOf(cell, "engineBusy"), percent),
      }]
      : []),
    { name: "load busy", text: (cell) => show(medianOf(cell, "loadBusy"), percent) },
    peak,
  ];
}

function outcomeColumns(): Column<Outcome>[] {
  return [
    { name: "A", text: ({ a }) => placeName(a), left: true },
    { name: "B", text: ({ b }) => placeName(b), left: true },
    { name: "A / B", text: (outcome) => ratio(outcome.median) },
    { name: "min", text: (outcome) => ratio(outcome.least) },
    { name: "max", text: (outcome) => ratio(outcome.most) },
    { name: "goal", text: ({ goal }) => goal ? goalText(goal) : "-" },
    {
      name: "met",
      text: (outcome) =>
        outcome.met === undefined ? "-" : (outcome.met ? "yes" : "NO") +
          (outcome.goal!.of === "ratio" ? "" : ` (${judgedText(outcome)})`),
      left: true,
    },
  ];
}

function table<T>(columns: Column<T>[], rows: T[]): string {
  const texts = [columns.map((column) => column.name)];
  for (const row of rows) texts.push(columns.map((column) => column.text(row)));
  const widths = columns.map((_, i) => Math.max(...texts.map((line) => line[i]!.length)));
  const lines = texts.map((line) =>
    `| ${
      line.map((text, i) => columns[i]!.left ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))
        .join(" | ")
    } |`
  );
  const rule = columns.map((column, i) => "-".repeat(widths[i]! + 1) + (column.left ? "-" : ":"));
  return [lines[0], `|${rule.join("|")}|`, ...lines.slice(1)].join("\n");
}

function placeName(place: { point: string; server: string }): string {
  const { label } = serverById(place.server);
  return place.point === "all" ? label : `${label}, ${place.point}`;
}

/** A closed loop in which the load process had no time left and the server had. */
function heldUp(suite: SuiteResult, cell: Cell): boolean {
  if (suite.rate !== undefined) return false;
  const [server, load] = [medianOf(cell, "serverBusy"), medianOf(cell, "loadBusy")];
  const engine = medianOf(cell, "engineBusy") ?? 0;
  return server !== undefined && load !== undefined && server < IDLE_SERVER &&
    load + engine > IDLE_SERVER;
}

function judgedText({ goal, judged }: Outcome): string {
  return goal!.of === "ratio" ? ratio(judged!) : `${count(judged!)} bytes`;
}

function goalText({ of, at, bound }: Goal): string {
  const sign = at === "least" ? ">=" : "<=";
  return of === "ratio" ? `${sign} ${bound}` : `A ${sign} ${count(bound)} bytes`;
}

function show(value: number | undefined, text: (value: number) => string): string {
  return value === undefined ? "-" : text(value);
}

const count = (value: number) => Math.round(value).toLocaleString("en");
const percent = (value: number) => `${Math.round(value * 100)} %`;
const ratio = (value: number) => value.toFixed(value < 10 ? 2 : 1);

function duration(seconds: number): string {
  if (seconds < 1e-6) return `${Math.round(seconds * 1e9)} ns`;
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(seconds < 1e-5 ? 2 : 0)} us`;
  return `${(seconds * 1e3).toFixed(seconds < 1e-2 ? 2 : 0)} ms`;
}
