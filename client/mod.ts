/**
 * Duet's client: WebSockets to any server, on the same engine and with the same connections as the server's.
 *
 * @example
 * ```ts ignore
 * import { connect } from "@duet/websocket/client";
 *
 * const connection = await connect("wss://example.com/chat", { subprotocols: ["chat"] });
 * connection.send("Hello");
 * for await (const message of connection) console.log(message);
 * ```
 *
 * @module
 */
import { dialBun } from "../src/transport/tcp/bun_dial.ts";
import { dialDeno } from "../src/transport/tcp/deno_dial.ts";
import { dialNode } from "../src/transport/tcp/node_dial.ts";
import { provideDial } from "../src/transport/tcp/dial.ts";

provideDial("deno", dialDeno);
provideDial("bun", dialBun);
provideDial("node", dialNode);

export type { ClientTls, ConnectOptions, Reconnecting } from "../src/client/client_options.ts";
export { bridge } from "../src/client/bridge.ts";
export { connect } from "../src/client/connect.ts";
export { RefusedError } from "../src/client/refused_error.ts";
export { ClosedError } from "../src/connection/closed_error.ts";
export { WebSocketConnection } from "../src/connection/connection.ts";
export { WebSocketError, type WebSocketErrorCode } from "../src/base/errors.ts";
export { permessageDeflate, type PermessageDeflateOptions } from "../src/protocol/mod.ts";
