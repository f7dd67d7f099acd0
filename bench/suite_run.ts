// Runs one suite: round after round, in each every server once, in an order that turns from round to round.

import type { Children } from "./child.ts";
import { measureWithEngine } from "./engine_run.ts";
import type { Figures, Job } from "./job.ts";
import { type Cell, compare, findCell, type SuiteResult } from "./results.ts";
import type { Load, Suite } from "./scenarios.ts";
import { serverById, servers } from "./servers.ts";

/** Room for a message in a server's limit, and the limit that most have by default. */
const DEFAULT_MAX_SIZE = 16 << 20;

export async function runSuite(
  suite: Suite,
  rounds: number,
  children: Children,
): Promise<SuiteResult> {
  const wanted = new Set(suite.comparisons.flatMap(({ a, b }) => [a.server, b.server]));
  const ids = servers.map(({ id }) => id).filter((id) => wanted.has(id));
  const points = suite.halfOfPeak ? await atHalfOfPeak(suite, ids, children) : suite.points;
  const cells: Cell[] = ids.flatMap((server) =>
    points.map(({ id }) => ({ point: id, server, runs: [], failures: [] }))
  );
  for (let round = 0; round < rounds; round++) {
    const turned = [...ids.slice(round % ids.length), ...ids.slice(0, round % ids.length)];
    for (const server of turned) {
      for (const { id, load } of points) {
        const cell = findCell(cells, { point: id, server })!;
        try {
          cell.runs.push(await measure(server, load, children));
        } catch (error) {
          cell.runs.push(undefined);
          cell.failures.push(reason(error));
        }
      }
    }
  }
  const paced = points[0]!.load;
  const outcomes = compare(suite, cells);
  const withGoal = (list: { goal?: unknown }[]) => list.filter(({ goal }) => goal).length;
  return {
    id: suite.id,
    title: suite.title,
    metric: suite.metric,
    rate: paced.kind === "paced" || paced.kind === "engine" ? paced.rate : undefined,
    cells,
    outcomes,
    unmeasured: withGoal(suite.comparisons) - withGoal(outcomes),
  };
}

/** One line of what went wrong; the rest would be a stack. */
function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split(/\s*\n\s*/).slice(0, 2).join(" ");
}

async function measure(id: string, load: Load, children: Children): Promise<Figures> {
  const entry = serverById(id);
  if (load.kind === "engine") return await measureWithEngine(entry, load, children);
  const server = await children.startServer(entry, {
    broadcast: load.kind === "broadcast",
    topics: load.kind === "rooms" ? load.topics : undefined,
    deflate: load.deflate,
    processes: load.kind === "echo" ? load.processes : undefined,
    maxSize: Math.max(DEFAULT_MAX_SIZE, 2 * load.bytes),
  });
  try {
    const { port, pid } = server;
    return await children.load({ ...load, port, pid, protocol: entry.protocol } as Job);
  } finally {
    await server.stop();
  }
}

/** All servers get the same rate, so that the faster ones gain nothing by a harder load of their own. */
async function atHalfOfPeak(
  suite: Suite,
  ids: string[],
  children: Children,
): Promise<Suite["points"]> {
  let lowest = Infinity;
  for (const id of ids) {
    const { load } = suite.points[0]!;
    const closed: Load = { ...load, kind: "echo", inFlight: 1, rotate: false };
    try {
      lowest = Math.min(lowest, (await measure(id, closed, children)).perSecond ?? Infinity);
    } catch {
      // The same failure meets the measured rounds, which report it.
    }
  }
  const rate = Number.isFinite(lowest) ? Math.floor(lowest / 2) : 1;
  return suite.points.map((point) => ({
    ...point,
    load: point.load.kind === "paced" ? { ...point.load, rate } : point.load,
  }));
}
