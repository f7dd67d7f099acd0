// The machine and the versions that the figures belong to, and which processor each process is pinned to.

import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import process from "node:process";
import type { Runtime } from "./servers.ts";

export interface Pinning {
  server: number;
  load: number;
}

export interface Machine {
  processor: string;
  processors: number;
  memory: number;
  system: string;
  versions: Record<string, string>;
  /** Undefined where processes cannot be pinned; `unpinned` then says why. */
  pinning?: Pinning;
  unpinned?: string;
}

/** The command that starts each runtime; undefined where the machine has it not. */
export type Runtimes = Record<Runtime, string | undefined>;

/** Runs a runtime's own program to learn its real path, because a wrapper would hide its process id. */
function runtimePath(command: string): string | undefined {
  const print = "console.log(process.execPath)";
  const found = spawnSync(command, ["-e", print], { encoding: "utf8" });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

export function findRuntimes(root: string): Runtimes {
  return {
    deno: process.execPath,
    bun: runtimePath(`${root}/node_modules/.bin/bun`) ?? runtimePath("bun"),
    node: runtimePath(`${root}/node_modules/.bin/node`) ?? runtimePath("node"),
  };
}

function allowedProcessors(): number[] {
  const status = readFileSync("/proc/self/status", "utf8");
  const list = status.match(/^Cpus_allowed_list:\s*(\S+)/m)![1]!;
  return list.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, i) => first! + i);
  });
}

function pinning(): Pinning | string {
  if (process.platform !== "linux") return "this system has no taskset";
  const processors = allowedProcessors();
  if (processors.length < 2) return "only one processor may be used here";
  const [load, server] = [processors[0]!, processors.at(-1)!];
  const tried = spawnSync("taskset", ["-c", `${load},${server}`, "true"]);
  if (tried.status !== 0) return "taskset is not installed or may not be used";
  return { load, server };
}

function packageVersion(name: string): string {
  const require = createRequire(import.meta.url);
  const main = require.resolve(name);
  const root = main.slice(0, main.lastIndexOf(`node_modules/${name}`));
  return JSON.parse(readFileSync(`${root}node_modules/${name}/package.json`, "utf8")).version;
}

export function describeMachine(runtimes: Runtimes): Machine {
  const versions: Record<string, string> = {};
  for (const [name, path] of Object.entries(runtimes)) {
    if (path === undefined) continue;
    const answer = execFileSync(path, ["--version"], { encoding: "utf8" });
    versions[name] = answer.match(/\d+\.\d+\.\d+\S*/)![0];
  }
  for (const name of ["ws", "crossws", "socket.io"]) versions[name] = packageVersion(name);
  const pinned = pinning();
  return {
    processor: os.cpus()[0]?.model.trim() ?? "unknown",
    processors: os.cpus().length,
    memory: os.totalmem(),
    system: `${os.type()} ${os.release()}, ${os.arch()}`,
    versions,
    ...(typeof pinned === "string" ? { unpinned: pinned } : { pinning: pinned }),
  };
}
