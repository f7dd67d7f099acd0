// One connection sends, the server passes each message on to all, and the next goes when all have it.

import type { BroadcastJob, Figures } from "../job.ts";
import { Histogram } from "./histogram.ts";
import { Swarm } from "./swarm.ts";
import { seconds, Window } from "./window.ts";

export async function broadcast(job: BroadcastJob): Promise<Figures> {
  const swarm = new Swarm(job);
  const latency = new Histogram();
  let deliveries = 0;
  let stopping = false;
  let drained = () => {};
  let markedAt = 0;
  let markedAfter = 0;

  const mark = () => {
    markedAt = Bun.nanoseconds();
    markedAfter = swarm.clients[0]!.sent * job.connections;
  };
  const onReplies = (_: unknown, messages: number) => {
    const before = Math.floor(deliveries / job.connections);
    deliveries += messages;
    const after = Math.floor(deliveries / job.connections);
    if (after === before) return;
    if (deliveries > markedAfter) {
      latency.add(Bun.nanoseconds() - markedAt);
      mark();
    }
    const sender = swarm.clients[0]!;
    if (!stopping) sender.send(after - before);
    else if (deliveries === sender.sent * job.connections) drained();
  };

  await swarm.open(job.connections, onReplies);
  mark();
  swarm.clients[0]!.send(job.inFlight);

  await seconds(job.warmup);
  latency.clear();
  const window = new Window(job.pid, () => swarm.received);
  const figures = await window.end(job.seconds);
  figures.p50 = latency.quantile(0.5);
  figures.p99 = latency.quantile(0.99);

  await new Promise<void>((resolve) => {
    stopping = true;
    drained = resolve;
    if (deliveries === swarm.clients[0]!.sent * job.connections) resolve();
  });
  return { ...figures, counted: swarm.counted, compared: swarm.compared };
}
