// bun bench/subscriptions.ts [--connections 1000] [--topics 1000] [--transport tcp]
// deno run -A --v8-flags=--expose-gc bench/subscriptions.ts
//
// What a subscription and a topic cost in memory: connections that all subscribe to the same topics, then to topics of
// their own, plain ones and ones that keep a history. By default that is a million subscriptions on one server. Then
// one message goes to each of the common topics, and every connection must get each of them once.

import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type WebSocketConnection, WebSocketServer } from "../mod.ts";

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "1000" },
    topics: { type: "string", default: "1000" },
    transport: { type: "string", default: "tcp" },
  },
});
const connections = Number(values.connections);
const topics = Number(values.topics);
/** Topics of a connection's own, of each kind. */
const OWN = 100;
/** Milliseconds after which what has not come counts as lost. */
const LONGEST = 120_000;

const server = new WebSocketServer({
  hostname: "127.0.0.1",
  port: 0,
  transport: values.transport === "http" ? "http" : "tcp",
  // The clients answer no pings.
  silenceMax: 0,
  maxTopicsPerConnection: topics + 2 * OWN,
  topics: (name) => name.startsWith("kept") ? { history: { count: 100, age: 60 } } : {},
});
await server.start();

let received = 0;
const clients: Socket[] = [];
for (let i = 0; i < connections; i++) clients.push(await open(server.port));
while (server.connections.size < connections) await sleep(10);

console.log(
  `${process.versions.bun ? "Bun" : "Deno"} ${values.transport}, ${connections} connections`,
);
const before = await memory();
await subscribe(topics, (_, i) => `common ${i}`);
const common = await memory();
const count = connections * topics;
const subscription = report(`${count} subscriptions to ${topics} topics`, before, common, count);
await subscribe(OWN, (n, i) => `own ${n} ${i}`);
const own = await memory();
const owned = connections * OWN;
const each = report(`${owned} topics with one subscription`, common, own, owned);
await subscribe(OWN, (n, i) => `kept ${n} ${i}`);
const kept = await memory();
const history = report(`${owned} topics with a history and one subscription`, own, kept, owned);
console.log(
  `a subscription ${subscription} B, a topic ${each - subscription} B, ` +
    `one with a history ${history - subscription} B`,
);

const message = "x".repeat(100);
const frame = 2 + message.length;
const began = performance.now();
for (let i = 0; i < topics; i++) await server.publish(`common ${i}`, message);
while (received < count * frame && performance.now() - began < LONGEST) await sleep(1);
const seconds = (performance.now() - began) / 1000;
await sleep(100);
if (received !== count * frame) throw new Error(`${received} bytes came, not ${count * frame}`);
console.log(`${count} messages delivered in ${seconds.toFixed(2)} s`);
process.exit(0);

/** Opens a connection that counts what it gets behind the response. */
async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(
    "GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  const [head] = await once(socket, "data") as [Buffer];
  if (!head.toString("latin1").startsWith("HTTP/1.1 101")) throw new Error("no handshake");
  socket.on("data", (chunk: Buffer) => received += chunk.length);
  return socket;
}

/** Subscribes every connection to so many topics. */
async function subscribe(many: number, name: (n: number, i: number) => string): Promise<void> {
  let n = 0;
  for (const connection of server.connections) {
    await Promise.all(Array.from({ length: many }, (_, i) => one(connection, name(n, i))));
    n++;
  }
}

function one(connection: WebSocketConnection, topic: string): Promise<unknown> {
  return connection.subscribe(topic);
}

interface Memory {
  rss: number;
  heap: number;
}

/** Memory in use, once garbage is gone. */
async function memory(): Promise<Memory> {
  const global = globalThis as { gc?: () => void; Bun?: { gc(sync: boolean): void } };
  for (let i = 0; i < 5; i++) {
    global.Bun?.gc(true);
    global.gc?.();
    await sleep(100);
  }
  const { rss, heapUsed } = process.memoryUsage();
  return { rss, heap: heapUsed };
}

/** Prints what came on top, and gives the bytes of heap for each. */
function report(what: string, before: Memory, after: Memory, count: number): number {
  const heap = Math.round((after.heap - before.heap) / count);
  const rss = Math.round((after.rss - before.rss) / count);
  console.log(
    `${what}: ${heap} B of heap and ${rss} B of resident memory each, ` +
      `${Math.round(after.rss / 1e6)} MB in all`,
  );
  return heap;
}
