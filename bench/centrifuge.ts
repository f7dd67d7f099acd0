// What a publication to 1,000 subscribers costs the server, by what they speak: plain WebSocket, or the
// Centrifuge protocol in JSON or protobuf. `bun bench/centrifuge.ts`, or `deno run -A bench/centrifuge.ts`;
// `--rounds 1` for a quick look. The clients run in a process of their own. What counts is the server's
// processor time for each delivery, and what encoding a publication takes, which is done once for all.

import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WebSocketServer } from "../mod.ts";
import { formatsOf } from "../src/centrifuge/formats.ts";
import { jsonCodec } from "../src/centrifuge/json_codec.ts";
import { Centrifuge } from "../src/centrifuge/mod.ts";
import { protobufCodec } from "../src/centrifuge/protobuf_codec.ts";

const CLIENTS = 1000;
const PUBLICATIONS = 300;
const KINDS = ["plain", "JSON", "protobuf"];
const DATA = JSON.stringify({ symbol: "DUET", price: 123.45, volume: 6789, text: "x".repeat(60) });
const CONNECT = '{"id":1,"connect":{}}';
/** The same in protobuf, behind its length. */
const CONNECT_BYTES = Uint8Array.of(4, 8, 1, 34, 0);

/** Opens the clients, says "ready", and says "done" when each has been sent everything. */
async function beClients(url: string, kind: string): Promise<void> {
  let [ready, left] = [0, CLIENTS];
  const everything = Promise.withResolvers<void>();
  const open = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const path = kind === "plain" ? "/plain" : "/connection/websocket";
      const socket = new WebSocket(url + path, kind === "protobuf" ? ["centrifuge-protobuf"] : []);
      // Who speaks the protocol is answered once before there is any publication.
      let expected = PUBLICATIONS + (kind === "plain" ? 0 : 1);
      socket.onopen = () => {
        if (kind === "plain") resolve();
        else socket.send(kind === "JSON" ? CONNECT : CONNECT_BYTES);
      };
      socket.onerror = reject;
      socket.onmessage = () => {
        resolve();
        if (--expected === 0 && --left === 0) everything.resolve();
      };
    });
  for (; ready < CLIENTS; ready += 50) await Promise.all(Array.from({ length: 50 }, open));
  console.log("ready");
  await everything.promise;
  console.log("done");
  process.exit(0);
}

/** Gives the nanoseconds of the server for each delivery. */
async function measure(kind: string): Promise<number> {
  await using server = new WebSocketServer({
    transport: "tcp",
    hostname: "127.0.0.1",
    debug: 0,
    onConnect: (_server, connection) =>
      void connection.on({ ready: (connection) => void connection.subscribe("t") }),
  });
  new Centrifuge(server, { onConnect: () => ({ user: "", subs: { t: {} } }), ping: 3600 });
  await server.start();
  const flags = "Bun" in globalThis ? ["run"] : ["run", "-A"];
  const child = spawn(process.execPath, [
    ...flags,
    fileURLToPath(import.meta.url),
    `ws://127.0.0.1:${server.port}`,
    kind,
  ], { stdio: ["ignore", "pipe", "inherit"] });
  const exit = once(child, "exit");
  let start = process.cpuUsage();
  for await (const line of createInterface({ input: child.stdout! })) {
    if (line === "done") break;
    while (server.subscriberCount("t") < CLIENTS) await new Promise((go) => setTimeout(go, 10));
    start = process.cpuUsage();
    for (let n = 0; n < PUBLICATIONS; n++) {
      await server.publish("t", DATA);
      if (n % 10 === 9) await new Promise((go) => setTimeout(go, 10));
    }
  }
  const { user, system } = process.cpuUsage(start);
  await exit;
  return (user + system) * 1000 / (CLIENTS * PUBLICATIONS);
}

/** Gives the nanoseconds that encoding a publication takes. */
function measureEncoding(codec: typeof jsonCodec): number {
  const { quiet } = formatsOf(codec);
  const publication = { id: "1", data: DATA, offset: 12_345, time: Date.now() };
  const encode = (times: number) => {
    const start = process.cpuUsage();
    for (let n = 0; n < times; n++) quiet.publication("t", publication);
    const { user, system } = process.cpuUsage(start);
    return (user + system) * 1000 / times;
  };
  encode(20_000);
  return encode(200_000);
}

function print(what: string, figures: number[], unit: string): void {
  const sorted = figures.toSorted((a, b) => a - b);
  const [least, median, most] = [0, (sorted.length - 1) / 2, sorted.length - 1]
    .map((at) => sorted[Math.floor(at)].toFixed(0));
  const spread = `(${least} to ${most})`;
  console.log(`${what.padEnd(10)}${median.padStart(6)} ${spread.padEnd(16)} ${unit}`);
}

const { positionals: [url, kind], values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "5" } },
});
if (url !== undefined) await beClients(url, kind);
else {
  const rounds = Number(values.rounds);
  const figures = new Map<string, number[]>(KINDS.map((it) => [it, []]));
  for (let round = 0; round < rounds; round++) {
    // Each is the first in its turn.
    const order = KINDS.map((_, at) => KINDS[(at + round) % KINDS.length]);
    for (const it of order) figures.get(it)!.push(await measure(it));
  }
  console.log(`${CLIENTS} clients, ${PUBLICATIONS} publications, ${rounds} rounds: median (range)`);
  for (const [it, all] of figures) print(it, all, "ns of the server for each delivery");
  for (const [it, codec] of [["JSON", jsonCodec], ["protobuf", protobufCodec]] as const) {
    const all = Array.from({ length: rounds }, () => measureEncoding(codec));
    print(it, all, "ns for encoding a publication, once for all");
  }
}
