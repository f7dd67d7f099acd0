/**
 * Measures what attacks cost, on every transport, on `handleUpgrade()` of a node:http server, and on `ws` with
 * Node: how much memory the server takes, and how long a proper client waits for an answer meanwhile.
 *
 *     npm run attacks
 *     npm run attacks -- --seconds 5 --only bombs,pings --servers ws,bun_tcp
 *     npm run attacks -- --servers ws,node_tcp,node_http,node_mount,deno_mount,bun_mount
 *
 * Another server of the kind is left alone, and has a client too: what that one waits is the machine's
 * share, where attacker, server and clients have few processors between them.
 *
 * Prints a table in Markdown: the memory that it took; how long one round trip in a hundred took before,
 * meanwhile and, in brackets, with the other server meanwhile. Nothing is checked here: the tests of this folder do that.
 *
 * @module
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { HealthyClient } from "../../support/healthy_client.ts";
import { ServerProcess } from "../../support/server_process.ts";
import { targets } from "../../support/targets.ts";
import { ATTACKS } from "./attacks.ts";

const MAX_SIZE = String(16 << 20);

/** A server that is attacked. */
interface Victim {
  readonly name: string;
  readonly compresses: boolean;
  start(deflate: boolean): Promise<ServerProcess>;
}

const VICTIMS: Victim[] = [
  {
    name: "ws",
    compresses: true,
    start(deflate) {
      const flags = ["--max-size", MAX_SIZE, ...(deflate ? ["--deflate"] : [])];
      return ServerProcess.spawn(["node", "bench/servers/ws.js", ...flags]);
    },
  },
  ...targets.map(({ name, runtime, transport, compresses }) => ({
    name,
    compresses,
    start: (deflate: boolean) =>
      ServerProcess.start({ runtime, transport, flags: deflate ? ["--deflate"] : [] }),
  })),
  ...(["http", "tcp"] as const).map((transport) => ({
    name: `node_${transport}`,
    compresses: true,
    start: (deflate: boolean) =>
      ServerProcess.start({ runtime: "node", transport, flags: deflate ? ["--deflate"] : [] }),
  })),
  ...(["node", "deno", "bun"] as const).map((runtime) => ({
    name: `${runtime}_mount`,
    compresses: true,
    start: (deflate: boolean) => ServerProcess.startMount(runtime, deflate ? ["--deflate"] : []),
  })),
];

/** What one attack did to one server. */
interface Cost {
  /** The most memory above what the server had before, in bytes. */
  readonly growth: number;
  /** How long one round trip in a hundred took before and meanwhile, in milliseconds. */
  readonly before: number;
  readonly during: number;
  /** And meanwhile with a server that is left alone. */
  readonly elsewhere: number;
  readonly failure: string | undefined;
}

/** Attackers come last where processors are few: what is measured is the server, not the machine. */
const nice = spawnSync("nice", ["-n", "19", "true"]).status === 0 ? ["nice", "-n", "19"] : [];

async function measure(victim: Victim, name: string, seconds: number): Promise<Cost> {
  await using server = await victim.start(ATTACKS[name].deflate === true);
  await using other = await victim.start(false);
  const control = await HealthyClient.start(other.url);
  const healthy = await HealthyClient.start(server.url);
  await sleep(1500);
  // The first round trips are those of a program that has just begun.
  const calm = healthy.times.slice(20);
  const memory = server.memory ?? 0;

  const script = fileURLToPath(new URL("attacker.ts", import.meta.url));
  const [program, ...args] = [...nice, process.execPath, "run", "-A", script];
  const attacker = spawn(program, [...args, name, server.url, String(seconds)], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const ended = once(attacker, "exit");
  const from = healthy.times.length;
  const controlFrom = control.times.length;
  let peak = memory;
  const watch = setInterval(() => {
    if (!server.ended) peak = Math.max(peak, server.memory ?? 0);
  }, 50);
  await ended;
  clearInterval(watch);
  const { failure } = await healthy.stop();
  await control.stop();
  return {
    growth: peak - memory,
    before: p99(calm),
    during: p99(healthy.times.slice(from)),
    elsewhere: p99(control.times.slice(controlFrom)),
    failure: server.ended ? "it ended" : failure,
  };
}

function p99(times: number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? NaN;
}

function shown({ growth, before, during, elsewhere, failure }: Cost): string {
  if (failure !== undefined) return failure;
  const times = `${before.toFixed(1)} → ${during.toFixed(1)} ms (${elsewhere.toFixed(1)})`;
  return `+${(growth / 1e6).toFixed(0)} MB, ${times}`;
}

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    only: { type: "string" },
    servers: { type: "string" },
  },
});
const names = values.only?.split(",") ?? Object.keys(ATTACKS);
const victims = VICTIMS.filter(({ name }) => values.servers?.split(",").includes(name) ?? true);
console.log(`| attack | ${victims.map(({ name }) => name).join(" | ")} |`);
console.log(`| --- |${" --- |".repeat(victims.length)}`);
for (const name of names) {
  const { title, deflate } = ATTACKS[name];
  const cells: string[] = [];
  for (const victim of victims) {
    const possible = victim.compresses || deflate !== true;
    const seconds = Number(values.seconds);
    cells.push(possible ? shown(await measure(victim, name, seconds)) : "–");
  }
  console.log(`| ${title} | ${cells.join(" | ")} |`);
}
process.exit(0);
