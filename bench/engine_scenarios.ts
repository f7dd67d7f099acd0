// What is measured with `npm run bench -- engines`: publications from one server to the subscribers of another.

import { engineServers } from "./engine_servers.ts";
import { atLeast, enginesAgainst, type Goal } from "./goals.ts";
import type { Comparison, Extent, Suite } from "./scenarios.ts";

const SUBSCRIBERS = 100;
/** Publications in flight where as many go as there can be. */
const IN_FLIGHT = 128;
/** Publications a second where it is latency that counts. */
const RATE = 500;
/** How often a run is as long as one of an echo. */
const TIMES = { throughput: 2, latency: 4 };

export function engineSuites({ warmup, seconds }: Extent): Suite[] {
  const message = {
    kind: "engine" as const,
    connections: SUBSCRIBERS,
    bytes: 128,
    type: "text" as const,
    deflate: false,
    warmup,
  };
  const what = `of 128 B text to ${SUBSCRIBERS} subscribers of another server`;
  const throughput = [1, 16].map((perTurn): Suite => ({
    id: `engines-${perTurn}`,
    title: `Publications ${what}, ${perTurn} a turn, ${IN_FLIGHT} in flight ` +
      "(a message: one publication, which all have)",
    metric: "perSecond",
    points: [{
      id: "all",
      load: { ...message, seconds: seconds * TIMES.throughput, perTurn, inFlight: IN_FLIGHT },
    }],
    comparisons: comparisons((history) => {
      if (!history) return atLeast(enginesAgainst.live);
      return atLeast(perTurn === 1 ? enginesAgainst.history : enginesAgainst.historyInBatches);
    }),
  }));
  return [...throughput, {
    id: "engines-latency",
    title: `Latency of ${RATE} publications a second ${what} (a message: one publication)`,
    metric: "p99",
    points: [{
      id: "all",
      load: {
        ...message,
        seconds: seconds * TIMES.latency,
        perTurn: 1,
        inFlight: 0,
        rate: RATE,
      },
    }],
    comparisons: comparisons(() => undefined),
  }];
}

/**
 * Each of ours against those on its runtime, and on Node; the goal is against crossws. What is done by hand is
 * compared over the same engine only.
 */
function comparisons(goalOf: (history: boolean) => Goal | undefined): Comparison[] {
  const peers = engineServers.filter(({ ours }) => !ours);
  return engineServers.filter(({ ours }) => ours).flatMap(({ id, runtime, broker }) =>
    peers.filter((peer) => {
      if (peer.id.startsWith("bun_serve") && peer.broker !== broker) return false;
      return peer.runtime === runtime || peer.runtime === "node";
    }).map((peer): Comparison => ({
      a: { point: "all", server: id },
      b: { point: "all", server: peer.id },
      goal: peer.id === `crossws_${runtime}_redis` ? goalOf(id.endsWith("_history")) : undefined,
    }))
  );
}
