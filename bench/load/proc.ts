// Processor time and memory of a process as Linux tells them. Elsewhere they are unknown.

import { readFileSync } from "node:fs";
import process from "node:process";

/** Clock ticks a second in /proc/PID/stat: 100 on every Linux that Deno and Bun run on. */
const TICKS = 100;

function read(path: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  return readFileSync(path, "utf8");
}

/** A process and those that it has started. */
function familyOf(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`)?.trim() ?? "";
  return [pid, ...children === "" ? [] : children.split(" ").map(Number)];
}

/** The sum of a figure over a process and those that it has started. */
function sumOf(pid: number, of: (pid: number) => number | undefined): number | undefined {
  let sum = 0;
  for (const it of familyOf(pid)) {
    const value = of(it);
    if (value === undefined) return undefined;
    sum += value;
  }
  return sum;
}

/** Seconds that a process and its children have spent on processors, in all their threads, user and system. */
export function cpuSeconds(pid: number): number | undefined {
  return sumOf(pid, cpuSecondsOf);
}

function cpuSecondsOf(pid: number): number | undefined {
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

/** One of the memory lines of /proc/PID/status, in bytes, of a process and its children together. */
export function memory(pid: number, line: "VmRSS" | "VmHWM"): number | undefined {
  return sumOf(pid, (pid) => memoryOf(pid, line));
}

function memoryOf(pid: number, line: "VmRSS" | "VmHWM"): number | undefined {
  const status = read(`/proc/${pid}/status`);
  const found = status?.match(new RegExp(`^${line}:\\s+(\\d+) kB`, "m"));
  return found ? Number(found[1]) * 1024 : undefined;
}
