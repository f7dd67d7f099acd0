// A broadcast with Duet: what one connection says goes to all.

import process from "node:process";
import { parseArgs } from "node:util";
import { WebSocketServer } from "../../mod.ts";

const { values } = parseArgs({ options: { transport: { type: "string" } } });
if (values.transport !== "http" && values.transport !== "tcp") {
  console.error("say which transport to use: --transport http or --transport tcp");
  process.exit(2);
}

const server = new WebSocketServer({
  hostname: "127.0.0.1",
  port: 0,
  transport: values.transport,
  onConnect(server, conn) {
    conn.on({ message: (_, data) => void server.broadcast(data) });
  },
});
await server.start();
console.log(`listening on ws://127.0.0.1:${server.port}`);
