/**
 * The server of a crowd: it echoes every message, broadcasts when it is asked to on plain HTTP, and
 * tells there what it has counted.
 *
 * @module
 */
import { readFlags, runServer } from "../../examples/flags.ts";
import { WebSocketServer } from "../../mod.ts";
import type { Counts } from "./counts.ts";
import { MESSAGES } from "./messages.ts";

const counts: Counts = {
  connects: 0,
  ready: 0,
  disconnects: 0,
  clean: 0,
  twice: 0,
  open: 0,
  requests: 0,
  errors: [],
};
const MAX_ERRORS = 10;

const flags = readFlags({
  name: "../tests/crowd/server.ts",
  about: "Echoes every WebSocket message, and broadcasts when it is asked to.",
  port: 0,
  own: { connections: ["N", "how many connections it may have at once"] },
});

await runServer(flags, () => {
  const server: WebSocketServer = new WebSocketServer({
    ...flags.options,
    maxConnections: Number(flags.own.connections),
    debug: 0,
    onRequest(request) {
      counts.requests++;
      const index = /^\/broadcast\/(\d+)$/.exec(new URL(request.url).pathname)?.[1];
      if (index !== undefined) return Response.json(server.broadcast(MESSAGES[Number(index)]));
      return Response.json({ ...counts, open: server.connections.size });
    },
    onConnect(_server, connection) {
      counts.connects++;
      let ended = false;
      connection.on({
        ready: () => void counts.ready++,
        message: (connection, data) => void connection.send(data),
        disconnect(_connection, code) {
          counts.disconnects++;
          if (code === 1000) counts.clean++;
          if (ended) counts.twice++;
          ended = true;
        },
      });
    },
    onError(_server, error) {
      if (counts.errors.length < MAX_ERRORS) counts.errors.push(error.message);
    },
  });
  return server;
});
