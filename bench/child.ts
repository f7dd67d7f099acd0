// Starts a server or a load process, pinned to its processor and allowed as many files as the system permits.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import type { Figures, Job } from "./job.ts";
import type { Machine, Runtimes } from "./machine.ts";
import type { ServerEntry, Wishes } from "./servers.ts";

/** A server that has not said where it listens by then will not. */
const START_TIMEOUT = 15_000;
/** The longest time a load process may take beyond what its job needs. */
const LOAD_TIMEOUT = 30_000;

/** Every connection is a file: take the most that the system grants without asking anybody. */
const RAISE_LIMIT = 'ulimit -n "$(ulimit -H -n)"; exec "$@"';

export interface Server {
  port: number;
  pid: number;
  /** Where it takes orders, if it does. */
  orders: number | undefined;
  stop(): Promise<void>;
}

export class Children {
  readonly #root: string;
  readonly #runtimes: Runtimes;
  readonly #machine: Machine;

  constructor(root: string, runtimes: Runtimes, machine: Machine) {
    this.#root = root;
    this.#runtimes = runtimes;
    this.#machine = machine;
  }

  async startServer(entry: ServerEntry, wishes: Wishes): Promise<Server> {
    const runtime = this.#runtimes[entry.runtime];
    if (runtime === undefined) throw new Error(`${entry.runtime} is not installed`);
    const run = entry.runtime === "deno" ? [runtime, "run", "-A"] : [runtime];
    const child = this.#spawn([...run, ...entry.command(wishes)], this.#machine.pinning?.server);
    const errors = collect(child.stderr!);
    const stop = () => end(child);
    try {
      return { ...await listening(child), pid: child.pid!, stop };
    } catch (error) {
      await stop();
      const said = errors();
      throw new Error(`${(error as Error).message}${said && `: ${said}`}`);
    }
  }

  /** Runs one job to its end. */
  async load(job: Job): Promise<Figures> {
    const { bun } = this.#runtimes;
    if (bun === undefined) throw new Error("the load process needs bun, which is not installed");
    const command = [bun, "bench/load.ts", JSON.stringify(job)];
    const child = this.#spawn(command, this.#machine.pinning?.load);
    const output = collect(child.stdout!);
    const errors = collect(child.stderr!);
    const timeout = (job.warmup + job.seconds) * 1000 + LOAD_TIMEOUT;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, timeout);
    const [code] = await once(child, "close");
    clearTimeout(timer);
    if (late) {
      throw new Error(`the load had not ended after ${timeout / 1000} s: replies are missing`);
    }
    if (code !== 0) throw new Error(errors() || `the load process ended with ${code}`);
    return JSON.parse(output());
  }

  /** Has a process that is not started here run where the load does. */
  pinToLoad(pid: number): void {
    const { pinning } = this.#machine;
    if (pinning === undefined) return;
    execFileSync("taskset", ["-a", "-p", "-c", `${pinning.load}`, `${pid}`]);
  }

  #spawn(command: string[], processor: number | undefined): ChildProcess {
    const pinned = processor === undefined
      ? command
      : ["taskset", "-c", String(processor), ...command];
    // `exec` keeps the process id that is measured and ended the one that was started here.
    const [program, ...args] = process.platform === "win32"
      ? pinned
      : ["sh", "-c", RAISE_LIMIT, "sh", ...pinned];
    return spawn(program!, args, {
      cwd: this.#root,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }
}

/** Keeps what a stream says, for when it is wanted. */
function collect(stream: NodeJS.ReadableStream): () => string {
  let said = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => said += chunk);
  return () => said.trim();
}

function listening(child: ChildProcess): Promise<Pick<Server, "port" | "orders">> {
  return new Promise((resolve, reject) => {
    let said = "";
    const timer = setTimeout(
      () => reject(new Error(`it did not listen within ${START_TIMEOUT / 1000} s`)),
      START_TIMEOUT,
    );
    child.stdout!.setEncoding("utf8");
    child.stdout!.on("data", (chunk: string) => {
      said += chunk;
      const found = said.match(/(?:takes orders on (\d+), )?listening on wss?:\/\/[^\s/]*:(\d+)/);
      if (!found) return;
      clearTimeout(timer);
      const [, orders, port] = found;
      resolve({ port: Number(port), orders: orders === undefined ? undefined : Number(orders) });
    });
    child.once("close", (code) => {
      clearTimeout(timer);
      reject(new Error(`it ended with ${code} before it listened`));
    });
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, "close");
  child.kill("SIGKILL");
  await closed;
}
