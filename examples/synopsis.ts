/**
 * The synopsis of the manual of Perl's `WebSocket::Server`, in TypeScript: greets each client with a
 * JSON message and prints what it hears. What the manual has no word for comes on top: what one client
 * says the others are told, by a topic.
 *
 * ```sh
 * deno run --allow-net --allow-read examples/synopsis.ts
 * bun run examples/synopsis.ts
 * ```
 *
 * @module
 */
import { type ConnectionInit, WebSocketConnection, WebSocketServer } from "../mod.ts";
import { readFlags, runServer } from "./flags.ts";

const ORIGIN = "http://localhost";

class MyConnection extends WebSocketConnection {
  readonly since: Date;

  constructor(init: ConnectionInit) {
    super(init);
    this.since = new Date();
  }
}

const flags = readFlags({
  name: "synopsis.ts",
  about: "Greets each client with a JSON message and prints what it hears.",
  port: 8080,
});

await runServer(flags, () =>
  new WebSocketServer({
    debug: 3,
    connectionClass: MyConnection,
    ...flags.options,
    onConnect(server, connection) {
      // On the runtimes' own HTTP servers the engine answers pings, and Deno's keeps them to itself.
      const { enginePongs, ping } = server.capabilities;
      if (!enginePongs) connection.doPong = (connection, payload) => connection.pong(payload);
      if (ping) connection.on({ ping: onPing, pong: onPong });

      connection.on({
        handshake(connection, { request }) {
          console.log(`A client at ${connection.ip}, port ${connection.port}`);
          console.log(`It asks: ${request.uri.search.slice(1)}`);
          console.log(
            `Its origin: ${request.origin}, ${request.origin === ORIGIN ? "ours" : "not ours"}`,
          );
          // if (request.origin !== ORIGIN) connection.disconnect();
        },
        ready(connection) {
          connection.sendUtf8(JSON.stringify({ code: 200, type: "user", message: "Hello" }));
          void connection.subscribe("talk");
        },
        utf8(connection, message) {
          console.log(`It says: ${message}`);
          void connection.publish("talk", message);
          // connection.sendUtf8(message);
        },
        disconnect(connection, code, reason) {
          const seconds = Math.round((Date.now() - connection.since.getTime()) / 1000);
          console.log(`It left after ${seconds} s: ${code} ${reason}`);
        },
      });
    },
  }));

function onPing(_connection: MyConnection, payload: Uint8Array): void {
  console.log(`A ping: ${new TextDecoder().decode(payload)}`);
}

function onPong(_connection: MyConnection, payload: Uint8Array): void {
  console.log(`A pong: ${new TextDecoder().decode(payload)}`);
}
