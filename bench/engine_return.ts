// bun bench/engine_return.ts [--engine redis|nats] [--topics 10000] [--members 10000] [--away 1]
// deno run -A bench/engine_return.ts
//
// What it takes one server to be as if nothing had been after Redis or NATS was away: how long until all topics with
// history are followed again and known to have missed nothing. Then every topic is published to by another server, and
// each publication must come once. And what it takes to keep members present: the processor time of writing all of
// them again, which each server does about every 18 s for a presence of 60 s.

import { connect } from "@nats-io/transport-node";
import { Redis } from "ioredis";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { natsEngine } from "../src/nats/mod.ts";
import { redisEngine } from "../src/redis/mod.ts";
import type { Engine } from "../src/topics/engine.ts";
import type { Hub } from "../src/topics/hub.ts";
import type { Subscriber } from "../src/topics/subscription.ts";
import { NatsServer, NO_NATS } from "../tests/support/nats_server.ts";
import { NO_REDIS, RedisServer } from "../tests/support/redis_server.ts";
import { makeHub } from "../tests/topics/fakes.ts";

const { values } = parseArgs({
  options: {
    engine: { type: "string", default: "redis,nats" },
    topics: { type: "string", default: "10000" },
    members: { type: "string", default: "10000" },
    away: { type: "string", default: "1" },
  },
});
const TOPICS = Number(values.topics);
const MEMBERS = Number(values.members);
/** Seconds. */
const AWAY = Number(values.away);
/** How many are written at once. */
const PAGE = 512;
const PRESENCE_TIME = 60;
/** A server writes its members again after a third of their time, less up to a fifth of that. */
const BETWEEN = PRESENCE_TIME / 3 * 0.9;
/** The goals: seconds, and the part of a processor. */
const GOALS = { back: 2, presence: 0.01 };
/** Milliseconds after which what has not come counts as lost. */
const LONGEST = 60_000;

const runtime = process.versions.bun ? "Bun" : "Deno";
let missed = 0;

/** A subscriber that counts. */
class Seat implements Subscriber {
  readonly bufferedAmount = 0;
  readonly highWaterMark = Infinity;
  heard = 0;
  lost = 0;
  deliver(): void {
    this.heard++;
  }
  interrupted(): void {
    this.lost++;
  }
  notifyDrained(): void {}
  unencodable(): void {}
  overflowed(): void {}
}

function serve(engine: Engine): Hub {
  const { hub } = makeHub({
    engine,
    topics: (name) =>
      name.startsWith("room") ? { presence: true } : { history: { count: 10, age: 600 } },
    presenceTime: PRESENCE_TIME,
    limits: { maxTopicsPerConnection: TOPICS },
  });
  return hub;
}

async function until(condition: () => boolean): Promise<void> {
  const late = performance.now() + LONGEST;
  while (!condition()) {
    if (performance.now() > late) throw new Error(`this takes over ${LONGEST / 1000} s`);
    await sleep(5);
  }
}

async function measureReturn(
  name: string,
  server: RedisServer | NatsServer,
  engineOf: () => Engine,
): Promise<void> {
  const [hub, other] = [serve(engineOf()), serve(engineOf())];
  await Promise.all([hub.start(), other.start()]);
  const seat = new Seat();
  const member = hub.join(seat);
  const names = Array.from({ length: TOPICS }, (_, i) => `topic ${i}`);
  await Promise.all(names.map((it) => member.subscribe(it)));
  const publishAll = async () => {
    for (let i = 0; i < TOPICS; i += PAGE) {
      const page = names.slice(i, i + PAGE);
      const results = await Promise.all(page.map((it) => other.publish(it, "something")));
      const failed = results.find(({ accepted }) => accepted !== true);
      if (failed !== undefined) throw failed.error;
    }
  };
  await publishAll();
  await until(() => seat.heard === TOPICS);

  await server.kill();
  await until(() => !hub.engine.state.up);
  await sleep(AWAY * 1000);
  await server.start();
  const returned = performance.now();
  await until(() => hub.engine.state.up);
  const reached = performance.now();
  const before = process.cpuUsage();
  const topics = [...hub.topics.values()];
  await until(() => topics.every(({ isReady }) => isReady));
  const back = performance.now();
  const { user, system } = process.cpuUsage(before);

  await until(() => other.engine.state.up);
  await publishAll();
  await until(() => seat.heard === 2 * TOPICS);
  if (seat.lost > 0) throw new Error(`${seat.lost} topics were told of a loss`);
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`;
  report(
    `${name}: ${TOPICS} topics back in order ${
      seconds(back - returned)
    } after it was there again ` +
      `(${seconds(reached - returned)} until it was reached, then ${seconds(back - reached)}, ` +
      `processor time ${seconds((user + system) / 1000)})`,
    (back - returned) / 1000 <= GOALS.back,
  );
  await Promise.all([hub.close(), other.close()]);
}

async function measurePresence(name: string, engine: Engine): Promise<void> {
  await engine.start({
    publication() {},
    presence() {},
    control() {},
    down() {},
    up() {},
    dropped() {},
    error() {},
  });
  const topics = Array.from({ length: 100 }, (_, i) => ({ name: `room ${i}`, history: null }));
  const entries = Array.from({ length: MEMBERS }, (_, i) => ({
    topic: topics[i % topics.length]!,
    member: { id: `server.${i}`, user: `user ${i}`, info: '{"name":"Somebody"}' },
  }));
  const write = async () => {
    for (let i = 0; i < entries.length; i += PAGE) {
      await engine.enter(entries.slice(i, i + PAGE), PRESENCE_TIME);
    }
  };
  // The first times are for the compiler.
  for (let i = 0; i < 10; i++) await write();
  const TIMES = 10;
  const before = process.cpuUsage();
  for (let i = 0; i < TIMES; i++) await write();
  const { user, system } = process.cpuUsage(before);
  const { connections } = await engine.memberCount(topics[0]!);
  if (connections !== MEMBERS / topics.length) throw new Error(`${connections} are present`);
  const each = (user + system) / 1e6 / TIMES;
  const part = each / BETWEEN;
  report(
    `${name}: ${MEMBERS} members written again in ${
      (each * 1000).toFixed(0)
    } ms of processor time, ` +
      `every ${BETWEEN} s: ${(part * 100).toFixed(2)} % of a processor`,
    part <= GOALS.presence,
  );
  await engine.close();
}

function report(text: string, met: boolean): void {
  if (!met) missed++;
  console.log(`${runtime}, ${text}: goal ${met ? "met" : "NOT MET"}`);
}

for (const [name, missing] of [["redis", NO_REDIS], ["nats", NO_NATS]] as const) {
  if (!values.engine.split(",").includes(name)) continue;
  if (missing !== undefined) {
    console.log(missing);
    continue;
  }
  const server = name === "redis"
    // What is answered is kept over the end of the process: nothing is lost, and nobody is told so.
    ? await RedisServer.start("--appendonly", "yes")
    : await NatsServer.start();
  const engineOf = () =>
    name === "redis"
      ? redisEngine(new Redis({ host: "127.0.0.1", port: server.port, lazyConnect: true }))
      : natsEngine(() => connect({ servers: `127.0.0.1:${server.port}` }));
  try {
    await measureReturn(name === "redis" ? "Redis" : "NATS", server, engineOf);
    await measurePresence(name === "redis" ? "Redis" : "NATS", engineOf());
  } finally {
    await server.close();
  }
}
if (missed > 0) console.log(`${missed} goals not met`);
