/**
 * Has engines fail in every way, again and again, while three servers (Deno and Bun mixed) publish all the
 * time and one of them is killed now and then. Every subscriber of a topic with history must see every
 * accepted publication once and in one order, or be told that something is lost.
 *
 *     npm run failures                                   two minutes
 *     npm run failures -- --minutes 10
 *     npm run failures -- --only sentinel,cluster        the settings whose names contain one of these
 *
 * Each setting gets its share of the time, and each of its faults at least one turn. The last line is
 * "N passed, N failed", with one for each fault.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { patiently } from "../support/patience.ts";
import { Account } from "./account.ts";
import { FailureServer } from "./server_process.ts";
import type { Fault, Place, Setting } from "./setting.ts";
import { SETTINGS } from "./settings.ts";

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "2" }, only: { type: "string", default: "" } },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error("--minutes takes a number above 0");
  process.exit(2);
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 20));

/** One setting under trial. */
class Trial {
  passed = 0;
  failed = 0;
  killed = 0;
  readonly account = new Account();
  readonly #setting: Setting;
  readonly #place: Place;
  readonly #servers: FailureServer[] = [];
  #number = 0;

  constructor(setting: Setting, place: Place) {
    this.#setting = setting;
    this.#place = place;
  }

  async run(milliseconds: number): Promise<void> {
    const { faults } = this.#setting;
    for (let i = 0; i < 3; i++) await this.#addServer();
    await patiently(this.#everywhere("begin"), "a beginning");
    const end = performance.now() + milliseconds;
    for (let round = 0; round < faults.length || performance.now() < end; round++) {
      await this.#round(faults[round % faults.length], round);
    }
  }

  async close(): Promise<void> {
    for (const server of this.#servers) await server.kill();
    await this.#place.close();
  }

  async #round(fault: Fault, round: number): Promise<void> {
    const { account } = this;
    const before = { wrong: this.#sum(), interrupted: account.interrupted };
    const began = performance.now();
    const problems: string[] = [];
    try {
      // The oldest goes in the midst of every third fault, and another one comes after it.
      const kills = round % 3 === 2;
      const oldest = kills ? this.#servers.shift() : undefined;
      await patiently(Promise.all([this.#place.happen(fault), oldest?.kill()]), fault.name);
      if (kills) {
        this.killed++;
        await this.#addServer();
      }
      await patiently(this.#everywhere(`${round}`), "a publication everywhere");
      await patiently(this.#present(), "all members, and nobody else");
      const kept = await this.#place.lasting();
      if (kept.length > 0) problems.push(`${kept.length} keys do not expire`);
    } catch (error) {
      problems.push((error as Error).message);
    }
    account.settle();
    if (this.#sum() > before.wrong) problems.push(...account.details.splice(0));
    const told = account.interrupted - before.interrupted;
    if (fault.loses === false && told > 0) {
      problems.push(`${told} were told of a loss that there was not`);
    }
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`${fault.name}: ${seconds} s, ${told} told`);
    for (const problem of problems) console.log(`failed: ${problem}`);
    if (problems.length === 0) this.passed++;
    else this.failed++;
  }

  async #addServer(): Promise<void> {
    const runtime = this.#number % 2 === 0 ? "deno" : "bun";
    const name = `${runtime}${++this.#number}-`;
    const server = new FailureServer(runtime, name, this.#setting.name, this.#place, this.account);
    this.#servers.push(server);
    await patiently(server.ask("started"), `the start of a server under ${runtime}`);
    server.say("go");
  }

  /** Has each server publish something until all of that is everywhere. */
  async #everywhere(what: string): Promise<void> {
    for (let arrived = false; !arrived;) {
      const asked = this.#servers.map((it) => it.ask("marked", `mark ${what}`));
      const marks = await Promise.all(asked);
      const later = performance.now() + 1000;
      const reached = () => marks.every((it) => this.account.reached(it as string));
      while (!(arrived = reached()) && performance.now() < later) await soon();
    }
  }

  async #present(): Promise<void> {
    while (await this.#servers[0].ask("counted", "count") !== this.account.seats) await soon();
  }

  #sum(): number {
    return Object.values(this.account.faults).reduce((all, it) => all + it, 0);
  }
}

const wanted = values.only.toLowerCase().split(",");
const settings = SETTINGS.filter(({ name }) =>
  wanted.some((it) => name.toLowerCase().includes(it))
);
for (const { name, missing } of settings) {
  if (missing === undefined) continue;
  console.error(`${name}: ${missing}`);
  process.exit(2);
}
const turns = settings.reduce((all, { faults }) => all + faults.length, 0);
let passed = 0;
let failed = 0;
for (const setting of settings) {
  console.log(`== ${setting.name}`);
  const trial = new Trial(setting, await setting.start());
  try {
    await trial.run(minutes * 60_000 * setting.faults.length / turns);
  } finally {
    await trial.close();
  }
  passed += trial.passed;
  failed += trial.failed;
  const faults = trial.passed + trial.failed;
  console.log(`${faults} faults, ${trial.killed} servers killed: ${trial.account}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
