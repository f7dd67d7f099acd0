/**
 * Runs test files under one of the runtimes, each file in a process of its own: a crash or a hang
 * costs that file only, and no file sees what another left in the globals.
 *
 * @module
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import process from "node:process";
import { run } from "./command.ts";
import { parseJunit } from "./junit.ts";
import { NOTES_VARIABLE, readNotes } from "./notes.ts";
import { OUTPUT } from "./output.ts";
import { addReports, type Report, reportTests } from "./report.ts";
import { type Binding, FLAG_VARIABLES } from "./std.ts";

/** The programs that run tests. */
export type Runtime = "deno" | "bun" | "node";

const FILE_SECONDS = 600;
/** Bun gives a test 5 s unless told; the file's own limit is the one that counts. */
const BUN_TEST_SECONDS = 300;

/** Which files to run, where, and for how long at most. */
export interface SuiteOptions {
  runtime: Runtime;
  files: string[];
  std: Binding;
  /** Seconds for all files together. */
  timeout: number;
  /** Takes a line for each file, and what a file that failed has printed. */
  print(line: string): void;
}

/** Runs the files, two at a time since they wait more than they compute, with a line for each. */
export async function runSuite(options: SuiteOptions): Promise<Report> {
  const { files, timeout } = options;
  const deadline = performance.now() + timeout * 1000;
  const reports: Report[] = [];
  const queue = files.values();
  const worker = async () => {
    for (const file of queue) {
      const left = Math.round((deadline - performance.now()) / 1000);
      const report = left > 0
        ? await runFile(file, Math.min(left, FILE_SECONDS), options)
        : { passed: 0, failures: [`not run: the step's ${timeout} s are over`], skips: [] };
      reports.push({
        passed: report.passed,
        failures: report.failures.map((line) => `${file}: ${line}`),
        skips: report.skips.map((line) => `${file}: ${line}`),
      });
    }
  };
  await Promise.all([worker(), worker()]);
  if (files.length === 0) reports.push({ passed: 0, failures: ["no test files"], skips: [] });
  return addReports(reports);
}

async function runFile(
  file: string,
  timeout: number,
  { runtime, std, print }: SuiteOptions,
): Promise<Report> {
  const output = `${OUTPUT}/${runtime}`;
  mkdirSync(output, { recursive: true });
  const base = `${output}/${file.replaceAll("/", "_")}`;
  const junit = `${base}.xml`;
  const notes = `${base}.notes`;
  for (const stale of [junit, notes]) rmSync(stale, { force: true });

  const command = COMMANDS[runtime](file, junit, std);
  const env = {
    NO_COLOR: "1",
    [NOTES_VARIABLE]: notes,
    [FLAG_VARIABLES.deno]: std.denoFlag,
    [FLAG_VARIABLES.bun]: std.bunFlag,
    [FLAG_VARIABLES.node]: std.nodeFlag,
  };
  const outcome = await run(command, { timeout, env });
  const report = reportTests({
    outcome,
    timeout,
    tests: existsSync(junit)
      ? parseJunit(readFileSync(junit, "utf8"), runtime !== "node")
      : undefined,
    notes: readNotes(notes),
  });

  const { passed, failures, skips } = report;
  const seconds = outcome.seconds.toFixed(1);
  print(`${file}: ${formatCounts(passed, failures.length, skips.length)} (${seconds} s)`);
  if (failures.length > 0) print(outcome.output.trimEnd());
  return report;
}

function denoTest(file: string, junit: string, std: Binding): string[] {
  return [
    process.execPath,
    "test",
    "--allow-all",
    // The check step has checked them all.
    "--no-check",
    std.denoFlag,
    "--preload=tests/tools/deno_preload.ts",
    `--junit-path=${junit}`,
    file,
  ];
}

function bunTest(file: string, junit: string, std: Binding): string[] {
  return [
    "node_modules/.bin/bun",
    "--config=bun/bunfig.toml",
    "test",
    std.bunFlag,
    `--timeout=${BUN_TEST_SECONDS * 1000}`,
    "--reporter=junit",
    `--reporter-outfile=${junit}`,
    // Without the dot it would be a pattern.
    `./${file}`,
  ];
}

/** Under Node, whose types are stripped, a test file is a program of its own. */
function nodeTest(file: string, junit: string, std: Binding): string[] {
  return [
    "node_modules/.bin/node",
    "--disable-warning=ExperimentalWarning",
    std.nodeFlag,
    // As the other runtimes do: what a failed test leaves open must not cost a minute.
    "--test-force-exit",
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    "--test-reporter=junit",
    `--test-reporter-destination=${junit}`,
    file,
  ];
}

const COMMANDS = { deno: denoTest, bun: bunTest, node: nodeTest };

/** "N passed, N failed", and ", N skipped" where any is. */
export function formatCounts(passed: number, failed: number, skipped: number): string {
  return `${passed} passed, ${failed} failed` + (skipped > 0 ? `, ${skipped} skipped` : "");
}

/** The files below a folder whose names end so, sorted. */
export function findFiles(folder: string, ending: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name}`)
    .filter((name) => name.endsWith(ending))
    .sort();
}
