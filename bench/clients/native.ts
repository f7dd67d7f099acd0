// The `WebSocket` of the runtime itself: Node, Deno or Bun.

import { obey } from "./control.ts";

obey((url) =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("the connection failed"));
    socket.onmessage = ({ data }) => socket.send(data);
  })
);
