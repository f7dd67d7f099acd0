// All connections of one load process, opened a limited number at a time.

import type { Job } from "../job.ts";
import { Client, type OnReplies } from "./client.ts";
import { makeTraffic, type Traffic } from "./traffic.ts";

/** Handshakes under way at once: less than any server's listen backlog. */
const OPENING = 64;

export class Swarm {
  readonly clients: Client[] = [];
  readonly traffic: Traffic;
  readonly #job: Job;

  constructor(job: Job) {
    this.#job = job;
    this.traffic = makeTraffic(job);
  }

  /** Opens this many more connections. */
  async open(
    connections: number,
    onReplies: OnReplies,
    atOnce = OPENING,
    pathOf?: (index: number) => string,
  ): Promise<void> {
    const { port, protocol, deflate } = this.#job;
    const first = this.clients.length;
    let next = 0;
    const one = async () => {
      while (next < connections) {
        const index = first + next++;
        const client = new Client(this.traffic);
        client.onReplies = onReplies;
        await client.open(port, protocol, deflate, pathOf?.(index));
        this.clients[index] = client;
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, connections) }, one));
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.splice(0).map((client) => client.close()));
  }

  /** Replies counted so far; parts of messages count where their size is known. */
  get received(): number {
    const { replySize } = this.traffic;
    return this.clients.reduce(
      (sum, client) => sum + (replySize ? client.receivedBytes / replySize : client.received),
      0,
    );
  }

  get counted(): number {
    return this.clients.reduce((sum, client) => sum + client.received, 0);
  }

  get compared(): number {
    return this.clients.reduce((sum, client) => sum + client.counter.compared, 0);
  }
}
