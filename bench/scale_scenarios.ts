// How one machine scales: from ten to ten thousand busy connections, and from one process to several.

import type { Comparison, Point, Suite } from "./scenarios.ts";

type Message = Pick<Point["load"], "bytes" | "type" | "deflate" | "warmup" | "seconds">;

const SERVERS = ["deno_tcp", "bun_tcp", "deno_http", "bun_http", "deno_serve", "bun_serve"];
/** Deno.serve cannot share its port with other processes. */
const SHARING = ["deno_tcp", "bun_tcp", "bun_http"];

/**
 * Makes the suites.
 *
 * @param message What is echoed.
 * @param most The most connections.
 * @returns The suites.
 */
export function scale(message: Message, most: number): Suite[] {
  const counts = [10, 100, 1_000, 10_000].filter((count) => count <= most);
  const connections = counts.map((count): Point => ({
    id: `${count.toLocaleString("en")} connections`,
    load: { ...message, kind: "echo", connections: count, inFlight: 1, rotate: false },
  }));
  const processes = [1, 2, 4].map((count): Point => ({
    id: `${count} ${count === 1 ? "process" : "processes"}`,
    load: {
      ...message,
      kind: "echo",
      connections: Math.min(1_000, most),
      inFlight: 1,
      rotate: false,
      processes: count,
    },
  }));
  return [{
    id: "scale-connections",
    title: "Echo of 64 B as busy connections grow, 1 in flight on each",
    metric: "cpuPerMessage",
    points: connections,
    comparisons: lastToFirst(connections, SERVERS),
  }, {
    id: "scale-processes",
    title: `Echo of 64 B, ${processes[0]!.load.connections.toLocaleString("en")} connections, ` +
      "1 in flight on each, as processes on one port and one processor grow",
    metric: "cpuPerMessage",
    points: processes,
    comparisons: lastToFirst(processes, SHARING),
  }];
}

/** Each server against itself. */
function lastToFirst(points: Point[], servers: string[]): Comparison[] {
  const [first, last] = [points[0]!.id, points.at(-1)!.id];
  return servers.map((server) => ({
    a: { point: last, server },
    b: { point: first, server },
  }));
}
