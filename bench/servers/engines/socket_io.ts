// socket.io on Node with an adapter for Redis: --adapter classic, over PUBLISH, or --adapter streams.

import { createAdapter } from "@socket.io/redis-adapter";
import { createAdapter as createStreamsAdapter } from "@socket.io/redis-streams-adapter";
import { Redis } from "ioredis";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { Server } from "socket.io";
import { TOPIC } from "../../engine_message.ts";
import { broker, takeOrders } from "./orders.ts";

const { values } = parseArgs({ options: { adapter: { type: "string" } }, strict: false });

const client = new Redis({ host: "127.0.0.1", port: broker });
const http = createServer();
const io = new Server(http, {
  adapter: values.adapter === "streams"
    ? createStreamsAdapter(client)
    : createAdapter(client, client.duplicate()),
  transports: ["websocket"],
});
io.on("connection", (socket) => void socket.join(TOPIC));
http.listen(0, "127.0.0.1", () => {
  const { port } = http.address() as { port: number };
  takeOrders(port, (text) => io.to(TOPIC).emit("m", text));
});
