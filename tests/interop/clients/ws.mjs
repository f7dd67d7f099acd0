// The `ws` package on Node.
import assert from "node:assert/strict";
import { once } from "node:events";
import process from "node:process";
import WebSocket from "ws";
import { messages } from "./messages.mjs";

const socket = new WebSocket(process.argv[2]);
await once(socket, "open");
for (const message of messages) {
  socket.send(message);
  const [data, isBinary] = await once(socket, "message");
  assert.equal(isBinary, typeof message !== "string");
  assert.deepEqual(isBinary ? new Uint8Array(data) : data.toString(), message);
}
socket.close(1000);
await once(socket, "close");
