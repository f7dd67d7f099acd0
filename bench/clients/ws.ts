// The client of `ws`, on Node, Deno and Bun (Bun puts a module of its own in the place of the package).

import { WebSocket } from "ws";
import { obey } from "./control.ts";

obey((url, deflate) =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { perMessageDeflate: deflate });
    socket.on("open", resolve);
    socket.on("error", reject);
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  })
);
