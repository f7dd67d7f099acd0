import { connect } from "@nats-io/transport-node";
import { natsEngine } from "../../src/nats/mod.ts";
import { Subjects } from "../../src/nats/subjects.ts";
import { connector, historyStreams, lasting, manage } from "../nats/harness.ts";
import { NatsCluster } from "../support/nats_cluster.ts";
import { NatsServer, NO_NATS } from "../support/nats_server.ts";
import { freePort } from "../support/engine_program.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { type FaultOf, type Running, type Setting, setting } from "./setting.ts";

/** Little enough that a burst is more than a connection may be behind. */
const SETTINGS = "max_payload: 500KB\nmax_pending: 600KB\nno_fast_producer_stall: true\n";
/** What every engine sends. */
const ALL = /CONNECT/;

/** One NATS, behind a proxy. */
interface Single extends Running {
  readonly address: number;
  readonly nats: NatsServer;
  readonly proxy: TcpProxy;
  /** How many connections NATS has cut for being slow. */
  slow(): Promise<number>;
}

const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 1000));

/** Settles once each connection has been cut that was slower than what is sent here. */
async function flood({ nats, slow }: Single): Promise<void> {
  const outside = await connect({ servers: `127.0.0.1:${nats.port}` });
  const before = await slow();
  // A control message that no server knows.
  const message = JSON.stringify({ kind: "none", filler: "x".repeat(400_000) });
  while (await slow() === before) {
    for (let i = 0; i < 64; i++) outside.publish(new Subjects("duet").control, message);
    await outside.flush();
  }
  await outside.close();
}

const single = setting(
  "one NATS",
  (port: number) => natsEngine(connector(port)),
  async (): Promise<Single> => {
    const monitor = await freePort();
    const nats = await NatsServer.start("-m", `${monitor}`);
    // They hold from the next start on.
    nats.settings = SETTINGS;
    await nats.kill();
    await nats.start();
    const proxy = await TcpProxy.start(nats.port);
    return {
      nats,
      proxy,
      address: proxy.port,
      async slow() {
        const answer = await fetch(`http://127.0.0.1:${monitor}/varz`);
        return (await answer.json() as { slow_consumers: number }).slow_consumers;
      },
      lasting: () => lasting(nats.port),
      async close() {
        await proxy.close();
        await nats.close();
      },
    };
  },
  [
    {
      name: "killed for half a second and started again with what it had stored",
      loses: false,
      async happen({ nats }) {
        await nats.kill();
        await seconds(0.5);
        await nats.start();
      },
    },
    {
      name: "stopped for a second and continued",
      loses: false,
      long: true,
      async happen({ nats }) {
        nats.hang();
        await seconds(1);
        nats.goOn();
      },
    },
    {
      name: "stopped for 4.5 s, which is taken for dead, and continued",
      loses: false,
      async happen({ nats }) {
        nats.hang();
        await seconds(4.5);
        nats.goOn();
      },
    },
    {
      name: "replies lost after what they answer was done, and the connections cut",
      loses: false,
      async happen({ proxy }) {
        proxy.lose("replies", ALL);
        await seconds(0.3);
        proxy.cut();
      },
    },
    {
      name: "connections cut as slow consumers",
      loses: false,
      happen: (place) => flood(place),
    },
    {
      // Who has just come, and is about to read, cannot tell whether it has missed something.
      name: "the stream purged",
      loses: "maybe",
      happen: ({ nats }) =>
        manage(nats.port, async ({ streams }) => {
          for (const name of await historyStreams(nats.port)) await streams.purge(name);
        }),
    },
    {
      name: "the stream deleted",
      loses: true,
      happen: ({ nats }) =>
        manage(nats.port, async ({ streams }) => {
          for (const name of await historyStreams(nats.port)) await streams.delete(name);
        }),
    },
    {
      name: "killed and started again with nothing",
      loses: true,
      async happen({ nats }) {
        await nats.kill();
        nats.forget();
        await seconds(0.3);
        await nats.start();
      },
    },
  ],
  NO_NATS,
);

/** Three NATS, each of which has all that is stored. */
interface Clustered extends Running {
  readonly address: string[];
  readonly cluster: NatsCluster;
}

/** Ends one node after the other, so that each stream loses its leader now and then. */
function killOne(number: number): FaultOf<Clustered> {
  return {
    name: `node ${number} of three killed for two seconds`,
    loses: false,
    long: true,
    async happen({ cluster }) {
      const node = cluster.nodes[number - 1];
      await node.kill();
      await seconds(2);
      await node.start();
      await cluster.ready();
    },
  };
}

const cluster = setting(
  "a NATS cluster of three",
  (servers: string[]) => natsEngine(() => connect({ servers }), { replicas: 3 }),
  async (): Promise<Clustered> => {
    const cluster = await NatsCluster.start();
    return {
      cluster,
      address: cluster.addresses,
      lasting: () => lasting(cluster.nodes[0].port),
      close: () => cluster.close(),
    };
  },
  [killOne(1), killOne(2), killOne(3)],
  NO_NATS,
);

/** All ways to run servers over NATS. */
export const NATS_SETTINGS: readonly Setting[] = [single, cluster];
