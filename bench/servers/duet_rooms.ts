// Rooms with Duet: its topics.

import process from "node:process";
import { parseArgs } from "node:util";
import { type WebSocketConnection, WebSocketServer } from "../../mod.ts";
import { topicOf, topicsOf } from "./rooms.ts";

const { values } = parseArgs({
  options: { transport: { type: "string" } },
  strict: false,
});
if (values.transport !== "http" && values.transport !== "tcp") {
  console.error("say which transport to use: --transport http or --transport tcp");
  process.exit(2);
}

const server = new WebSocketServer({
  hostname: "127.0.0.1",
  port: 0,
  transport: values.transport,
  onConnect(server, conn) {
    let path = "";
    conn.on({
      ready() {
        path = pathOf(conn);
        for (const topic of topicsOf(path)) conn.subscribe(topic);
      },
      utf8: (_, data) => void server.publish(topicOf(path, data), data),
    });
  },
});
await server.start();
console.log(`listening on ws://127.0.0.1:${server.port}`);

function pathOf(conn: WebSocketConnection): string {
  return conn.handshake!.request.uri.pathname;
}
