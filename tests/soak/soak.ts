import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../fuzz/random.ts";
import { ServerProcess } from "../support/server_process.ts";
import type { Target } from "../support/targets.ts";
import { type Counts, readCounts } from "./counts.ts";
import { type Figures, PEERS, type Run } from "./peers.ts";

/** How often all churning clients leave and come back at once, in seconds. */
const STORM_SECONDS = 5;
/** A server that closes and opens this many connections has its ups and downs. */
const MEMORY_MARGIN = 64 * 1024 * 1024;
/** How long the last connections may take to be noticed as gone; Deno's engine looks seldom. */
const SETTLE_SECONDS = 30;

/** What to soak, how much and for how long. */
export interface SoakOptions {
  target: Target;
  connections: number;
  seconds: number;
  seed: number;
}

/** What came of it. */
export interface SoakReport {
  readonly counts: Counts;
  readonly figures: Figures;
  /** Milliseconds. */
  readonly median: number;
  readonly p99: number;
  /** The server's memory after the warm-up and at the end, in bytes; 0 where the system does not tell. */
  readonly memory: readonly [warm: number, end: number];
  readonly failures: string[];
}

/** Has a server live through all that clients and networks do, and checks that nothing is lost. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { target: { runtime, transport }, seconds, seed } = options;
  const script = "tests/soak/server.ts";
  await using server = await ServerProcess.start({ runtime, transport, script });
  const figures: Figures = { connections: 0, sent: 0, received: 0, times: [], failures: [] };
  const deadline = performance.now() + seconds * 1000;
  const storms = new Storms();
  const watch = watchMemory(server, deadline);
  await Promise.all(startPeers(options, {
    url: server.url,
    target: options.target,
    random: new Random(seed),
    deadline,
    figures,
    storm: () => storms.next,
  }));
  storms.end();

  const memory = summarize(await watch);
  const failures = [...figures.failures];
  const counts = await settle(server.url, transport);
  failures.push(...judge(counts, figures, memory));
  const code = await server.stop();
  if (code !== 0) failures.push(`the server ended with ${code}`);
  if (server.output !== "") failures.push(`the server printed:\n${server.output}`);
  const times = figures.times.toSorted((a, b) => a - b);
  const [median = 0, p99 = 0] = [times[times.length >> 1], times[Math.floor(times.length * 0.99)]];
  return { counts, figures, median, p99, memory, failures };
}

function startPeers({ connections }: SoakOptions, run: Run): Promise<void>[] {
  return PEERS.flatMap(([share, peer]) => {
    const guarded = async () => {
      // Not all in one moment: the storms do that.
      await sleep(run.random.below(1000));
      try {
        await peer(run);
      } catch (error) {
        run.figures.failures.push(`${peer.name}: ${(error as Error).message}`);
      }
    };
    return Array.from({ length: Math.ceil(connections * share) }, guarded);
  });
}

/** Tells all who wait, every few seconds, to come anew. */
class Storms {
  #now = Promise.withResolvers<void>();
  readonly #timer = setInterval(() => this.#begin(), STORM_SECONDS * 1000);

  get next(): Promise<void> {
    return this.#now.promise;
  }

  #begin(): void {
    this.#now.resolve();
    this.#now = Promise.withResolvers<void>();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#begin();
  }
}

async function watchMemory(server: ServerProcess, deadline: number): Promise<number[]> {
  const samples: number[] = [];
  while (performance.now() < deadline) {
    samples.push(server.memory ?? 0);
    await sleep(250);
  }
  return samples;
}

/** The memory after the first third of the run, and at its end, each as a mean of several samples. */
function summarize(samples: number[]): [warm: number, end: number] {
  const size = Math.max(1, Math.floor(samples.length / 6));
  const warm = samples.slice(size * 2, size * 3);
  return [mean(warm), mean(samples.slice(-size))];
}

function mean(numbers: number[]): number {
  return numbers.reduce((sum, it) => sum + it, 0) / Math.max(1, numbers.length);
}

/** Waits until the server has noticed that everybody has gone. */
async function settle(url: string, transport: "http" | "tcp"): Promise<Counts> {
  for (let left = SETTLE_SECONDS * 4;; left--) {
    const counts = await readCounts(url);
    // On tcp the connection that asks is one too.
    if (transport === "tcp") counts.connects--;
    if (left === 0 || (counts.open === 0 && counts.connects === counts.disconnects)) return counts;
    await sleep(250);
  }
}

function judge(counts: Counts, figures: Figures, [warm, end]: readonly [number, number]): string[] {
  const { connects, disconnects, twice, open, messages, errors } = counts;
  const failures = errors.map((it) => `the server reported: ${it}`);
  const check = (holds: boolean, what: string) => {
    if (!holds) failures.push(what);
  };
  check(open === 0, `${open} connections are open that have gone`);
  check(connects === disconnects, `${connects} connects had ${disconnects} disconnects`);
  check(twice === 0, `${twice} connections had a second disconnect`);
  check(figures.sent === figures.received, `${figures.sent} sent, ${figures.received} came back`);
  check(messages >= figures.sent, `${figures.sent} sent, and the server saw ${messages}`);
  check(figures.times.length > 0, "no steady client got an answer");
  check(end - warm < Math.max(warm * 0.2, MEMORY_MARGIN), `memory grew from ${warm} to ${end}`);
  return failures;
}
