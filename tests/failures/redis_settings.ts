import { Cluster, Redis } from "ioredis";
import { Keys } from "../../src/redis/keys.ts";
import { redisEngine } from "../../src/redis/mod.ts";
import { client, lasting } from "../redis/harness.ts";
import { patiently } from "../support/patience.ts";
import { RedisCluster } from "../support/redis_cluster.ts";
import { MASTER_NAME, RedisSentinel } from "../support/redis_sentinel.ts";
import { RedisServer } from "../support/redis_server.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { TOPIC } from "./participant.ts";
import { ask, REDIS_FAULTS, seconds, type Single } from "./redis_faults.ts";
import { type Running, type Setting, setting } from "./setting.ts";

const host = "127.0.0.1";

/** Starts a master and its replica. */
async function startPair(): Promise<[master: RedisServer, replica: RedisServer]> {
  // By itself a master waits for 5 s for more replicas before it sends one its copy.
  const start = () => RedisServer.start("--repl-diskless-sync-delay", "0");
  const [master, replica] = await Promise.all([start(), start()]);
  await follow(replica.port, master.port);
  return [master, replica];
}

/** Settles once a replica has a copy and is told of each change. */
async function copied(replica: number): Promise<void> {
  const wait = async () => {
    while (!String(await ask(replica, "info", "replication")).includes("master_link_status:up")) {
      await seconds(0.02);
    }
  };
  await patiently(wait(), "a replica's copy");
}

async function follow(replica: number, master: number): Promise<void> {
  await ask(replica, "replicaof", host, master);
  await copied(replica);
}

const single = setting(
  "one Redis",
  (port: number) => redisEngine(client(port)),
  async (): Promise<Single> => {
    const redis = await RedisServer.start("--appendonly", "yes", "--appendfsync", "always");
    const proxy = await TcpProxy.start(redis.port);
    return {
      redis,
      proxy,
      address: proxy.port,
      lasting: () => lasting(redis.port),
      async close() {
        await proxy.close();
        await redis.close();
      },
    };
  },
  REDIS_FAULTS,
);

/** Two Redis: one that is written to, and its replica. */
interface Replicated extends Running {
  readonly address: number;
  readonly nodes: [master: RedisServer, replica: RedisServer];
  readonly proxy: TcpProxy;
}

const replicated = setting(
  "a Redis with a replica",
  (port: number) => redisEngine(client(port)),
  async (): Promise<Replicated> => {
    const nodes = await startPair();
    const proxy = await TcpProxy.start(nodes[0].port);
    return {
      nodes,
      proxy,
      address: proxy.port,
      lasting: () => lasting(nodes[0].port),
      async close() {
        await proxy.close();
        for (const node of nodes) await node.close();
      },
    };
  },
  [
    {
      name: "a replica that has missed half a second takes over",
      loses: true,
      async happen({ nodes, proxy }) {
        const [master, replica] = nodes;
        await ask(replica.port, "replicaof", "no", "one");
        await seconds(0.5);
        proxy.turn(replica.port);
        nodes.reverse();
        await follow(master.port, replica.port);
      },
    },
    {
      name: "a replica that has missed nothing takes over, and the master is gone",
      loses: "maybe",
      long: true,
      async happen({ nodes, proxy }) {
        const [master, replica] = nodes;
        await master.kill();
        await ask(replica.port, "replicaof", "no", "one");
        proxy.turn(replica.port);
        nodes.reverse();
        await master.start();
        await follow(master.port, replica.port);
      },
    },
  ],
);

/** Two Redis, and a sentinel that decides which of them is the master. */
interface Watched extends Running {
  readonly address: number;
  readonly nodes: [master: RedisServer, replica: RedisServer];
  readonly sentinel: RedisSentinel;
}

/** Waits until the sentinel says that the replica is the master. */
async function takenOver({ nodes, sentinel }: Watched): Promise<void> {
  const wait = async () => {
    while (await sentinel.master() !== nodes[1].port) await seconds(0.05);
  };
  await patiently(wait(), "another master");
  nodes.reverse();
}

const sentinels = setting(
  "two Redis with Sentinel",
  (port: number) =>
    redisEngine(new Redis({ sentinels: [{ host, port }], name: MASTER_NAME, lazyConnect: true })),
  async (): Promise<Watched> => {
    const nodes = await startPair();
    const sentinel = await RedisSentinel.start(nodes[0]);
    return {
      nodes,
      sentinel,
      address: sentinel.port,
      lasting: () => lasting(nodes[0].port),
      async close() {
        await sentinel.close();
        for (const node of nodes) await node.close();
      },
    };
  },
  [
    {
      name: "the master killed, and Sentinel has the replica take over",
      loses: "maybe",
      async happen(it) {
        await it.sentinel.ready();
        const [master] = it.nodes;
        await master.kill();
        await takenOver(it);
        await master.start();
        // Sentinel would do so too, but waits for 10 s.
        await follow(master.port, it.nodes[0].port);
      },
    },
    {
      name: "Sentinel asked to have the replica take over",
      loses: "maybe",
      long: true,
      async happen(it) {
        await it.sentinel.ready();
        // It gives up now and then, as when it finds no replica that has answered lately.
        const again = setInterval(() => void it.sentinel.failover().catch(() => {}), 3000);
        await it.sentinel.failover();
        await takenOver(it).finally(() => clearInterval(again));
        await copied(it.nodes[1].port);
      },
    },
  ],
);

/** Moves the slot of the topic to another node, with all that is in it. */
async function moveSlot(cluster: RedisCluster): Promise<void> {
  const ports = cluster.nodes.map(({ port }) => port);
  const { meta } = new Keys("duet").of(TOPIC);
  const slot = Number(await ask(ports[0], "cluster", "keyslot", meta));
  const ids = await Promise.all(ports.map(async (it) => String(await ask(it, "cluster", "myid"))));
  const owner = await ownerOf(ports[0], slot);
  const [from, to] = [ids.indexOf(owner), (ids.indexOf(owner) + 1) % ids.length];
  const set = (node: number, ...how: string[]) =>
    ask(ports[node], "cluster", "setslot", slot, ...how);
  await set(to, "importing", ids[from]);
  await set(from, "migrating", ids[to]);
  for (;;) {
    const keys = await ask(ports[from], "cluster", "getkeysinslot", slot, 10) as string[];
    if (keys.length === 0) break;
    await ask(ports[from], "migrate", host, ports[to], "", 0, 5000, "keys", ...keys);
  }
  await set(to, "node", ids[to]);
  await set(from, "node", ids[to]);
}

async function ownerOf(port: number, slot: number): Promise<string> {
  const slots = await ask(port, "cluster", "slots") as [number, number, string[]][];
  const [, , [, , id]] = slots.find(([first, last]) => first <= slot && slot <= last)!;
  return id;
}

const cluster = setting(
  "a cluster of three",
  (ports: number[]) =>
    redisEngine(new Cluster(ports.map((port) => ({ host, port })), { lazyConnect: true })),
  async () => {
    const cluster = await RedisCluster.start();
    const ports = cluster.nodes.map(({ port }) => port);
    return {
      cluster,
      address: ports,
      lasting: async () => (await Promise.all(ports.map(lasting))).flat(),
      close: () => cluster.close(),
    };
  },
  [
    { name: "the topic's slot moved", loses: false, happen: ({ cluster }) => moveSlot(cluster) },
    {
      name: "the connections for subscriptions cut",
      loses: false,
      long: true,
      async happen({ address }) {
        await Promise.all(address.map((port) => ask(port, "client", "kill", "type", "pubsub")));
      },
    },
    {
      name: "the connections for commands cut",
      loses: false,
      long: true,
      async happen({ address }) {
        await Promise.all(address.map((port) => ask(port, "client", "kill", "type", "normal")));
      },
    },
  ],
);

/** Redis as it is run, in each way. */
export const REDIS_SETTINGS: readonly Setting[] = [single, replicated, sentinels, cluster];
