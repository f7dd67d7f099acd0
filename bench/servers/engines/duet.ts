// Duet with an engine.

import { connect } from "@nats-io/transport-node";
import { Redis } from "ioredis";
import process from "node:process";
import { parseArgs } from "node:util";
import { WebSocketServer } from "../../../mod.ts";
import { natsEngine } from "../../../src/nats/mod.ts";
import { redisEngine } from "../../../src/redis/mod.ts";
import { TOPIC } from "../../engine_message.ts";
import { broker, takeOrders } from "./orders.ts";

const { values } = parseArgs({
  options: {
    engine: { type: "string" },
    transport: { type: "string" },
    history: { type: "boolean", default: false },
  },
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
  engine: values.engine === "nats"
    ? natsEngine(() => connect({ servers: `127.0.0.1:${broker}` }))
    : redisEngine(new Redis({ host: "127.0.0.1", port: broker, lazyConnect: true })),
  ...(values.history === true && { topics: { history: { count: 100, age: 60 } } }),
  onConnect(_server, conn) {
    conn.on({ ready: () => void conn.subscribe(TOPIC) });
  },
});
await server.start();
takeOrders(server.port, (text) => {
  server.publish(TOPIC, text).then(({ accepted, error }) => {
    if (accepted !== true) console.error(`a message was not published: ${error?.message}`);
  });
});
