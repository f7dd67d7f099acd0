// crossws on Deno: its adapter in front of Deno.serve, as its manual shows it.

import crossws from "crossws/adapters/deno";

const ws = crossws({
  hooks: {
    open(peer) {
      // Left alone, each binary message would come as a Blob, which is slower still.
      peer.websocket.binaryType = "arraybuffer";
    },
    message(peer, message) {
      peer.send(message.rawData);
    },
  },
});

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`listening on ws://127.0.0.1:${port}`),
}, (request, info) => ws.handleUpgrade(request, info));
