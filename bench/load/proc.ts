// Processor time and memory of a process as Linux tells them. Elsewhere they are unknown.

import { readFileSync } from "node:fs";
import process from "node:process";

/** Clock ticks a second in /proc/PID/stat: 100 on every Linux that Deno and Bun run on. */
const TICKS = 100;

function read(path: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  return readFileSync(path, "utf8");
}

/** Seconds that a process has spent on processors, in all its threads, user and system. */
export function cpuSeconds(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The second field is the command's name, in brackets, and may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Seconds that all processors together have spent on anything at all. */
export function machineSeconds(): number | undefined {
  const stat = read("/proc/stat");
  if (stat === undefined) return undefined;
  const ticks = stat.slice(0, stat.indexOf("\n")).trim().split(/\s+/).slice(1).map(Number);
  const [user, nice, system, _idle, _waiting, interrupts, soft, stolen] = ticks;
  return (user! + nice! + system! + interrupts! + soft! + stolen!) / TICKS;
}

/** One of the memory lines of /proc/PID/status, in bytes. */
export function memory(pid: number, line: "VmRSS" | "VmHWM"): number | undefined {
  const status = read(`/proc/${pid}/status`);
  const found = status?.match(new RegExp(`^${line}:\\s+(\\d+) kB`, "m"));
  return found ? Number(found[1]) * 1024 : undefined;
}
