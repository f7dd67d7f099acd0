// Rooms with crossws on Bun: its topics, as its manual shows them.

import crossws from "crossws/adapters/bun";
import { topicOf, topicsOf } from "./rooms.ts";

const ws = crossws({
  hooks: {
    open(peer) {
      for (const topic of topicsOf(pathOf(peer))) peer.subscribe(topic);
    },
    message(peer, message) {
      const text = message.text();
      // Its own publish leaves the sender out.
      peer.send(text);
      peer.publish(topicOf(pathOf(peer), text), text);
    },
  },
});

function pathOf(peer: { request: Request }): string {
  return new URL(peer.request.url).pathname;
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, server) => ws.handleUpgrade(request, server),
  websocket: ws.websocket,
});
console.log(`listening on ws://127.0.0.1:${server.port}`);
