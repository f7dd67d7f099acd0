/**
 * Tests a server without a network: {@linkcode openPair} gives a client's end and a connection of the server's.
 *
 * @example
 * ```ts
 * import { WebSocketServer } from "@duet/websocket";
 * import { openPair } from "@duet/websocket/testing";
 *
 * await using server = new WebSocketServer({
 *   onConnect(_server, connection) {
 *     connection.on({ ready: (connection) => connection.send("Welcome") });
 *   },
 * });
 * const { client } = await openPair(server);
 * console.assert(await client.recv() === "Welcome");
 * ```
 *
 * @module
 */
export { openPair, type Pair, type PairOptions } from "./pair.ts";
export { RefusedError } from "../client/refused_error.ts";
