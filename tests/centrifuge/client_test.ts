import { Centrifuge as JsonClient, type PublicationContext, type Subscription } from "centrifuge";
import { Centrifuge as ProtobufClient } from "centrifuge/build/protobuf";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { type Engine, MemoryEngine, WebSocketServer } from "../../mod.ts";
import { Centrifuge } from "../../src/centrifuge/mod.ts";
import { redisEngine } from "../../src/redis/mod.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { NO_REDIS, RedisServer } from "../support/redis_server.ts";
import { transports, type Variant } from "../support/transports.ts";
import { host, PATH } from "./talk.ts";

type Client = JsonClient;
type Kind = "JSON" | "protobuf";

const SOON = { minReconnectDelay: 20, maxReconnectDelay: 100 };

function make(kind: Kind, url: string, token = "ada"): Client {
  const Class = kind === "JSON" ? JsonClient : ProtobufClient as unknown as typeof JsonClient;
  return new Class(url, { token, websocket: WebSocket, ...SOON });
}

/** What a client gives for JSON: the value, or over protobuf its bytes. */
function value(data: unknown): unknown {
  return data instanceof Uint8Array ? JSON.parse(Buffer.from(data).toString()) : data;
}

function bytes(kind: Kind, data: unknown): unknown {
  return kind === "JSON" ? data : Buffer.from(JSON.stringify(data));
}

async function subscribed(subscription: Subscription): Promise<void> {
  subscription.subscribe();
  await patiently(subscription.ready(), "a subscription");
}

/** A client that goes on counting, whatever becomes of the server; gives what it has seen. */
function counting(client: Client, topic: string) {
  const seen = new Journal<unknown>();
  const recovered: boolean[] = [];
  const subscription = client.newSubscription(topic);
  subscription.on("publication", ({ data }: PublicationContext) => seen.add(value(data)));
  subscription.on("subscribed", (context) => recovered.push(context.recovered));
  return { subscription, seen, recovered };
}

/** A server that can be started again on its port. */
async function start(variant: Variant, engine: Engine, port = 0): Promise<WebSocketServer> {
  const server = new WebSocketServer({
    hostname: "127.0.0.1",
    transport: variant.transport,
    port,
    engine,
    debug: 0,
    closeTimeout: 1,
    topics: { history: { count: 1000, age: 60 }, presence: true },
  });
  new Centrifuge(server, {
    onConnect: ({ token }) => ({ user: token }),
    onSubscribe: () => ({ recover: true, presence: true, history: true }),
  });
  return await server.start();
}

for (const variant of transports) {
  for (const kind of ["JSON", "protobuf"] as const) {
    describe(`npm centrifuge, ${kind}, over ${variant.name}`, () => {
      it("subscribes, publishes, sees who is there, asks for history, calls, and leaves", async () => {
        await using hosted = await host(variant, {
          onSubscribe: () => ({ recover: true, presence: true, history: true, joinLeave: true }),
          onConnect: ({ token }) => ({ user: token, info: { name: token } }),
          onRpc: (_client, { method, data }) =>
            JSON.stringify([method, JSON.parse(data as string)]),
        });
        const [ada, grace] = [make(kind, hosted.url), make(kind, hosted.url, "grace")];
        try {
          const events = new Journal<unknown>();
          const [a, g] = [ada, grace].map((it) => it.newSubscription("t"));
          a.on("publication", ({ data, info }) => events.add([value(data), info?.user]));
          a.on("join", ({ info }) => info.user !== "ada" && events.add(["join", info.user]));
          a.on("leave", ({ info }) => events.add(["leave", info.user, value(info.connInfo)]));
          ada.connect();
          grace.connect();
          await subscribed(a);
          await subscribed(g);
          assertEquals(await events.next(), ["join", "grace"]);
          await g.publish(bytes(kind, { n: 1 }));
          assertEquals(await events.next(), [{ n: 1 }, "grace"]);
          await hosted.server.publish("t", '{"n":2}');
          assertEquals(await events.next(), [{ n: 2 }, undefined]);

          const { publications, offset } = await a.history({ limit: 10 });
          assertEquals(publications.map(({ data }) => value(data)), [{ n: 1 }, { n: 2 }]);
          // Over protobuf it may be a Long.
          assertEquals(Number(offset), 2);
          const { clients } = await a.presence();
          assertEquals(Object.values(clients).map(({ user }) => user).sort(), ["ada", "grace"]);
          assertEquals(await a.presenceStats(), { numClients: 2, numUsers: 2 });
          const { data } = await ada.rpc("double", bytes(kind, 21));
          assertEquals(value(data), ["double", 21]);
          g.unsubscribe();
          assertEquals(await events.next(), ["leave", "grace", { name: "grace" }]);
          assertEquals(hosted.errors, []);
        } finally {
          for (const it of [ada, grace]) it.disconnect();
        }
      });

      it("misses nothing and sees nothing twice, over two restarts of the server", async () => {
        const keeper = new MemoryEngine();
        let server = await start(variant, new MemoryEngine({ shareWith: keeper }));
        const { port } = server;
        // It stays while the other one is away, and publishes.
        const publisher = await start(variant, keeper);
        const client = make(kind, `ws://127.0.0.1:${port}${PATH}`);
        const { subscription, seen, recovered } = counting(client, "t");
        const many = 30;
        try {
          client.connect();
          await subscribed(subscription);
          for (let n = 1; n <= many; n++) {
            await publisher.publish("t", `${n}`);
            if (n % 10 !== 5 || n > 20) continue;
            void server.shutdown();
            await publisher.publish("t", `${n}.5`);
            await server.finished;
            server = await start(variant, new MemoryEngine({ shareWith: keeper }), port);
          }
          await seen.first(many + 2);
          await publisher.publish("t", '"end"');
          const expected = Array.from({ length: many }, (_, at) => at + 1)
            .flatMap((n) => n === 5 || n === 15 ? [n, n + 0.5] : [n]);
          assertEquals(await seen.first(many + 3), [...expected, "end"]);
          assert(recovered.length > 1 && recovered.slice(1).every((it) => it));
        } finally {
          client.disconnect();
          await Promise.all([server.shutdown(), publisher.shutdown()]);
        }
      });
    });
  }
}

describe("npm centrifuge over Redis", { skip: NO_REDIS !== undefined }, () => {
  it("misses nothing and sees nothing twice, over a restart of Redis", async () => {
    const redis = await RedisServer.start("--appendonly", "yes", "--appendfsync", "always");
    const clients = [0, 1].map(() =>
      new Redis({ port: redis.port, host: "127.0.0.1", lazyConnect: true })
    );
    const [here, there] = await Promise.all(
      clients.map((it, at) => start(transports[at], redisEngine(it))),
    );
    const client = make("JSON", `ws://127.0.0.1:${here.port}${PATH}`);
    const { subscription, seen } = counting(client, "t");
    try {
      client.connect();
      await subscribed(subscription);
      const [accepted, unsure]: number[][] = [[], []];
      const publish = async (n: number) => {
        const { accepted: is } = await there.publish("t", `${n}`);
        if (is !== false) (is === true ? accepted : unsure).push(n);
        return is === true;
      };
      for (let n = 1; n <= 20; n++) await publish(n);
      await redis.kill();
      const during = publish(21);
      await redis.start();
      await during;
      let n = 22;
      // It comes back by itself; from then on everything is accepted.
      while (!await publish(n++)) await new Promise((resolve) => setTimeout(resolve, 20));
      for (const last = n + 10; n < last; n++) assert(await publish(n));
      while (seen.entries.at(-1) !== n - 1) await seen.first(seen.entries.length + 1);
      assertEquals(seen.entries.filter((it) => !unsure.includes(it as number)), accepted);
      assertEquals(new Set(seen.entries).size, seen.entries.length);
    } finally {
      client.disconnect();
      for (const it of clients) it.disconnect();
      await Promise.all([here.shutdown(), there.shutdown()]);
      await redis.close();
    }
  });
});
