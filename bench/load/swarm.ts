// All connections of one load process, opened a limited number at a time.

import type { Job } from "../job.ts";
import { Client, handlers, type OnReplies } from "./client.ts";
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
    if (protocol === "client") return await this.#accept(connections, onReplies);
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

  /** Has the client that is measured open this many more. */
  async #accept(connections: number, onReplies: OnReplies): Promise<void> {
    const { port, deflate } = this.#job;
    const opened: Promise<void>[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const listener = Bun.listen<Client>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        ...handlers,
        open: (socket) => {
          const client = new Client(this.traffic);
          client.onReplies = onReplies;
          this.clients.push(client);
          socket.data = client;
          opened.push(client.serve(socket, deflate));
          if (opened.length === connections) resolve(Promise.all(opened).then(() => {}));
        },
      },
    });
    const request = JSON.stringify({ port: listener.port, connections, deflate });
    await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => void socket.write(`${request}\n`),
        data() {},
        close: () => reject(new Error("the client could not open its connections")),
      },
    });
    await promise;
    // Who has been accepted stays.
    listener.stop();
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
