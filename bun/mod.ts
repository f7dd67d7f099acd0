/**
 * Duet for Bun alone: the same API with Bun's transports only, for bundles that need no others.
 *
 * @example
 * ```ts ignore
 * import { WebSocketServer } from "@duet/websocket/bun";
 *
 * const server = new WebSocketServer({ transport: "tcp", port: 8080 });
 * await server.start();
 * ```
 *
 * @module
 */
import { BunHttpTransport } from "../src/transport/http/bun_http.ts";
import { BunTcpTransport } from "../src/transport/tcp/bun_tcp.ts";
import { provideTransport } from "../src/transport/select.ts";

provideTransport("bun_http", BunHttpTransport);
provideTransport("bun_tcp", BunTcpTransport);

export * from "../src/api.ts";
