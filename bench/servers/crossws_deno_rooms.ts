// Rooms with crossws on Deno: its topics, as its manual shows them.

import crossws from "crossws/adapters/deno";
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

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening on ws://127.0.0.1:${port}`),
}, (request, info) => ws.handleUpgrade(request, info));
