// Deno.serve alone: the WebSocket echo that its manual shows, with binary messages as ArrayBuffers. With
// --idle-timeout S it drops clients that have been silent for so long, as ours do.

import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { "idle-timeout": { type: "string" } } });
const seconds = values["idle-timeout"];
const options = seconds === undefined ? {} : { idleTimeout: Number(seconds) };

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening on ws://127.0.0.1:${port}`),
}, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request, options);
  socket.binaryType = "arraybuffer";
  socket.onmessage = (event) => socket.send(event.data);
  return response;
});
