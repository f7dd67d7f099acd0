import { setTimeout as sleep } from "node:timers/promises";
import { HealthyClient } from "../support/healthy_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import type { Target } from "../support/targets.ts";
import { broadcast, type Counts, readCounts } from "./counts.ts";
import { tooFewDescriptors } from "./descriptors.ts";
import { Gathering } from "./gathering.ts";
import { isBroadcast, MESSAGES } from "./messages.ts";

/** Who is there beside the crowd: the client that is answered all along. */
const OTHERS = 1;
/** How long the server may take to notice that the last ones have gone. */
const SETTLE_SECONDS = 30;

/** Which server, and how many connections. */
export interface CrowdOptions {
  target: Target;
  connections: number;
}

/** What came of it. */
export interface CrowdReport {
  /** Milliseconds until all were open, and until all had each broadcast. */
  opening: number;
  broadcasts: number[];
  /** The longest that the client waited that was answered all along, in milliseconds. */
  slowest: number;
  /** The server's memory without them, with all of them, and at most; 0 where the system does not tell. */
  memory: { before: number; open: number; peak: number };
  failures: string[];
}

/** Has a crowd come, be told something, and leave, and checks that nobody missed anything. */
export async function crowd(options: CrowdOptions): Promise<CrowdReport> {
  const memory = { before: 0, open: 0, peak: 0 };
  const report: CrowdReport = { opening: 0, broadcasts: [], slowest: 0, memory, failures: [] };
  const { target: { runtime, transport }, connections } = options;
  await using server = await ServerProcess.start({
    runtime,
    transport,
    script: "tests/crowd/server.ts",
    // So that one too many would be noticed. On tcp whoever asks takes a seat too.
    flags: ["--connections", String(connections + OTHERS + (transport === "tcp" ? 1 : 0))],
  });
  const few = tooFewDescriptors("client", "self", connections) ??
    tooFewDescriptors("server", server.pid, connections);
  if (few !== undefined) return { ...report, failures: [few] };

  const healthy = await HealthyClient.start(server.url, Infinity, isBroadcast);
  await readCounts(server.url);
  memory.before = server.memory ?? 0;
  const watch = setInterval(() => {
    memory.peak = Math.max(memory.peak, server.memory ?? 0);
  }, 50);
  try {
    report.failures.push(...await gather(server, options, report));
  } finally {
    clearInterval(watch);
  }
  const { failure } = await healthy.stop();
  if (failure !== undefined) report.failures.push(failure);
  if (healthy.times.length === 0) report.failures.push("nobody else was answered");
  report.slowest = Math.max(0, ...healthy.times);
  memory.peak = Math.max(memory.peak, memory.open);
  if (report.failures.length === 0) report.failures.push(...await settle(server.url, options));
  const code = await server.stop();
  if (code !== 0) report.failures.push(`the server ended with ${code}`);
  if (server.output !== "") report.failures.push(`the server printed:\n${server.output}`);
  return report;
}

/** All that the crowd itself does; gives what went wrong, at once. */
async function gather(
  server: ServerProcess,
  { connections }: CrowdOptions,
  report: CrowdReport,
): Promise<string[]> {
  using gathering = new Gathering(Number(new URL(server.url).port), connections);
  let began = performance.now();
  let failures = await gathering.open();
  report.opening = performance.now() - began;
  report.memory.open = server.memory ?? 0;
  if (failures.length > 0) return failures;

  const all = connections + OTHERS;
  const { open, ready } = await readCounts(server.url);
  if (open !== all || ready !== all) return [`${all} are open, and the server counts ${open}`];
  for (const index of MESSAGES.keys()) {
    began = performance.now();
    const sent = await broadcast(server.url, index);
    failures = await gathering.receive(index);
    report.broadcasts.push(performance.now() - began);
    if (failures.length > 0) return failures;
    if (sent !== all) return [`message ${index} was sent to ${sent}, and ${all} were there`];
  }
  return await gathering.close();
}

/** Waits until the server has noticed that everybody has gone; gives what is wrong then. */
async function settle(
  url: string,
  { connections, target: { transport } }: CrowdOptions,
): Promise<string[]> {
  // On tcp whoever asks is a connection too, and still is while the answer is made.
  const asking = transport === "tcp" ? 1 : 0;
  let counts = await readCounts(url);
  for (let left = SETTLE_SECONDS * 4; left > 0; left--) {
    if (counts.open === 0 && counts.connects - asking === counts.disconnects) break;
    await sleep(250);
    counts = await readCounts(url);
  }
  return judge(counts, connections, asking);
}

function judge(counts: Counts, connections: number, asking: number): string[] {
  const { connects, disconnects, clean, twice, open, requests, errors } = counts;
  const failures = errors.map((it) => `the server reported: ${it}`);
  const check = (holds: boolean, what: string) => {
    if (!holds) failures.push(what);
  };
  const expected = connections + OTHERS + asking * requests;
  check(open === 0, `${open} connections are open that have gone`);
  check(connects === expected, `${expected} came, and the server saw ${connects}`);
  check(connects - asking === disconnects, `${connects} connects had ${disconnects} disconnects`);
  check(clean === connections, `${connections} left in order, and the server saw ${clean} do so`);
  check(twice === 0, `${twice} connections had a second disconnect`);
  return failures;
}
