/**
 * Duet, a WebSocket server for Deno, Bun and Node: one API over the runtimes' own engines and over raw TCP.
 *
 * @example An echo server
 * ```ts
 * import { WebSocketServer } from "@duet/websocket";
 *
 * await using server = new WebSocketServer({
 *   onConnect(_server, connection) {
 *     connection.on({ message: (connection, data) => void connection.send(data) });
 *   },
 * });
 * await server.start();
 * console.log(`listening on port ${server.port}`);
 * ```
 *
 * @module
 */
import { BunHttpTransport } from "./src/transport/http/bun_http.ts";
import { BunTcpTransport } from "./src/transport/tcp/bun_tcp.ts";
import { DenoHttpTransport } from "./src/transport/http/deno_http.ts";
import { DenoTcpTransport } from "./src/transport/tcp/deno_tcp.ts";
import { NodeHttpTransport } from "./src/transport/http/node_http.ts";
import { NodeTcpTransport } from "./src/transport/tcp/node_tcp.ts";
import { provideTransport } from "./src/transport/select.ts";

provideTransport("deno_http", DenoHttpTransport);
provideTransport("deno_tcp", DenoTcpTransport);
provideTransport("bun_http", BunHttpTransport);
provideTransport("bun_tcp", BunTcpTransport);
provideTransport("node_http", NodeHttpTransport);
provideTransport("node_tcp", NodeTcpTransport);

export * from "./src/api.ts";
