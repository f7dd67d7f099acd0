// Closed loop: a fixed number of messages is in flight, and the next go when their replies have come.

import type { EchoJob, Figures } from "../job.ts";
import type { Client } from "./client.ts";
import { Histogram } from "./histogram.ts";
import { Swarm } from "./swarm.ts";
import { seconds, Window } from "./window.ts";

export async function echo(job: EchoJob): Promise<Figures> {
  const swarm = new Swarm(job);
  const latency = new Histogram();
  let stopping = false;
  let outstanding = 0;
  let turn = 0;
  let drained = () => {};

  const send = (client: Client, messages: number, now: number) => {
    client.sentAt = now;
    client.send(messages);
  };
  const sendInTurn = (now: number) => send(swarm.clients[turn++ % job.connections]!, 1, now);
  const onReplies = (client: Client, messages: number) => {
    if (messages === 0) return;
    const now = Bun.nanoseconds();
    if (client.received > client.sent) throw new Error("the server sent more than it got");
    const all = client.received === client.sent;
    if (all) latency.add(now - client.sentAt);
    if (stopping) {
      outstanding -= messages;
      if (outstanding === 0) drained();
    } else if (job.rotate) {
      for (let i = 0; i < messages; i++) sendInTurn(now);
    } else if (all) {
      send(client, job.inFlight, now);
    }
  };

  await swarm.open(job.connections, onReplies);
  const begun = Bun.nanoseconds();
  if (job.rotate) { while (turn < job.inFlight) sendInTurn(begun); }
  else for (const client of swarm.clients) send(client, job.inFlight, begun);

  await seconds(job.warmup);
  latency.clear();
  const window = new Window(job.pid, () => swarm.received);
  const figures = await window.end(job.seconds);
  figures.p50 = latency.quantile(0.5);
  figures.p99 = latency.quantile(0.99);
  if (figures.cpuPerMessage !== undefined) {
    figures.cpuPerByte = figures.cpuPerMessage / job.bytes;
    figures.perCpuSecond = 1 / figures.cpuPerMessage;
  }

  // Every message sent must be answered, no more and no fewer, or the figures are worth nothing.
  await new Promise<void>((resolve) => {
    stopping = true;
    drained = resolve;
    outstanding = swarm.clients.reduce((sum, client) => sum + client.sent - client.received, 0);
    if (outstanding === 0) resolve();
  });
  return { ...figures, counted: swarm.counted, compared: swarm.compared };
}
