// Rooms with Bun.serve alone: its own topics.

import { topicOf, topicsOf } from "./rooms.ts";

const server = Bun.serve<{ path: string }>({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    if (server.upgrade(request, { data: { path: new URL(request.url).pathname } })) return;
    return new Response("this server speaks WebSocket only", { status: 426 });
  },
  websocket: {
    open(ws) {
      for (const topic of topicsOf(ws.data.path)) ws.subscribe(topic);
    },
    message(ws, message) {
      server.publish(topicOf(ws.data.path, message as string), message);
    },
  },
});
console.log(`listening on ws://127.0.0.1:${server.port}`);
