/**
 * npm `centrifuge` as it is, under every runtime and in a browser, with both codecs, against every transport.
 * All of them at once live through a restart of their servers and of what carries the publications.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Browser, chromium } from "playwright-core";
import { WebSocketServer } from "../../mod.ts";
import { engineAt, type Kind } from "../centrifuge/clients/engine.ts";
import type { Told } from "../centrifuge/clients/story.d.ts";
import { chromiumFile, noChromium } from "../support/chromium.ts";
import { Journal } from "../support/journal.ts";
import { NatsServer, NO_NATS } from "../support/nats_server.ts";
import { NO_REDIS, RedisServer } from "../support/redis_server.ts";
import { ServerProcess } from "../support/server_process.ts";

const RUNTIMES = ["deno", "bun", "node"] as const;
const CODECS = ["JSON", "protobuf"] as const;
const CLIENTS = [...RUNTIMES, "chromium"] as const;
const PATH = "/connection/websocket";

type Runtime = typeof RUNTIMES[number];
type Client = typeof CLIENTS[number];

interface Cell {
  readonly name: string;
  readonly url: string;
  readonly codec: typeof CODECS[number];
}

/** What the clients tell, by what it is. */
class Account {
  readonly did = new Journal<Told>();
  readonly back = new Journal<Told>();
  readonly heard = new Journal<Told>();
  readonly add = (told: Told): void => {
    const journal = told.did ? this.did : told.heard ? this.heard : this.back;
    journal.add(told);
  };
}

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");
const folder = fileURLToPath(new URL("../centrifuge/clients/", import.meta.url));

function command(runtime: Runtime, file: string): [string, ...string[]] {
  const program = fileURLToPath(
    new URL(`../../node_modules/.bin/${runtime}`, import.meta.url),
  );
  const flags = {
    deno: ["run", "-A"],
    bun: ["run"],
    node: ["--disable-warning=ExperimentalWarning"],
  };
  return [program, ...flags[runtime], folder + file];
}

/** Plays cells in a process of a runtime, which ends by itself once all have ended. */
function playIn(runtime: Runtime, cells: Cell[], told: Account): () => void {
  const [program, ...args] = command(runtime, "peer.ts");
  const child = spawn(program, [...args, JSON.stringify(cells)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  createInterface({ input: child.stdout }).on("line", (line) => told.add(JSON.parse(line)));
  return () => void child.kill("SIGKILL");
}

/** Plays cells in a page, with the files of the library that are for pages. */
async function playInPage(browser: Browser, cells: Cell[], told: Account): Promise<void> {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(error));
  await page.exposeFunction("say", told.add);
  for (const codec of CODECS) {
    const file = codec === "JSON" ? "centrifuge.js" : "centrifuge.protobuf.js";
    await page.addScriptTag({ content: read(`../../node_modules/centrifuge/dist/${file}`) });
    await page.evaluate(`globalThis.${codec}Client = Centrifuge`);
  }
  const module = `data:text/javascript,${
    encodeURIComponent(read("../centrifuge/clients/story.js"))
  }`;
  await page.evaluate(
    `import(${JSON.stringify(module)}).then(({ story }) => {
      for (const cell of ${JSON.stringify(cells)}) {
        void story(globalThis[cell.codec + "Client"], WebSocket, cell, say);
      }
    })`,
  );
}

const nameOf = (client: Client, codec: string, server: string) => `${client}, ${codec}, ${server}`;

interface Place {
  readonly port: number;
  kill(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

const serversOf = (runtimes: readonly Runtime[]) =>
  runtimes.flatMap((it) => [`${it}_http`, `${it}_tcp`]);

/** Lets all clients live through everything; gives what was published. */
async function play(
  { kind, clients, runtimes }: Case,
  place: Place,
  told: Account,
) {
  const spawn = (runtime: Runtime, ports: readonly string[] = []) =>
    ServerProcess.spawn([...command(runtime, "server.ts"), kind, `${place.port}`, ...ports]);
  let servers = await Promise.all(runtimes.map((it) => spawn(it)));
  const ports = servers.map((it) => it.url.split(","));
  // It stays while the others are away, and publishes.
  const publisher = await new WebSocketServer({
    hostname: "127.0.0.1",
    engine: engineAt(kind, place.port),
    topics: { history: { count: 1000, age: 60 }, presence: true },
    debug: 0,
  }).start();
  const [accepted, unsure]: number[][] = [[], []];
  let last = 0;
  const publish = async () => {
    const n = ++last;
    const { accepted: is } = await publisher.publish("all", `${n}`);
    if (is !== false) (is === true ? accepted : unsure).push(n);
    return is === true;
  };
  const publishMany = async () => {
    for (let n = 0; n < 10; n++) assert(await publish());
  };
  const browser = clients.includes("chromium") && !noChromium
    ? await chromium.launch({
      executablePath: chromiumFile,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    })
    : undefined;
  const cellsOf = (client: Client): Cell[] =>
    CODECS.flatMap((codec) =>
      serversOf(runtimes).map((server, at) => ({
        name: nameOf(client, codec, server),
        url: `ws://127.0.0.1:${ports.flat()[at]}${PATH}`,
        codec,
      }))
    );
  const processes = clients.filter((it) => it !== "chromium");
  const ends = processes.map((it) => playIn(it, cellsOf(it), told));
  try {
    if (browser !== undefined) await playInPage(browser, cellsOf("chromium"), told);
    const kinds = processes.length + (browser === undefined ? 0 : 1);
    const count = kinds * CODECS.length * serversOf(runtimes).length;
    await told.did.first(count);
    await publishMany();
    // One as by a service manager, the others as by a crash.
    await Promise.all(servers.map((it, at) => at === 0 ? it.stop() : it[Symbol.asyncDispose]()));
    await publishMany();
    servers = await Promise.all(runtimes.map((it, at) => spawn(it, ports[at])));
    await publishMany();
    await told.back.first(count);
    await publishMany();
    await place.kill();
    const during = publish();
    await place.start();
    await during;
    // They come back by themselves; from then on everything is accepted.
    while (!await publish()) await new Promise((resolve) => setTimeout(resolve, 20));
    await publishMany();
    await publisher.publish("all", '"end"');
    await told.heard.first(count);
  } finally {
    for (const end of ends) end();
    await browser?.close();
    await Promise.all([publisher.shutdown(), ...servers.map((it) => it[Symbol.asyncDispose]())]);
    await place.close();
  }
  return { accepted, unsure };
}

interface Case {
  readonly kind: Kind;
  readonly missing: string | undefined;
  readonly clients: readonly Client[];
  /** Those of the servers. */
  readonly runtimes: readonly Runtime[];
  start(): Promise<Place>;
}

const cases: readonly Case[] = [
  {
    kind: "redis",
    missing: NO_REDIS,
    clients: CLIENTS,
    runtimes: RUNTIMES,
    start: () => RedisServer.start("--appendonly", "yes", "--appendfsync", "always"),
  },
  {
    kind: "nats",
    missing: NO_NATS,
    clients: ["bun"],
    runtimes: ["bun"],
    start: () => NatsServer.start(),
  },
];

for (const aCase of cases) {
  const { kind, missing, clients, runtimes, start } = aCase;
  describe(`npm centrifuge over ${kind}`, { skip: missing !== undefined }, () => {
    const told = new Account();
    let accepted: number[] = [];
    let unsure: number[] = [];
    before(async () => void ({ accepted, unsure } = await play(aCase, await start(), told)));
    const of = (journal: Journal<Told>, name: string) =>
      journal.entries.filter((it) => it.name === name);

    for (const client of clients) {
      const skip = client === "chromium" && noChromium;
      for (const codec of CODECS) {
        it(`${client}, ${codec}: does all there is, then misses nothing and hears nothing twice`, {
          skip,
        }, () => {
          for (const server of serversOf(runtimes)) {
            const name = nameOf(client, codec, server);
            const guest = `guest of ${name}`;
            assert.deepEqual(of(told.did, name).map((it) => it.did), [{
              happened: [
                ["join", guest],
                [{ n: 1 }, guest],
                [{ n: 2 }, name],
                ["leave", guest, { name: guest }],
              ],
              history: [{ n: 1 }, { n: 2 }],
              isAtTop: true,
              presence: [name, guest].sort(),
              stats: { numClients: 2, numUsers: 2 },
              rpc: ["double", 21],
            }]);
            const [{ heard = [] }] = of(told.heard, name);
            assert.deepEqual(heard.filter((it) => !unsure.includes(it)), accepted, name);
            assert.equal(new Set(heard).size, heard.length, name);
            assert(of(told.back, name).every((it) => it.back), name);
          }
        });
      }
    }
  });
}
