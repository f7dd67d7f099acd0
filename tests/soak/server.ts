/**
 * The server that is soaked: it echoes every message, and tells on plain HTTP what it has counted.
 *
 * @module
 */
import { readFlags, runServer } from "../../examples/flags.ts";
import { WebSocketServer } from "../../mod.ts";
import type { Counts } from "./counts.ts";

const counts: Counts = { connects: 0, disconnects: 0, twice: 0, open: 0, messages: 0, errors: [] };
const MAX_ERRORS = 10;

const flags = readFlags({
  name: "../tests/soak/server.ts",
  about: "Echoes every WebSocket message and counts what happens.",
  port: 0,
});

await runServer(flags, () => {
  const server: WebSocketServer = new WebSocketServer({
    ...flags.options,
    // Peers that do not read are many here, and are to go while the run lasts.
    highWaterMark: 256 * 1024,
    maxBufferedAmount: 4 * 1024 * 1024,
    // Longer than proper clients here go without a look at what has come.
    silenceMax: 8,
    closeTimeout: 2,
    // In a storm on a busy machine the clients' process is late with its requests.
    handshakeTimeout: 120,
    debug: 0,
    onRequest: () => Response.json({ ...counts, open: [...server.connections].length }),
    onConnect(_server, connection) {
      counts.connects++;
      let ended = false;
      connection.on({
        utf8(connection, data) {
          counts.messages++;
          connection.sendUtf8(data);
        },
        binary(connection, data) {
          counts.messages++;
          connection.sendBinary(data);
        },
        disconnect() {
          counts.disconnects++;
          if (ended) counts.twice++;
          ended = true;
        },
      });
    },
    onError(_server, error) {
      const { code, message } = error as Error & { code?: string };
      // What peers do wrong, and what comes of it, is what this run is about.
      if (code === "ERR_PROTOCOL" || code === "ERR_TOO_SLOW") return;
      if (counts.errors.length < MAX_ERRORS) counts.errors.push(`${code}: ${message}`);
    },
  });
  return server;
});
