/**
 * Has Redis fail in every way, again and again, while three servers (Deno and Bun mixed) publish all the time
 * and one of them is killed now and then. Every subscriber of a topic with history must see every accepted
 * publication once and in one order, or be told that something is lost.
 *
 *     npm run failures                    two minutes
 *     npm run failures -- --minutes 10
 *
 * The last line is "N passed, N failed", with one for each fault.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { lasting } from "../redis/harness.ts";
import { patiently } from "../support/patience.ts";
import { NO_REDIS, RedisServer } from "../support/redis_server.ts";
import { Account } from "./account.ts";
import { FAULTS } from "./faults.ts";
import { FailureServer } from "./server_process.ts";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "2" } } });
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error("--minutes takes a number above 0");
  process.exit(2);
}
if (NO_REDIS !== undefined) {
  console.error(NO_REDIS);
  process.exit(2);
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 20));
const redis = await RedisServer.start("--appendonly", "yes", "--appendfsync", "always");
const account = new Account();
const servers: FailureServer[] = [];
let number = 0;
let killed = 0;

async function addServer(): Promise<void> {
  const runtime = number % 2 === 0 ? "deno" : "bun";
  const server = new FailureServer(runtime, `${runtime}${++number}-`, redis.port, account);
  servers.push(server);
  await patiently(server.ask("started"), `the start of a server under ${runtime}`);
  server.say("go");
}

/** Has each server publish something until all of that is everywhere. */
async function everywhere(what: string): Promise<void> {
  for (let arrived = false; !arrived;) {
    const marks = await Promise.all(servers.map((it) => it.ask("marked", `mark ${what}`)));
    const later = performance.now() + 1000;
    const reached = () => marks.every((it) => account.reached(it as string));
    while (!(arrived = reached()) && performance.now() < later) await soon();
  }
}

async function present(): Promise<void> {
  while (await servers[0].ask("counted", "count") !== account.seats) await soon();
}

function sum(): number {
  return Object.values(account.faults).reduce((all, it) => all + it, 0);
}

let passed = 0;
let failed = 0;
try {
  for (let i = 0; i < 3; i++) await addServer();
  await patiently(everywhere("begin"), "a beginning");
  const end = performance.now() + minutes * 60_000;
  for (let round = 0; performance.now() < end; round++) {
    const fault = FAULTS[round % FAULTS.length];
    const before = { wrong: sum(), interrupted: account.interrupted };
    const began = performance.now();
    const problems: string[] = [];
    try {
      // The oldest goes in the midst of every third fault, and another one comes after it.
      const kills = round % 3 === 2;
      const [oldest] = servers;
      if (kills) servers.shift();
      await patiently(
        Promise.all([fault.happen(redis), kills ? oldest.kill() : null]) as Promise<unknown>,
        fault.name,
      );
      if (kills) {
        killed++;
        await addServer();
      }
      await patiently(everywhere(`${round}`), "a publication everywhere");
      await patiently(present(), "all members, and nobody else");
      const kept = await lasting(redis.port);
      if (kept.length > 0) problems.push(`${kept.length} keys do not expire`);
    } catch (error) {
      problems.push((error as Error).message);
    }
    if (sum() > before.wrong) problems.push(...account.details.splice(0));
    const told = account.interrupted - before.interrupted;
    if (!fault.loses && told > 0) problems.push(`${told} were told of a loss that there was not`);
    console.log(
      `${fault.name}: ${((performance.now() - began) / 1000).toFixed(1)} s, ${told} told`,
    );
    for (const problem of problems) console.log(`failed: ${problem}`);
    if (problems.length === 0) passed++;
    else failed++;
  }
  console.log(`${passed + failed} faults, ${killed} servers killed: ${account}`);
} finally {
  for (const server of servers) await server.kill();
  await redis.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
