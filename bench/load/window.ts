// The measured part of a run: what changed between its first and its last moment.

import process from "node:process";
import type { Figures } from "../job.ts";
import { cpuSeconds, machineSeconds, memory } from "./proc.ts";

export class Window {
  readonly #pid: number;
  readonly #count: () => number;
  readonly #at = Bun.nanoseconds();
  readonly #counted: number;
  readonly #server: number | undefined;
  readonly #load = process.cpuUsage();
  readonly #machine = machineSeconds();

  /** Begins to measure. `count` tells the messages so far. */
  constructor(pid: number, count: () => number) {
    this.#pid = pid;
    this.#count = count;
    this.#counted = count();
    this.#server = cpuSeconds(pid);
  }

  /** Ends after so many seconds, or later if no message has come by then. */
  async end(length: number): Promise<Figures> {
    do await seconds(length); while (this.#count() === this.#counted);
    const passed = (Bun.nanoseconds() - this.#at) / 1e9;
    const messages = this.#count() - this.#counted;
    const server = cpuSeconds(this.#pid);
    const machine = machineSeconds();
    const usage = process.cpuUsage(this.#load);
    const load = (usage.user + usage.system) / 1e6;
    const figures: Figures = {
      perSecond: messages / passed,
      loadBusy: load / passed,
      peakMemory: memory(this.#pid, "VmHWM"),
    };
    if (server !== undefined && this.#server !== undefined) {
      const spent = server - this.#server;
      figures.serverBusy = spent / passed;
      if (messages > 0) figures.cpuPerMessage = spent / messages;
      if (machine !== undefined && this.#machine !== undefined) {
        figures.othersBusy = Math.max(0, machine - this.#machine - spent - load) / passed;
      }
    }
    return figures;
  }
}

export function seconds(length: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, length * 1000));
}
