import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Expectation } from "./expectations.ts";

/** What the suite says about one case: how the server behaved, and how it then closed. */
export interface Result {
  behavior: string;
  behaviorClose: string;
}

/** One case judged: `better` and `expected` pass although the table had foreseen a blemish. */
export interface Verdict {
  id: string;
  result: Result | undefined;
  outcome: "passed" | "expected" | "better" | "failed";
}

/** Reads the suite's index of results; without one, no case has a result. */
export function readResults(folder: string, agent: string): Map<string, Result> {
  const index = join(folder, "index.json");
  if (!existsSync(index)) return new Map();
  return new Map(Object.entries<Result>(JSON.parse(readFileSync(index, "utf8"))[agent] ?? {}));
}

// The suite's words from good to bad. INFORMATIONAL is as good as OK: the RFC leaves it open.
const RANKS: Record<string, number> = { "OK": 0, "INFORMATIONAL": 0, "NON-STRICT": 1 };
const WORST = 2;
const rank = (word: string): number => RANKS[word] ?? WORST;

const notWorse = (result: Result, than: Result): boolean =>
  (result.behavior === than.behavior || rank(result.behavior) < rank(than.behavior)) &&
  (result.behaviorClose === than.behaviorClose ||
    rank(result.behaviorClose) < rank(than.behaviorClose));

/** Compares what came out with what may: a case without a result has failed. */
export function judge(
  cases: string[],
  results: Map<string, Result>,
  expectations: Expectation,
): Verdict[] {
  return cases.map((id) => {
    const result = results.get(id);
    if (!result) return { id, result, outcome: "failed" };
    const clean = rank(result.behavior) === 0 && rank(result.behaviorClose) === 0;
    const expectation = expectations[id];
    if (!expectation) return { id, result, outcome: clean ? "passed" : "failed" };
    if (clean) return { id, result, outcome: "better" };
    return { id, result, outcome: notWorse(result, expectation) ? "expected" : "failed" };
  });
}

const NOTES: Record<Verdict["outcome"], string> = {
  passed: "",
  expected: "expected of this engine",
  better: "better than expected",
  failed: "FAILS THE RUN",
};

/** A line for each case that is not plainly OK, or is no longer as bad as expected. */
export function listBlemishes(verdicts: Verdict[]): string[] {
  return verdicts
    .filter(({ result, outcome }) =>
      outcome !== "passed" || result?.behavior !== "OK" || result.behaviorClose !== "OK"
    )
    .map(({ id, result, outcome }) => {
      const words = result
        ? `${result.behavior.padEnd(14)} close ${result.behaviorClose.padEnd(16)}`
        : "no result".padEnd(37);
      return `  ${id.padEnd(8)} ${words} ${NOTES[outcome]}`.trimEnd();
    });
}

/** One transport's run, for the table. */
export interface Row {
  name: string;
  verdicts: Verdict[];
  seconds: number;
}

// UNIMPLEMENTED is the suite's word for a compression offer that the server did not take up.
const COLUMNS: Record<string, (result: Result) => boolean> = {
  "OK": ({ behavior }) => behavior === "OK",
  "non-strict": ({ behavior }) => behavior === "NON-STRICT",
  "informational": ({ behavior }) => behavior === "INFORMATIONAL",
  "declined": ({ behavior }) => behavior === "UNIMPLEMENTED",
  "failed": ({ behavior }) => behavior !== "UNIMPLEMENTED" && rank(behavior) === WORST,
  "unclean": ({ behaviorClose }) => rank(behaviorClose) > 0,
};

/** The table of all runs. A case is counted once by its behavior, and again if it closed unclean. */
export function table(rows: Row[]): string {
  const header = ["transport", "cases", "found", ...Object.keys(COLUMNS), "seconds"];
  const cells = [
    header,
    ...rows.map(({ name, verdicts, seconds }) => {
      const found = verdicts.flatMap(({ result }) => result ? [result] : []);
      const counts = Object.values(COLUMNS).map((column) => found.filter(column).length);
      return [name, ...[verdicts.length, found.length, ...counts].map(String), seconds.toFixed(1)];
    }),
  ];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells
    .map((row) =>
      row.map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])
      ).join("  ")
    )
    .join("\n");
}
