/**
 * What a step of the test command found.
 *
 * @module
 */

import type { Outcome } from "./command.ts";
import { groupsOf, type TestResult } from "./junit.ts";
import type { Note } from "./notes.ts";

/** The counts of a step, with what has to be said about those that did not pass. */
export interface Report {
  passed: number;
  failures: string[];
  skips: string[];
}

/** The report of a step that is one check. */
export function reportCheck(outcome: Outcome, timeout: number): Report {
  const failure = whyFailed(outcome, timeout);
  return failure === undefined
    ? { passed: 1, failures: [], skips: [] }
    : { passed: 0, failures: [failure], skips: [] };
}

/** What a test process left behind. */
export interface TestRun {
  outcome: Outcome;
  /** Seconds it was given. */
  timeout: number;
  /** Undefined when it wrote no report. */
  tests: TestResult[] | undefined;
  notes: Note[];
}

/** Counts the tests of one process; every way to end without a verdict is a failure. */
export function reportTests({ outcome, timeout, tests, notes }: TestRun): Report {
  const report: Report = { passed: 0, failures: [], skips: [] };
  const reasons = new SkipReasons(notes);
  const addSkip = (name: string, reason: string | undefined) => {
    if (reason) report.skips.push(`${name}: ${reason}`);
    else report.failures.push(`${name}: skipped without a reason; give one: { skip: "why" }`);
  };

  for (const { name, status, detail } of tests ?? []) {
    const reason = reasons.take(name, status);
    if (status === "failed") report.failures.push(`${name}: ${firstLine(detail)}`);
    else if (status === "skipped" || reason !== undefined) addSkip(name, reason);
    else report.passed++;
  }
  for (const { name, reason } of reasons.unreported()) addSkip(name, reason);

  for (const stray of strays(outcome, notes)) {
    const known = tests?.some(({ detail }) => detail.includes(stray));
    if (!known) report.failures.push(`an error that no test caught: ${stray}`);
  }

  const ending = whyFailed(outcome, timeout) ?? (tests ? undefined : "ended without a report");
  if (ending !== undefined && (outcome.timedOut || report.failures.length === 0)) {
    report.failures.push(ending);
  }
  if (report.passed + report.failures.length + report.skips.length === 0) {
    report.failures.push("no tests were found");
  }
  return report;
}

/** Adds up the reports of several processes. */
export function addReports(reports: Report[]): Report {
  return {
    passed: reports.reduce((sum, { passed }) => sum + passed, 0),
    failures: reports.flatMap(({ failures }) => failures),
    skips: reports.flatMap(({ skips }) => skips),
  };
}

function whyFailed({ code, timedOut }: Outcome, timeout: number): string | undefined {
  if (timedOut) return `not done after ${timeout} s, and killed`;
  if (code === 0) return undefined;
  return code === null ? "ended by a signal" : `ended with exit code ${code}`;
}

type SkipNote = Note & { kind: "skip" };

/** Finds for each test of a report the note that says why it was skipped. */
class SkipReasons {
  #own: SkipNote[];
  #groups = new Set<SkipNote>();

  constructor(notes: Note[]) {
    this.#own = notes.filter((note) => note.kind === "skip");
  }

  /** The reason noted for this test or for a group round it; a test's own note serves once. */
  take(test: string, status: TestResult["status"]): string | undefined {
    // A test can pass in the report and yet have skipped itself; it cannot have been left out.
    const candidates = this.#own.filter(({ begun }) => begun || status === "skipped");
    const own = candidates.find(({ name }) => isNamed(test, name));
    if (own !== undefined) {
      this.#own.splice(this.#own.indexOf(own), 1);
      return own.reason;
    }
    const groups = groupsOf(test);
    const group = candidates.find(({ name, begun }) =>
      !begun && groups.some((group) => isNamed(group, name))
    );
    if (group !== undefined) this.#groups.add(group);
    return group?.reason;
  }

  /** The notes of what the report leaves out: Bun says nothing of a group that is skipped. */
  unreported(): SkipNote[] {
    return this.#own.filter((note) => !this.#groups.has(note));
  }
}

function isNamed(path: string, name: string): boolean {
  return path === name || path.endsWith(` > ${name}`);
}

/** The first lines of the errors outside of tests: Deno's from the notes, Bun's from its output. */
function strays({ output }: Outcome, notes: Note[]): string[] {
  const noted = notes.flatMap((note) => note.kind === "stray" ? [firstLine(note.message)] : []);
  const count = Number(output.match(/^ *(\d+) errors?$/m)?.[1] ?? 0);
  const printed = output.split("# Unhandled error between tests").slice(1);
  const lines = Array.from({ length: count }, (_, index) => {
    return printed[index]?.match(/^\w*error: .*$/im)?.[0] ?? "see the output above";
  });
  return [...noted, ...lines];
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0];
}
