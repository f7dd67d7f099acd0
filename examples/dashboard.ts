/**
 * A dashboard: 25 gauges, 1,000 updates a second, and a page that draws them. A viewer that is slow, which
 * a button on the page makes it, is sent the newest of each gauge and never a queue of old ones. @module
 */
import { WebSocketServer } from "../mod.ts";
import { measureAll } from "./dashboard_gauge.ts";
import { readFlags, runServer, serverUrl } from "./flags.ts";
import { servePage } from "./page.ts";
import { requireSameOrigin } from "./same_origin.ts";

const flags = readFlags({ name: "dashboard.ts", about: "A page that draws gauges.", port: 8080 });
const files = ["dashboard.css", "dashboard_page.js", "dashboard_plot.js", "dashboard_reader.js"];
const onRequest = servePage({ file: "dashboard.html", trustedTypes: "dashboard" }, ...files);
// Behind a proxy Host may be another: then --origin tells what the pages' origin is.
const handshake = flags.options.allowedOrigins === undefined ? requireSameOrigin : undefined;
const defaults = { highWaterMark: 64 * 1024, maxRecvSize: 1024, tickPeriod: 0.5 };
let timer: ReturnType<typeof setInterval>; // nothing is measured while nobody looks
const server = await runServer(flags, () =>
  new WebSocketServer({
    topics: { slow: "latest" }, // the newest of each key, and each gauge is one
    ...defaults,
    ...flags.options,
    onRequest,
    onConnect: (_, it) => void it.on({ handshake, ready: (it) => it.subscribe("numbers") }),
    onTopicOpen: (server, topic) => void (timer = measureAll(server, topic)),
    onTopicClose: () => clearInterval(timer),
    onTick: tellCounts,
  }));
console.log(`open ${serverUrl(server, flags, "http")}/ in a browser`);

/** Tells each viewer what became of the updates for it. */
function tellCounts({ topics }: WebSocketServer): void {
  const topic = topics.get("numbers");
  for (const it of topic?.connections ?? []) {
    const { subscriberCount: viewers, counts: { published } } = topic!;
    const { leftOut } = it.subscriptions.get("numbers")!;
    it.sendUtf8(JSON.stringify({ viewers, published, leftOut, waiting: it.bufferedAmount }));
  }
}
