// One server is ordered to publish, and the subscribers of another one hear it by way of Redis or NATS.

import { setImmediate } from "node:timers";
import type { EngineJob, Figures } from "../job.ts";
import { Histogram } from "./histogram.ts";
import { Swarm } from "./swarm.ts";
import { seconds, Window } from "./window.ts";

/** How long a server may take to subscribe to its engine, in seconds. */
const SETTLE = 1;

export async function engines(job: EngineJob): Promise<Figures> {
  const { connections, perTurn, inFlight, rate } = job;
  const swarm = new Swarm(job);
  const latency = new Histogram();
  let start = 0;
  let ordered = 0;
  let deliveries = 0;
  let stopping = false;
  let drained = () => {};
  const gap = rate === undefined ? 0 : 1e9 * perTurn / rate;
  const isDrained = () => deliveries === ordered * perTurn * connections;

  await swarm.open(connections, (client, count) => {
    deliveries += count;
    if (rate !== undefined) {
      const now = Bun.nanoseconds();
      for (let i = client.received - count; i < client.received; i++) {
        latency.add(now - start - Math.floor(i / perTurn) * gap);
      }
    } else if (!stopping) {
      // The slowest subscriber's place is at most this, which is near enough to keep as many in flight.
      const heard = Math.floor(deliveries / (connections * perTurn));
      order(heard + inFlight / perTurn - ordered);
    }
    if (stopping && isDrained()) drained();
  });
  const publisher = await Bun.connect({
    hostname: "127.0.0.1",
    port: job.orders,
    socket: { data() {} },
  });
  const order = (turns: number) => {
    if (turns <= 0) return;
    ordered += turns;
    if (publisher.write(new Uint8Array(turns)) !== turns) {
      throw new Error("the publishing server takes no orders");
    }
  };
  await seconds(SETTLE);

  start = Bun.nanoseconds();
  const orderWhatIsDue = () => {
    if (stopping) return;
    order(Math.floor((Bun.nanoseconds() - start) / gap) + 1 - ordered);
    setImmediate(orderWhatIsDue);
  };
  if (rate === undefined) order(inFlight / perTurn);
  else orderWhatIsDue();

  await seconds(job.warmup);
  latency.clear();
  // Publications: each is as many deliveries as there are subscribers.
  const pids = { servers: [job.pid, job.publisher], engine: job.engine };
  const window = new Window(pids, () => deliveries / connections);
  const figures = await window.end(job.seconds);
  figures.p50 = latency.quantile(0.5);
  figures.p99 = latency.quantile(0.99);

  await new Promise<void>((resolve) => {
    stopping = true;
    drained = resolve;
    if (isDrained()) resolve();
  });
  return { ...figures, counted: swarm.counted, compared: swarm.compared };
}
