// Many connections that do nothing: what each of them adds to the server's resident memory.

import type { Figures, IdleJob } from "../job.ts";
import { memory } from "./proc.ts";
import { Swarm } from "./swarm.ts";
import { seconds } from "./window.ts";

/** Connections made first, so that code loaded with the first ones is not counted. */
const FIRST = 100;
/** The memory has settled when it moved less than this part in one interval. */
const SETTLED = 0.002;
const INTERVAL = 0.5;

export async function idle(job: IdleJob): Promise<Figures> {
  const swarm = new Swarm(job);
  let echoed = 0;
  let allEchoed = () => {};
  await swarm.open(FIRST, () => {
    if (++echoed === FIRST) allEchoed();
  });
  await new Promise<void>((resolve) => {
    allEchoed = resolve;
    for (const client of swarm.clients) client.send(1);
  });
  const before = await settledMemory(job.pid);
  await swarm.open(job.connections, () => {});
  const after = await settledMemory(job.pid);
  return {
    bytesPerConnection: after === undefined || before === undefined
      ? undefined
      : (after - before) / job.connections,
    peakMemory: memory(job.pid, "VmHWM"),
    counted: swarm.clients.length,
  };
}

async function settledMemory(pid: number): Promise<number | undefined> {
  let last = memory(pid, "VmRSS");
  for (let tries = 0; last !== undefined && tries < 10; tries++) {
    await seconds(INTERVAL);
    const now = memory(pid, "VmRSS")!;
    if (Math.abs(now - last) < SETTLED * last) return now;
    last = now;
  }
  return last;
}
