// Rooms with Duet.

import process from "node:process";
import { parseArgs } from "node:util";
import { type WebSocketConnection, WebSocketServer } from "../../mod.ts";
import { Members } from "./rooms.ts";

const { values } = parseArgs({
  options: { transport: { type: "string" } },
  strict: false,
});
if (values.transport !== "http" && values.transport !== "tcp") {
  console.error("say which transport to use: --transport http or --transport tcp");
  process.exit(2);
}

const members = new Members<WebSocketConnection>();
const server = new WebSocketServer({
  hostname: "127.0.0.1",
  port: 0,
  transport: values.transport,
  onConnect(server, conn) {
    conn.on({
      ready: () => members.join(conn.path, conn),
      utf8: (_, data) => void server.broadcast(data, members.of(conn.path, data)),
    });
  },
});
await server.start();
console.log(`listening on ws://127.0.0.1:${server.port}`);
