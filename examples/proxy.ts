/**
 * Passes WebSockets on to another server, `--to ws://…`, with backpressure and closing codes both ways.
 *
 * @module
 */
import { bridge, connect } from "../client/mod.ts";
import { WebSocketServer } from "../mod.ts";
import { readFlags, runServer } from "./flags.ts";

const flags = readFlags({
  name: "proxy.ts",
  about: "Passes WebSockets on to another server.",
  port: 8083,
  own: { to: ["URL", "the server behind it (default ws://127.0.0.1:8081)"] },
});
const { to = "ws://127.0.0.1:8081" } = flags.own;

await runServer(flags, () =>
  new WebSocketServer({
    ...flags.options,
    onConnect(_server, client) {
      client.on({
        // Until it settles, what the client sends waits.
        async ready(client) {
          const behind = await connect(to).catch(() => undefined);
          if (behind === undefined) client.disconnect(1014);
          else void bridge(client, behind);
        },
      });
    },
  }));
