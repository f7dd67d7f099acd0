/**
 * Several kinds of sockets on one port: rooms to talk in, `/chat/:room`, whose messages are short texts; an
 * `/upload/:name` that tells how much has come; and a `/clock`.
 *
 * @module
 */
import { WebSocketConnection, WebSocketServer } from "../mod.ts";
import { readFlags, runServer } from "./flags.ts";

class Upload extends WebSocketConnection {
  bytes = 0;
}

const about = "Several kinds of sockets on one port.";
const flags = readFlags({ name: "sockets.ts", about, port: 8087 });
await runServer(flags, () => {
  const server = new WebSocketServer({
    tickPeriod: 1,
    ...flags.options,
    onTick: (server) => server.publish("clock", new Date().toISOString()),
  });
  server.route("/chat/:room", {
    maxRecvSize: 1000,
    handlers: {
      ready: (guest) => void guest.subscribe(`chat/${guest.params.room}`),
      utf8: (guest, text) => void guest.publish(`chat/${guest.params.room}`, text),
    },
  });
  server.route("/upload/:name", {
    connectionClass: Upload,
    handlers: {
      binary: (upload, data) =>
        upload.send(`${upload.params.name}: ${upload.bytes += data.length} bytes`),
    },
  });
  server.route("/clock", { ready: (viewer) => void viewer.subscribe("clock") });
  return server;
});
