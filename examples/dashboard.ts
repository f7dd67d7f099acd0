/**
 * A dashboard: 25 gauges, 1,000 updates a second, and a page that draws them. A viewer that is slow, which
 * a button on the page makes it, is sent the newest of each gauge and never a queue of old ones.
 *
 * ```sh
 * deno run --allow-net --allow-read examples/dashboard.ts
 * bun run examples/dashboard.ts
 * ```
 *
 * The page is `dashboard.html` with its `dashboard.css`, `dashboard_page.js`, `dashboard_plot.js`, and
 * `dashboard_reader.js`, a worker that has the WebSocket.
 *
 * @module
 */
import { performance } from "node:perf_hooks";
import { WebSocketServer } from "../mod.ts";
import { Gauge } from "./dashboard_gauge.ts";
import { readFlags, runServer, serverUrl } from "./flags.ts";
import { servePage } from "./page.ts";
import { requireSameOrigin } from "./same_origin.ts";

const TOPIC = "numbers";
const GAUGES = 25;
/** Updates a second, of all gauges together. */
const RATE = 1000;
/** How often updates are published, in milliseconds. */
const PERIOD = 25;

const flags = readFlags({
  name: "dashboard.ts",
  about: "Gauges at 1,000 updates a second, and a page that draws them.",
  port: 8080,
});
const server = await runServer(flags, createServer);
console.log(`open ${serverUrl(server, flags, "http")}/ in a browser`);

function createServer(): WebSocketServer {
  let timer: ReturnType<typeof setInterval>;
  return new WebSocketServer({
    // Of a gauge that is slow, a viewer is sent the newest update: all have keys.
    topics: { slow: "latest" },
    highWaterMark: 64 * 1024,
    maxRecvSize: 1024,
    tickPeriod: 0.5,
    ...flags.options,
    onRequest: servePage(
      { file: "dashboard.html", trustedTypes: "dashboard" },
      "dashboard.css",
      "dashboard_page.js",
      "dashboard_plot.js",
      "dashboard_reader.js",
    ),
    onConnect(_server, connection) {
      connection.on({
        // Behind a proxy Host may be another: then --origin tells what the pages' origin is.
        handshake: flags.options.allowedOrigins === undefined ? requireSameOrigin : undefined,
        ready: (connection) => void connection.subscribe(TOPIC),
      });
    },
    // Nothing is measured while nobody looks.
    onTopicOpen: (server) => void (timer = measure(server)),
    onTopicClose: () => clearInterval(timer),
    onTick: tellCounts,
  });
}

/** Publishes updates of all gauges in turn. */
function measure(server: WebSocketServer): ReturnType<typeof setInterval> {
  const gauges = Array.from({ length: GAUGES }, (_, number) => new Gauge(number, GAUGES / RATE));
  let last = performance.now();
  return setInterval(() => {
    const now = performance.now();
    // Timers are late now and then; after a longer pause nobody wants all that was missed.
    const due = Math.min(Math.floor((now - last) * RATE / 1000), RATE);
    last = due === RATE ? now : last + due * 1000 / RATE;
    for (let i = 0; i < due; i++) {
      const gauge = gauges.shift()!;
      gauges.push(gauge);
      void server.publish(TOPIC, gauge.measure(), { key: String(gauge.number) });
    }
  }, PERIOD);
}

/** Tells each viewer what became of the updates for it. */
function tellCounts(server: WebSocketServer): void {
  const topic = server.topics.get(TOPIC);
  for (const viewer of topic?.connections ?? []) {
    viewer.sendUtf8(JSON.stringify({
      viewers: topic!.subscriberCount,
      published: topic!.counts.published,
      leftOut: viewer.subscriptions.get(TOPIC)!.leftOut,
      waiting: viewer.bufferedAmount,
    }));
  }
}
