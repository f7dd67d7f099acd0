// Opening handshakes: waves of new connections, timed while they open and not while they close.

import process from "node:process";
import type { ConnectJob, Figures } from "../job.ts";
import { cpuSeconds, memory } from "./proc.ts";
import { Swarm } from "./swarm.ts";

export async function connect(job: ConnectJob): Promise<Figures> {
  const swarm = new Swarm(job);
  const wave = async () => {
    const server = cpuSeconds(job.pid) ?? NaN;
    const load = process.cpuUsage();
    const start = Bun.nanoseconds();
    await swarm.open(job.wave, () => {}, job.connections);
    const time = (Bun.nanoseconds() - start) / 1e9;
    const own = process.cpuUsage(load);
    const spent = (cpuSeconds(job.pid) ?? NaN) - server;
    await swarm.close();
    return { time, spent, own: (own.user + own.system) / 1e6 };
  };

  let begun = Bun.nanoseconds();
  while (Bun.nanoseconds() - begun < job.warmup * 1e9) await wave();
  let [opened, time, spent, own] = [0, 0, 0, 0];
  begun = Bun.nanoseconds();
  while (Bun.nanoseconds() - begun < job.seconds * 1e9) {
    const one = await wave();
    opened += job.wave;
    time += one.time;
    spent += one.spent;
    own += one.own;
  }
  const known = Number.isFinite(spent);
  return {
    perSecond: opened / time,
    cpuPerMessage: known ? spent / opened : undefined,
    perCpuSecond: known ? opened / spent : undefined,
    serverBusy: known ? spent / time : undefined,
    loadBusy: own / time,
    peakMemory: memory(job.pid, "VmHWM"),
    counted: opened,
  };
}
