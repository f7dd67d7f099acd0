// Open loop: messages leave at a fixed rate, and latency counts from when each was due to leave.

import { setImmediate } from "node:timers";
import type { Figures, PacedJob } from "../job.ts";
import type { Client } from "./client.ts";
import { Histogram } from "./histogram.ts";
import { Swarm } from "./swarm.ts";
import { seconds, Window } from "./window.ts";

export async function paced(job: PacedJob): Promise<Figures> {
  const swarm = new Swarm(job);
  const latency = new Histogram();
  const place = new Map<Client, number>();
  const gap = 1e9 / job.rate;
  let start = 0;
  let next = 0;
  let stopping = false;
  let drained = () => {};

  const onReplies = (client: Client, messages: number) => {
    const now = Bun.nanoseconds();
    const own = place.get(client)!;
    for (let i = client.received - messages; i < client.received; i++) {
      // Message i of a connection is number i * connections + place of all, due that many gaps after the start.
      latency.add(now - start - (i * job.connections + own) * gap);
    }
    if (stopping && swarm.counted === next) drained();
  };

  await swarm.open(job.connections, onReplies);
  swarm.clients.forEach((client, i) => place.set(client, i));
  const sendWhatIsDue = () => {
    if (stopping) return;
    const due = Math.floor((Bun.nanoseconds() - start) / gap);
    for (; next <= due; next++) swarm.clients[next % job.connections]!.send(1);
    setImmediate(sendWhatIsDue);
  };
  start = Bun.nanoseconds();
  sendWhatIsDue();

  await seconds(job.warmup);
  latency.clear();
  const window = new Window(job.pid, () => swarm.received);
  const figures = await window.end(job.seconds);
  figures.p50 = latency.quantile(0.5);
  figures.p99 = latency.quantile(0.99);

  await new Promise<void>((resolve) => {
    stopping = true;
    drained = resolve;
    if (swarm.counted === next) resolve();
  });
  return { ...figures, counted: swarm.counted, compared: swarm.compared };
}
