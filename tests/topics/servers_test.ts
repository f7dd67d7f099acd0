import { describe, it } from "node:test";
import { assertEquals } from "@std/assert";
import { WebSocketServer } from "../../mod.ts";
import { natsEngine } from "../../src/nats/mod.ts";
import { redisEngine } from "../../src/redis/mod.ts";
import { connector } from "../nats/harness.ts";
import { client } from "../redis/harness.ts";
import { NatsServer, NO_NATS } from "../support/nats_server.ts";
import { patiently } from "../support/patience.ts";
import { NO_REDIS, RedisServer } from "../support/redis_server.ts";
import { transports } from "../support/transports.ts";

/** A client that keeps what it is sent. */
class Listener {
  readonly heard: string[] = [];
  readonly #socket: WebSocket;
  #changed = () => {};

  constructor(port: number) {
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    this.#socket.onmessage = ({ data }) => {
      this.heard.push(data);
      this.#changed();
    };
  }

  async until(count: number): Promise<string[]> {
    const wait = async () => {
      while (this.heard.length < count) {
        await new Promise<void>((resolve) => this.#changed = resolve);
      }
    };
    await patiently(wait(), `${count} messages`);
    return this.heard;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    this.#socket.close();
    await closed;
  }
}

const redis = {
  name: "Redis",
  missing: NO_REDIS,
  start: () => RedisServer.start(),
  engine: (port: number) => redisEngine(client(port)),
};
const nats = {
  name: "NATS",
  missing: NO_NATS,
  start: () => NatsServer.start(),
  engine: (port: number) => natsEngine(connector(port)),
};

const cases = [redis, nats].flatMap((it) => transports.map(({ transport }) => ({ it, transport })));
for (const { it: { name, missing, start, engine }, transport } of cases) {
  describe(`two servers over ${transport} with one ${name}`, () => {
    it("their clients hear the same, and what they have missed when they come back", {
      skip: missing,
    }, async () => {
      const place = await start();
      const errors: Error[] = [];
      const servers = await Promise.all([1, 2].map(async () => {
        const server = new WebSocketServer({
          transport,
          hostname: "127.0.0.1",
          port: 0,
          engine: engine(place.port),
          topics: { history: { count: 100, age: 60 } },
          onError: (_server, error) => void errors.push(error as Error),
          onConnect(_server, connection) {
            connection.on({
              async ready() {
                const position = { epoch: "", offset: 0 };
                const { recovered } = await connection.subscribe("t", { position });
                connection.sendUtf8(`recovered ${recovered}`);
              },
            });
          },
        });
        await server.start();
        return server;
      }));
      const listeners = servers.map(({ port }) => new Listener(port!));
      for (const it of listeners) assertEquals(await it.until(1), ["recovered true"]);
      const results = await Promise.all(
        [0, 1, 0, 1].map((i, n) => servers[i].publish("t", `${n}`)),
      );
      assertEquals(results.map(({ accepted }) => accepted), [true, true, true, true]);
      const [first, second] = await Promise.all(listeners.map((it) => it.until(5)));
      assertEquals(first, second);
      assertEquals([...first].slice(1).sort(), ["0", "1", "2", "3"]);
      const late = new Listener(servers[1].port!);
      assertEquals(await late.until(5), [...first.slice(1), "recovered true"]);
      for (const it of [...listeners, late]) await it.close();
      for (const server of servers) await server.shutdown();
      assertEquals(errors, []);
      await place.close();
    });
  });
}
