// An echo of Duet's on a server of node:http or node:https of the application's own, on Node, Deno and Bun.
// With --slow no handler of a message ever settles.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import process from "node:process";
import { parseArgs } from "node:util";
import { WebSocketServer } from "../../mod.ts";

const { values } = parseArgs({
  options: {
    deflate: { type: "boolean", default: false },
    "max-size": { type: "string" },
    cert: { type: "string" },
    key: { type: "string" },
    slow: { type: "boolean", default: false },
  },
});

const server = new WebSocketServer({
  transport: "tcp",
  maxRecvSize: Number(values["max-size"] ?? 16 << 20),
  extensions: values.deflate ? "permessage-deflate" : [],
  onConnect(_server, connection) {
    connection.on({
      message: values.slow
        ? () => new Promise(() => {})
        : (connection, data) => void connection.send(data),
    });
  },
});
const { cert, key } = values;
const secure = cert !== undefined && key !== undefined;
const app = secure
  ? createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }) as unknown as Server
  : createServer();
app.on("upgrade", (request, socket, head) => server.handleUpgrade(request, socket, head));
app.listen(0, "127.0.0.1");
await once(app, "listening");
const { port } = app.address() as { port: number };
console.log(`listening on ${secure ? "wss" : "ws"}://127.0.0.1:${port}`);
process.once("SIGTERM", async () => {
  await server.shutdown();
  process.exit(0);
});
