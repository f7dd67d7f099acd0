// The measured part of a run: what changed between its first and its last moment.

import process from "node:process";
import type { Figures } from "../job.ts";
import { cpuSeconds, machineSeconds, memory } from "./proc.ts";

/** Whose processor time is measured: several servers count as one. */
export interface Pids {
  servers: readonly number[];
  engine: number;
}

export class Window {
  readonly #servers: readonly number[];
  readonly #engine: number | undefined;
  readonly #count: () => number;
  readonly #at = Bun.nanoseconds();
  readonly #counted: number;
  readonly #spent: number | undefined;
  readonly #engineSpent: number | undefined;
  readonly #load = process.cpuUsage();
  readonly #machine = machineSeconds();

  /** Begins to measure. `count` tells the messages so far. */
  constructor(pids: number | Pids, count: () => number) {
    this.#servers = typeof pids === "number" ? [pids] : pids.servers;
    this.#engine = typeof pids === "number" ? undefined : pids.engine;
    this.#count = count;
    this.#counted = count();
    this.#spent = this.#cpuSeconds();
    this.#engineSpent = this.#engine === undefined ? undefined : cpuSeconds(this.#engine);
  }

  /** Ends after so many seconds, or later if no message has come by then. */
  async end(length: number): Promise<Figures> {
    do await seconds(length); while (this.#count() === this.#counted);
    const passed = (Bun.nanoseconds() - this.#at) / 1e9;
    const messages = this.#count() - this.#counted;
    const server = this.#cpuSeconds();
    const engine = this.#engine === undefined ? undefined : cpuSeconds(this.#engine);
    const machine = machineSeconds();
    const usage = process.cpuUsage(this.#load);
    const load = (usage.user + usage.system) / 1e6;
    const figures: Figures = {
      perSecond: messages / passed,
      loadBusy: load / passed,
      peakMemory: memory(this.#servers[0]!, "VmHWM"),
    };
    const engineSpent = engine === undefined ? 0 : engine - this.#engineSpent!;
    if (engine !== undefined) figures.engineBusy = engineSpent / passed;
    if (server !== undefined && this.#spent !== undefined) {
      const spent = server - this.#spent;
      figures.serverBusy = spent / passed;
      if (messages > 0) figures.cpuPerMessage = spent / messages;
      if (machine !== undefined && this.#machine !== undefined) {
        figures.othersBusy = Math.max(0, machine - this.#machine - spent - load - engineSpent) /
          passed;
      }
    }
    return figures;
  }

  #cpuSeconds(): number | undefined {
    return this.#servers.reduce<number | undefined>((sum, pid) => {
      const spent = cpuSeconds(pid);
      return sum === undefined || spent === undefined ? undefined : sum + spent;
    }, 0);
  }
}

export function seconds(length: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, length * 1000));
}
