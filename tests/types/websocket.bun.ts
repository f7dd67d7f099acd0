// `server.websocket` is what Bun.serve takes.
import { WebSocketServer } from "../../mod.ts";

const server = new WebSocketServer();
Bun.serve({
  port: 0,
  websocket: server.websocket,
  fetch: (request, info) => server.upgrade(request, info),
});
