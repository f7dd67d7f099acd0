/**
 * Echoes every message with its kind.
 *
 * @module
 */
import { WebSocketServer } from "../mod.ts";
import { readFlags, runServer } from "./flags.ts";

const flags = readFlags({
  name: "echo.ts",
  about: "Echoes every WebSocket message with its kind.",
  port: 8081,
});

await runServer(flags, () =>
  new WebSocketServer({
    ...flags.options,
    onConnect(_server, connection) {
      connection.on({
        utf8: (connection, data) => void connection.sendUtf8(data),
        binary: (connection, data) => void connection.sendBinary(data),
      });
    },
  }));
