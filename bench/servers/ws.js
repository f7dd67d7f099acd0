// `ws` as its README shows it, on Node, Deno and Bun (Bun puts a module of its own in the place of the package).
// JavaScript, because not every Node that is in use runs TypeScript.

import process from "node:process";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";

const { values } = parseArgs({
  options: { deflate: { type: "boolean", default: false }, "max-size": { type: "string" } },
});

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: values.deflate,
  maxPayload: Number(values["max-size"] ?? 16 << 20),
});
server.on("connection", (socket) => {
  socket.on("error", (error) => process.stderr.write(`a connection failed: ${error.message}\n`));
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.on("listening", () => {
  console.log(`listening on ws://127.0.0.1:${server.address().port}`);
});
