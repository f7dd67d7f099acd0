// crossws on Bun: its adapter in front of Bun.serve, as its manual shows it.

import crossws from "crossws/adapters/bun";

const ws = crossws({
  hooks: {
    message(peer, message) {
      peer.send(message.rawData);
    },
  },
});

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, server) => ws.handleUpgrade(request, server),
  websocket: ws.websocket,
});
console.log(`listening on ws://127.0.0.1:${server.port}`);
