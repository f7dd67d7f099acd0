// What a publication to 1,000 subscribers costs the server, by what they speak: plain WebSocket, or the
// Centrifuge protocol in JSON or protobuf. `bun bench/centrifuge.ts`, or `deno run -A bench/centrifuge.ts`.
// The clients run in a process of their own. What counts is the server's processor time for each delivery.

import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "../mod.ts";
import { Centrifuge } from "../src/centrifuge/mod.ts";

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

async function measure(kind: string): Promise<void> {
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
  const each = (user + system) * 1000 / (CLIENTS * PUBLICATIONS);
  console.log(`${kind.padEnd(10)}${each.toFixed(0).padStart(6)} ns of the server a delivery`);
  await exit;
}

const [url, kind] = process.argv.slice(2);
if (url !== undefined) await beClients(url, kind);
else for (const it of KINDS) await measure(it);
