/**
 * Runs one command to its end or to its deadline, and leaves none of its processes behind.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";

/** What came of a command. */
export interface Outcome {
  /** The exit code; null when a signal ended it, or when it could not be started. */
  code: number | null;
  /** The last million characters of standard output and standard error, as they came. */
  output: string;
  /** The same of standard output alone, for what is to be parsed. */
  stdout: string;
  timedOut: boolean;
  seconds: number;
}

/** How a command is run. */
export interface RunOptions {
  /** Seconds after which the command and everything it started are killed. */
  timeout: number;
  env?: Record<string, string>;
}

const KEPT = 1 << 20;

/** A process that left the group may hold our pipe open; its output is not worth waiting for. */
const PIPE_PATIENCE_MS = 2000;

const running = new Set<number>();

/** Runs `command`; never rejects: what went wrong is in the outcome. */
export function run(command: string[], { timeout, env = {} }: RunOptions): Promise<Outcome> {
  return new Promise((resolve) => {
    const started = performance.now();
    const outcome: Outcome = { code: null, output: "", stdout: "", timedOut: false, seconds: 0 };
    // A process group of its own, so that all of it can be killed at once.
    const child = spawn(command[0], command.slice(1), {
      detached: true,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const pid = child.pid;
    if (pid !== undefined) running.add(pid);

    const deadline = setTimeout(() => {
      outcome.timedOut = true;
      if (pid !== undefined) killTree(pid);
    }, timeout * 1000);

    let settled = false;
    const settle = () => {
      if (settled) return;
      settled = true;
      if (pid !== undefined) running.delete(pid);
      outcome.seconds = (performance.now() - started) / 1000;
      resolve(outcome);
    };

    const keep = (text: string) => outcome.output = (outcome.output + text).slice(-KEPT);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      outcome.stdout = (outcome.stdout + text).slice(-KEPT);
      keep(text);
    });
    child.stderr.setEncoding("utf8").on("data", keep);
    child.on("error", (error) => {
      clearTimeout(deadline);
      keep(`${command[0]} could not be started: ${error.message}\n`);
      settle();
    });
    child.on("exit", (code) => {
      clearTimeout(deadline);
      outcome.code = code;
      if (pid !== undefined) killGroup(pid);
      setTimeout(settle, PIPE_PATIENCE_MS);
    });
    child.on("close", settle);
  });
}

/** Kills every command under way, with all that they started. */
export function killAll(): void {
  for (const pid of running) killTree(pid);
}

function killTree(pid: number): void {
  // Found before the first kill: an orphan's parent is no longer known.
  const strays = descendants(pid);
  killGroup(pid);
  for (const stray of strays) kill(stray);
}

function killGroup(leader: number): void {
  kill(-leader);
}

function kill(target: number): void {
  try {
    process.kill(target, "SIGKILL");
  } catch (error) {
    const code = (error as { code?: string }).code;
    // ESRCH: it had ended already, which is what was wanted.
    if (code !== "ESRCH") throw error;
  }
}

/** The processes below `pid`, from Linux's /proc; elsewhere the process group has to do. */
function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of processes()) {
    const siblings = children.get(entry.parent);
    if (siblings) siblings.push(entry.pid);
    else children.set(entry.parent, [entry.pid]);
  }
  const found: number[] = [];
  const queue = [pid];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const child of children.get(next) ?? []) {
      found.push(child);
      queue.push(child);
    }
  }
  return found;
}

function processes(): { pid: number; parent: number }[] {
  if (process.platform !== "linux") return [];
  const list: { pid: number; parent: number }[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(name);
    if (parent !== undefined) list.push({ pid: Number(name), parent });
  }
  return list;
}

function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // "pid (name) state parent ...": the name may itself hold spaces and parentheses.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    // The process ended between the listing and the reading.
    return undefined;
  }
}
