// A WebSocket server by hand on Bun's own: all who come are subscribed to the topic of these suites.

import { TOPIC } from "../../engine_message.ts";

export const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, server) =>
    server.upgrade(request) ? undefined : new Response(null, { status: 426 }),
  websocket: {
    open: (socket) => void socket.subscribe(TOPIC),
    message: () => {},
  },
});
