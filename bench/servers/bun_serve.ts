// Bun.serve alone: its own WebSocket handlers echo what comes.

import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { deflate: { type: "boolean", default: false }, "max-size": { type: "string" } },
});
const size = Number(values["max-size"] ?? 16 << 20);
const compress = values.deflate;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    if (server.upgrade(request)) return;
    return new Response("this server speaks WebSocket only", { status: 426 });
  },
  websocket: {
    perMessageDeflate: compress,
    maxPayloadLength: size,
    backpressureLimit: 2 * size,
    message(ws, message) {
      ws.send(message, compress);
    },
  },
});
console.log(`listening on ws://127.0.0.1:${server.port}`);
