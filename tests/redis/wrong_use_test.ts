import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Redis } from "ioredis";
import { WebSocketError } from "../../src/base/errors.ts";
import { type RedisClient, redisEngine } from "../../src/redis/mod.ts";
import { patiently } from "../support/patience.ts";
import { NO_REDIS, RedisServer } from "../support/redis_server.ts";

const EVENTS = {
  publication() {},
  presence() {},
  control() {},
  down() {},
  up() {},
  dropped() {},
  error() {},
};

/** A client that answers to INFO, and to everything else with nothing. */
class FakeClient {
  readonly options: Record<string, unknown> = {};
  readonly isCluster: boolean;
  readonly #info: string;

  constructor(info: string, isCluster = false) {
    this.#info = info;
    this.isCluster = isCluster;
  }
  duplicate() {
    return this;
  }
  nodes() {
    return [this];
  }
  connect() {
    return Promise.resolve();
  }
  callBuffer(command: string) {
    return Promise.resolve(Buffer.from(command === "info" ? this.#info : ""));
  }
  on() {}
  disconnect() {}
}

/** What starting with a client comes to. */
async function failure(client: RedisClient): Promise<WebSocketError> {
  const engine = redisEngine(client);
  const error = await patiently(
    Promise.resolve(engine.start(EVENTS)).then(() => null, (error) => error),
    "an error",
  );
  await engine.close();
  assert(error instanceof WebSocketError, String(error));
  return error;
}

describe("what a wrong use of redisEngine gets", () => {
  const refuses = (client: unknown, code: string, message: string) => {
    const error = assertThrows(() => redisEngine(client as RedisClient), WebSocketError, message);
    assertEquals((error as WebSocketError).code, code);
  };

  it("no client, a URL, or another library's client", () => {
    const takes = "it takes a client of ioredis, such as new Redis(url)";
    for (const client of [undefined, null, "redis://localhost", {}]) {
      refuses(client, "ERR_INVALID_ARGUMENT", takes);
    }
    refuses({ sendCommand() {}, duplicate() {} }, "ERR_INVALID_ARGUMENT", 'the package "redis"');
  });

  it("Bun's own client", () => {
    class RedisClient {
      onclose = null;
      duplicate() {}
    }
    const { Bun } = globalThis as { Bun?: { RedisClient: new (url: string) => unknown } };
    const client = Bun === undefined ? new RedisClient() : new Bun.RedisClient("redis://localhost");
    refuses(client, "ERR_UNSUPPORTED", "Install ioredis");
  });

  it("a prefix that would take the place of the hash tag", () => {
    const client = new FakeClient("") as unknown as RedisClient;
    for (const prefix of ["", "a{b}", 7 as unknown as string]) {
      assertThrows(() => redisEngine(client, { prefix }), WebSocketError, "Cannot use prefix");
    }
  });

  it("a Redis that is too old", async () => {
    const { code, message } = await failure(
      new FakeClient("redis_version:6.2.14\r\nrun_id:x\r\n") as unknown as RedisClient,
    );
    assertEquals(code, "ERR_UNSUPPORTED");
    assert(message.includes("Redis 6.2.14") && message.includes("Upgrade"), message);
  });

  it("a cluster with a client that cannot follow slots", async () => {
    const { code, message } = await failure(
      new FakeClient("redis_version:8.0.0\r\nrun_id:x\r\n", true) as unknown as RedisClient,
    );
    assertEquals(code, "ERR_UNSUPPORTED");
    assert(message.includes("Install ioredis 6"), message);
  });

  it("a wrong password, or none", { skip: NO_REDIS }, async () => {
    const redis = await RedisServer.start("--requirepass", "right");
    const { port } = redis;
    for (const password of ["wrong", undefined]) {
      const client = new Redis({ port, host: "127.0.0.1", password, lazyConnect: true });
      const { code, message } = await failure(client);
      assertEquals(code, "ERR_REFUSED");
      assert(message.includes("password"), message);
    }
    const engine = redisEngine(
      new Redis({ port, host: "127.0.0.1", password: "right", lazyConnect: true }),
    );
    await engine.start(EVENTS);
    assertEquals(engine.state.up, true);
    await engine.close();
    await redis.close();
  });

  it("a Redis that is not there yet: it is waited for", { skip: NO_REDIS }, async () => {
    const redis = await RedisServer.start();
    await redis.kill();
    const engine = redisEngine(
      new Redis({ port: redis.port, host: "127.0.0.1", lazyConnect: true }),
    );
    const told: string[] = [];
    const started = Promise.resolve(
      engine.start({ ...EVENTS, down: ({ message }) => void told.push(message) }),
    );
    const { accepted } = await engine.publish(
      { name: "t", history: null },
      { data: "", id: "1" },
      null,
    );
    assertEquals([accepted, engine.state.up], [false, false]);
    while (told.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    assert(told[0].startsWith("Cannot reach Redis"), told[0]);
    await redis.start();
    await patiently(started, "the engine");
    assertEquals([engine.state.up, told.length], [true, 1]);
    await engine.close();
    await redis.close();
  });
});
