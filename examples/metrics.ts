/**
 * An echo server that is watched: Prometheus reads `/metrics`, and the page at `/` shows the same every second.
 * Run it with `deno run --allow-net --allow-read examples/metrics.ts` or `bun run examples/metrics.ts`.
 *
 * @module
 */
import { type ServerStatistics, WebSocketServer } from "../mod.ts";
import { readFlags, runServer, serverUrl } from "./flags.ts";
import { servePage } from "./page.ts";

const flags = readFlags({ name: "metrics.ts", about: "A server that is watched.", port: 8083 });
const page = servePage("metrics.html", "metrics.css", "metrics_page.js");
const headers = { "content-type": "text/plain; charset=utf-8" };
const server: WebSocketServer = await runServer(flags, () =>
  new WebSocketServer({
    ...flags.options,
    tickPeriod: 1,
    onTick: (server) => server.broadcast(JSON.stringify(server.statistics)),
    onConnect: (_server, client) => void client.on({ message: (client, it) => client.send(it) }),
    onRequest: (request) =>
      new URL(request.url).pathname === "/metrics"
        ? new Response(prometheus(server.statistics), { headers })
        : page(request),
  }));
console.log(`open ${serverUrl(server, flags, "http")}/ in a browser`);

/** Writes statistics in the text format of Prometheus. */
function prometheus({ open, closed, ...counts }: ServerStatistics): string {
  let text = `duet_open ${open}\n`;
  for (const [code, n] of Object.entries(closed)) {
    text += `duet_closed_total{code="${code}"} ${n}\n`;
  }
  for (const [name, n] of Object.entries(counts)) {
    text += `duet_${name.replace(/[A-Z]/g, (it) => `_${it.toLowerCase()}`)}_total ${n}\n`;
  }
  return text;
}
