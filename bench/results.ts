// What a benchmark run leaves: figures of each run of each server, and the comparisons drawn from them.

import type { Goal } from "./goals.ts";
import type { Figures } from "./job.ts";
import type { Machine } from "./machine.ts";
import type { Comparison, Metric, Place, Suite } from "./scenarios.ts";

/** All runs of one server under one load; `undefined` in the place of a run that failed. */
export interface Cell extends Place {
  runs: (Figures | undefined)[];
  /** Why runs failed. */
  failures: string[];
}

export interface Outcome {
  a: Place;
  b: Place;
  goal?: Goal;
  /** Of A's figure divided by B's, one of each round. */
  median: number;
  least: number;
  most: number;
  /** What the goal's bound is held against: the median of ratio or value. */
  judged?: number;
  met?: boolean;
}

export interface SuiteResult {
  id: string;
  title: string;
  metric: Metric;
  /** Messages a second of a paced load. */
  rate?: number;
  cells: Cell[];
  outcomes: Outcome[];
  /** Comparisons with a goal of which one side has no figures. */
  unmeasured: number;
}

export interface Results {
  date: string;
  quick: boolean;
  rounds: number;
  machine: Machine;
  suites: SuiteResult[];
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The median of one figure over a cell's runs; undefined where no run has it. */
export function medianOf(cell: Cell | undefined, figure: keyof Figures): number | undefined {
  const values = (cell?.runs ?? []).flatMap((run) => run?.[figure] ?? []);
  return values.length > 0 ? median(values) : undefined;
}

export function findCell(cells: Cell[], { point, server }: Place): Cell | undefined {
  return cells.find((cell) => cell.point === point && cell.server === server);
}

/** Draws each comparison for which both sides have figures. */
export function compare(suite: Suite, cells: Cell[]): Outcome[] {
  return suite.comparisons.flatMap((comparison) => outcome(comparison, suite.metric, cells) ?? []);
}

function outcome(comparison: Comparison, metric: Metric, cells: Cell[]): Outcome | undefined {
  const { a, b, goal } = comparison;
  const [as, bs] = [a, b].map((place) =>
    findCell(cells, place)?.runs.map((run) => run?.[metric]) ?? []
  ) as [(number | undefined)[], (number | undefined)[]];
  // Run i of A and run i of B were made in the same round, one shortly after the other.
  const pairs = as.flatMap((x, i): [number, number][] => {
    const y = bs[i];
    return x === undefined || y === undefined ? [] : [[x, y]];
  });
  if (pairs.length === 0) return undefined;
  const ratios = pairs.map(([x, y]) => x / y);
  const found: Outcome = {
    ...comparison,
    median: median(ratios),
    least: Math.min(...ratios),
    most: Math.max(...ratios),
  };
  if (goal) {
    const judged = goal.of === "ratio" ? found.median : median(pairs.map(([x]) => x));
    found.judged = judged;
    found.met = goal.at === "least" ? judged >= goal.bound : judged <= goal.bound;
  }
  return found;
}
