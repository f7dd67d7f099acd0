// The global WebSocket of Deno or Bun.
import assert from "node:assert/strict";
import process from "node:process";
import { messages } from "./messages.mjs";

const socket = new WebSocket(process.argv[2]);
socket.binaryType = "arraybuffer";
const event = (name) =>
  new Promise((resolve) => socket.addEventListener(name, resolve, { once: true }));
await event("open");
for (const message of messages) {
  const answer = event("message");
  socket.send(message);
  const { data } = await answer;
  assert.deepEqual(typeof data === "string" ? data : new Uint8Array(data), message);
}
const closed = event("close");
socket.close(1000);
await closed;
process.exit(0);
