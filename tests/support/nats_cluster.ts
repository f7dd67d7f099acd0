import { connect } from "@nats-io/transport-node";
import { jetstreamManager } from "@nats-io/jetstream";
import { NatsServer } from "./nats_server.ts";
import { patiently } from "./patience.ts";
import { freePort } from "./engine_program.ts";

/** A cluster of three NATS, with JetStream. */
export class NatsCluster {
  readonly nodes: readonly NatsServer[];

  private constructor(nodes: readonly NatsServer[]) {
    this.nodes = nodes;
  }

  /** Starts one and waits until streams can be made in it. */
  static async start(): Promise<NatsCluster> {
    const routes = await Promise.all([freePort(), freePort(), freePort()]);
    const all = routes.map((port) => `nats://127.0.0.1:${port}`).join(",");
    const nodes = await Promise.all(routes.map((port, i) =>
      NatsServer.start(
        ...["-n", `node${i}`, "--cluster_name", "duet"],
        ...["--cluster", `nats://127.0.0.1:${port}`, "--routes", all],
      )
    ));
    const cluster = new NatsCluster(nodes);
    await patiently(cluster.ready(), "the cluster");
    return cluster;
  }

  /** Settles once streams with three replicas can be made. */
  async ready(): Promise<void> {
    for (;;) {
      const outside = await connect({ servers: this.addresses });
      try {
        const { streams } = await jetstreamManager(outside);
        const name = "ready";
        await streams.add({ name, subjects: [name], num_replicas: 3 });
        const { cluster } = await streams.info(name);
        await streams.delete(name);
        if (cluster?.replicas?.every(({ current }) => current)) return;
      } catch {
        // It has no leader yet, or a node of it is not there yet.
      } finally {
        await outside.close();
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Where it can be reached. */
  get addresses(): string[] {
    return this.nodes.map(({ port }) => `127.0.0.1:${port}`);
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
  }
}
