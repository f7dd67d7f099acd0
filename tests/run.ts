/**
 * The one test command: every check of the project, and its suite under both runtimes.
 *
 *     npm test                                            everything
 *     npm test -- --list                                  the names of the steps
 *     npm test -- --only lint,bun                         some steps
 *     npm test -- tests/std/assert_test.ts                some test files
 *     npm test -- --only deno tests/std/assert_test.ts    the same, under Deno only
 *
 * Every step runs, whatever became of the others. The last line counts them all.
 *
 * @module
 */

import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { normalize } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { killAll, run } from "./tools/command.ts";
import { parseJunit } from "./tools/junit.ts";
import { OUTPUT, removeOutput } from "./tools/output.ts";
import { addReports, type Report, reportCheck, reportTests } from "./tools/report.ts";
import { type Binding, bindStd } from "./tools/std.ts";
import { findFiles, formatCounts, runSuite, type Runtime } from "./tools/suite.ts";

/** Lines to print, and what was found. */
interface Result extends Report {
  output: string;
}

interface Step {
  name: string;
  title: string;
  /** Whether it needs `@std/assert` and `@std/http`. */
  std: boolean;
  /** The checks run first, as they are quick; the suites follow. */
  kind: "check" | "suite";
  run(context: Context, print: Print): Promise<Result>;
}

/** Takes a line of what a step says while it runs. */
type Print = (line: string) => void;

interface Context {
  std: Binding | undefined;
  files: string[];
}

/** These end what hangs; a busy machine takes ten times as long as an idle one. */
const CHECK_SECONDS = 1200;
const SUITE_SECONDS = 1800;
/** Steps of a kind that run at the same time. */
const CONCURRENCY = { check: 2, suite: 2 };
const ENTRY_POINTS = [
  "mod.ts",
  "src/protocol/mod.ts",
  "src/redis/mod.ts",
  "src/centrifuge/mod.ts",
  "src/nats/mod.ts",
  "src/testing/mod.ts",
  "bun/mod.ts",
  "client/mod.ts",
];
const TYPED = [
  "mod.ts",
  "bun/mod.ts",
  "client/mod.ts",
  "src",
  "examples",
  "npm/pack.ts",
  "npm/check.ts",
];
const DOCUMENTED = ["mod.ts", "bun/mod.ts", "client/mod.ts", "src", "README.md", "docs"];

const STEPS: Step[] = [
  check("fmt", ["deno", "fmt", "--check"]),
  check("lint", ["deno", "lint"]),
  check("check", ["deno", "check", ...TYPED], { std: true, more: moreFilesOfDeno }),
  check("tsc", ["tsc", "--noEmit", "--project", "bun/tsconfig.json"]),
  check("strict", ["tsc", "--build", "tests/types/strict/tsconfig.json"]),
  check("tsc-bench", ["tsc", "--noEmit", "--project", "bench/tsconfig.json"]),
  check("doclint", ["deno", "doc", "--lint", ...ENTRY_POINTS]),
  check("pack", ["deno", "run", "-A", "npm/check.ts"]),
  check("publish", ["deno", "publish", "--dry-run", "--allow-dirty", "--config=jsr.json"]),
  {
    name: "doctest",
    title: "deno test --doc: the examples in the documentation",
    std: true,
    kind: "suite",
    run: testDocumentation,
  },
  suite("deno", "the suite under Deno", "deno", (file) => !isBrowserTest(file)),
  suite("bun", "the suite under Bun", "bun", (file) => !isBrowserTest(file)),
  suite("node", "what depends on the runtime, under Node", "node", dependsOnRuntime),
  suite("browser", "a real browser as the client, driven from Deno", "deno", isBrowserTest),
];

interface CheckOptions {
  std?: boolean;
  /** More arguments, too many for the title. */
  more?: () => string[];
}

/** A step that is one command, and passes when that exits with 0. */
function check(
  name: string,
  command: string[],
  { std = false, more = () => [] }: CheckOptions = {},
): Step {
  const runCheck = async (context: Context): Promise<Result> => {
    const [program, subcommand, ...rest] = command;
    const outcome = await run([
      programPath(program),
      subcommand,
      ...denoFlags(std, context),
      ...rest,
      ...more(),
    ], { timeout: CHECK_SECONDS, env: { NO_COLOR: "1" } });
    return { ...reportCheck(outcome, CHECK_SECONDS), output: outcome.output };
  };
  return { name, title: command.join(" "), std, kind: "check", run: runCheck };
}

/** The rest of bench/ and tests/ is Bun's: Bun's types clash with Deno's, so tsc checks those. */
function moreFilesOfDeno(): string[] {
  const ofBun = /^bench\/(load\.ts|load\/|servers\/(?:engines\/)?(?:crossws_)?bun)|\.bun\.ts$/;
  const excluded = /^tests\/(\.output|autobahn\/(reports|venv)|centrifuge\/venv)\//;
  return [...findFiles("bench", ".ts"), ...findFiles("tests", ".ts")]
    .filter((file) => !ofBun.test(file) && !excluded.test(file));
}

/** A step that runs those of the test files that `isPart` picks. */
function suite(
  name: string,
  title: string,
  runtime: Runtime,
  isPart: (file: string) => boolean,
): Step {
  const runFiles = async ({ std, files }: Context, print: Print): Promise<Result> => {
    const report = await runSuite({
      runtime,
      print,
      files: (files.length > 0 ? files : findFiles("tests", "_test.ts")).filter(isPart),
      std: bound(std),
      timeout: SUITE_SECONDS,
    });
    return { ...report, output: "" };
  };
  return { name, title, std: true, kind: "suite", run: runFiles };
}

/** Type-checks and runs the TypeScript of the doc comments and of the Markdown. */
async function testDocumentation(context: Context): Promise<Result> {
  mkdirSync(OUTPUT, { recursive: true });
  const junit = `${OUTPUT}/doctest.xml`;
  rmSync(junit, { force: true });
  const outcome = await run([
    process.execPath,
    "test",
    "--doc",
    "--allow-all",
    // deno.json refuses unused imports, and Deno gives every example imports that it may not use.
    "--no-config",
    `--junit-path=${junit}`,
    ...denoFlags(true, context),
    ...DOCUMENTED,
  ], { timeout: CHECK_SECONDS, env: { NO_COLOR: "1" } });
  const report = reportTests({
    outcome,
    timeout: CHECK_SECONDS,
    tests: existsSync(junit) ? parseJunit(readFileSync(junit, "utf8")) : undefined,
    notes: [],
  });
  // The examples check themselves with console.assert, which prints and goes on.
  report.failures.push(...outcome.output.match(/^Assertion failed.*/gm) ?? []);
  return { ...report, output: outcome.output };
}

/** What is other code under Node; of topics, engines and examples those parts that touch it. */
const OF_NODE = new RegExp(`^tests/(?:${
  [
    "(?:client|connection|integration|reference|server|transport)/",
    "attacks/slow_handler",
    "redis/redis_engine",
    "topics/(?:connections|interrupted|memory_engine|server|servers|slow)",
  ].join("|")
})`);
/** What the engines and commands of the others are for, and routes: Node has URLPattern from version 24 on. */
const OF_OTHERS =
  /^tests\/(?:transport\/http\/(?:mount|request_url|shared_engine)|integration\/(?:reload|routes))_test/;

function dependsOnRuntime(file: string): boolean {
  return OF_NODE.test(file) && !OF_OTHERS.test(file);
}

function isBrowserTest(file: string): boolean {
  return file.startsWith("tests/browser/");
}

function programPath(program: string): string {
  return program === "deno" ? process.execPath : `node_modules/.bin/${program}`;
}

function denoFlags(std: boolean, context: Context): string[] {
  return std ? [bound(context.std).denoFlag] : [];
}

function bound(std: Binding | undefined): Binding {
  if (std === undefined) throw new Error("A step that needs @std does not say so: set its std");
  return std;
}

/** Runs the steps and prints each as soon as those before it are printed. */
async function runSteps(steps: Step[], context: Context): Promise<Map<Step, Report>> {
  const underWay = new Map(steps.map((step) => [step, new UnderWay()]));
  const runAll = async (kind: Step["kind"]) => {
    const queue = steps.filter((step) => step.kind === kind).values();
    const worker = async () => {
      for (const step of queue) await underWay.get(step)!.run(step, context);
    };
    await Promise.all(Array.from({ length: CONCURRENCY[kind] }, worker));
  };
  const ended = runAll("check").then(() => runAll("suite"));

  const reports = new Map<Step, Report>();
  for (const [step, { shown, result }] of underWay) {
    console.log(`\n== ${step.name}: ${step.title}`);
    shown();
    const { seconds, ...report } = await result;
    const { passed, failures, skips, output } = report;
    if (failures.length > 0 && output !== "") console.log(output.trimEnd());
    for (const line of failures) console.log(`failed: ${line}`);
    console.log(
      `${formatCounts(passed, failures.length, skips.length)} (${seconds.toFixed(1)} s)`,
    );
    reports.set(step, report);
  }
  await ended;
  return reports;
}

/** A step that runs, or waits to; what it prints is kept until it is shown. */
class UnderWay {
  #kept: string[] | undefined = [];
  #resolve!: (result: Result & { seconds: number }) => void;
  readonly result = new Promise<Result & { seconds: number }>((resolve) => this.#resolve = resolve);

  /** From here on its lines are printed as they come, after those that were kept. */
  readonly shown = (): void => {
    for (const line of this.#kept ?? []) console.log(line);
    this.#kept = undefined;
  };

  async run(step: Step, context: Context): Promise<void> {
    const started = performance.now();
    const print = (line: string) =>
      this.#kept === undefined ? console.log(line) : this.#kept.push(line);
    const result = await step.run(context, print).catch(broken);
    this.#resolve({ ...result, seconds: (performance.now() - started) / 1000 });
  }
}

/** A step that could not even be run has failed; the others still have their turn. */
function broken(error: Error): Result {
  return { passed: 0, failures: [error.message], skips: [], output: error.stack ?? "" };
}

function printSummary(reports: Map<Step, Report>): void {
  console.log("\n== summary");
  for (const [{ name }, { passed, failures, skips }] of reports) {
    console.log(`${name.padEnd(10)}${formatCounts(passed, failures.length, skips.length)}`);
  }
  printLines(reports, "skipped", (report) => report.skips);
  printLines(reports, "failed", (report) => report.failures);
}

function printLines(
  reports: Map<Step, Report>,
  heading: string,
  select: (report: Report) => string[],
): void {
  const lines = [...reports].flatMap(([{ name }, report]) =>
    select(report).map((line) => `${name}: ${line}`)
  );
  if (lines.length > 0) console.log(`\n== ${heading}\n${lines.join("\n")}`);
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}

function chooseSteps(only: string | undefined, files: string[]): Step[] {
  if (only === undefined && files.length > 0) {
    const names = files.flatMap((file) =>
      isBrowserTest(file) ? ["browser"] : ["deno", "bun", ...dependsOnRuntime(file) ? ["node"] : []]
    );
    return STEPS.filter(({ name }) => names.includes(name));
  }
  if (only === undefined) return STEPS;
  const names = only.split(",");
  const unknown = names.filter((name) => !STEPS.some((step) => step.name === name));
  if (unknown.length > 0) {
    const known = STEPS.map(({ name }) => name).join(", ");
    fail(`There is no step ${unknown.join(", ")}. The steps are: ${known}`);
  }
  return STEPS.filter(({ name }) => names.includes(name));
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { only: { type: "string" }, list: { type: "boolean", default: false } },
    });
  } catch (error) {
    fail(`${(error as Error).message}\nUsage: npm test -- [--list] [--only STEP,...] [FILE...]`);
  }
}

const { values, positionals } = readArguments();
if (values.list) {
  for (const { name, title } of STEPS) console.log(`${name.padEnd(10)}${title}`);
  process.exit(0);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    killAll();
    process.exit(130);
  });
}

process.on("exit", removeOutput);

const files = positionals.map((file) => normalize(file));
const missing = files.filter((file) => !existsSync(file));
if (missing.length > 0) fail(`There is no test file ${missing.join(", ")}`);
const steps = chooseSteps(values.only, files);
const std = steps.some((step) => step.std) ? await bindStd() : undefined;
if (std !== undefined) console.log(std.summary);

const reports = await runSteps(steps, { std, files });
printSummary(reports);
const { passed, failures, skips } = addReports([...reports.values()]);
console.log(`\n${formatCounts(passed, failures.length, skips.length)}`);
process.exit(failures.length === 0 && passed > 0 ? 0 : 1);
