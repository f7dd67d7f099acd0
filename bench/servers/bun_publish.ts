// A broadcast with Bun.serve alone: every connection subscribes to one topic.

const TOPIC = "everyone";

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    if (server.upgrade(request)) return;
    return new Response("this server speaks WebSocket only", { status: 426 });
  },
  websocket: {
    open(ws) {
      ws.subscribe(TOPIC);
    },
    message(_, message) {
      server.publish(TOPIC, message);
    },
  },
});
console.log(`listening on ws://127.0.0.1:${server.port}`);
