// Rooms: speakers keep messages in flight, and each speaks again when it has heard all of the room's last round.

import type { Figures, RoomsJob } from "../job.ts";
import type { Client } from "./client.ts";
import { Histogram } from "./histogram.ts";
import { Swarm } from "./swarm.ts";
import { seconds, Window } from "./window.ts";

export async function rooms(job: RoomsJob): Promise<Figures> {
  const { connections, members, talkers, inFlight } = job;
  const swarm = new Swarm(job);
  const latency = new Histogram();
  const speakers = new Set<Client>();
  let stopping = false;
  let drained = () => {};

  // A round of a room is what all its speakers say once.
  const round = talkers * inFlight;
  const speak = (client: Client) => {
    client.sentAt = Bun.nanoseconds();
    client.send(inFlight);
  };
  const isDrained = () =>
    swarm.counted === members * swarm.clients.reduce((sum, { sent }) => sum + sent, 0);
  const onReplies = (client: Client, messages: number) => {
    if (messages === 0) return;
    if (stopping) {
      if (isDrained()) drained();
    } else if (speakers.has(client) && client.received >= client.sent * talkers) {
      latency.add(Bun.nanoseconds() - client.sentAt);
      speak(client);
    }
    if (client.received > client.sent * talkers + round && speakers.has(client)) {
      throw new Error("the server sent more than was said");
    }
  };

  const pathOf = (index: number) => `/${Math.floor(index / members)}`;
  await swarm.open(connections, onReplies, undefined, pathOf);
  for (let i = 0; i < connections; i++) {
    if (i % members < talkers) speakers.add(swarm.clients[i]!);
  }
  for (const client of speakers) speak(client);

  await seconds(job.warmup);
  latency.clear();
  const window = new Window(job.pid, () => swarm.received);
  const figures = await window.end(job.seconds);
  figures.p50 = latency.quantile(0.5);
  figures.p99 = latency.quantile(0.99);
  if (figures.cpuPerMessage !== undefined) figures.perCpuSecond = 1 / figures.cpuPerMessage;

  // Everybody must hear all that was said in the room, no more and no less.
  await new Promise<void>((resolve) => {
    stopping = true;
    drained = resolve;
    if (isDrained()) resolve();
  });
  return { ...figures, counted: swarm.counted, compared: swarm.compared };
}
