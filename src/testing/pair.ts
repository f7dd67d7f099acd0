import { connectOver } from "../client/connect.ts";
import { invalid, isRecord } from "../base/option_values.ts";
import type { ConnectOptions } from "../client/client_options.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import { hostOf } from "../server/properties.ts";
import type { WebSocketServer } from "../server/server.ts";
import type { Dial } from "../transport/tcp/dial.ts";
import { openTcp } from "../transport/tcp/tcp_opening.ts";
import { MemorySocket } from "./memory_socket.ts";
import { StandIn } from "./stand_in.ts";

/** Both ends of one WebSocket, in one process. */
export interface Pair<
  C extends WebSocketConnection = WebSocketConnection,
  D extends WebSocketConnection = WebSocketConnection,
> {
  /** The client's end. */
  readonly client: D;
  /** The server's end: what its handlers are given. */
  readonly connection: C;
  /**
   * Disconnects the client with code 1000, drops what nobody has read, and waits for the end. To shut the
   * server down ends it too.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a client of {@linkcode openPair} asks for: the options of `connect()` but those of a network. */
export type PairOptions<D extends WebSocketConnection = WebSocketConnection> = Omit<
  ConnectOptions<D>,
  "maxRedirects" | "proxy" | "reconnecting" | "tls" | "unix"
>;

/**
 * Opens a WebSocket between a client and a server within this process, without a port or a network. Everything
 * else is as over a network: the opening handshake, handlers, limits, compression, backpressure and close
 * codes, since both ends are Duet's own engine. The server need not be started. When it is on "http", it
 * refuses what the engine of that runtime cannot do, such as `ping()` on `deno_http`.
 *
 * Shut the server down at the end of a test, so that it leaves no timer behind.
 *
 * @param server The server.
 * @param url What to ask for: a path, or a whole URL. A `wss:` one has the connection be secure. Default "/".
 * @param options What the client asks for, and what it allows.
 * @returns Both ends, once they are open. It rejects as `connect()` does: with a `RefusedError` when the server
 * answers with another status than 101, and with a `WebSocketError` ERR_CONNECT when it drops the client.
 *
 * @example
 * ```ts
 * import { WebSocketServer } from "@duet/websocket";
 * import { openPair } from "@duet/websocket/testing";
 *
 * await using server = new WebSocketServer({
 *   onConnect(_server, connection) {
 *     connection.on({ utf8: (connection, text) => connection.send(text.toUpperCase()) });
 *   },
 * });
 * const { client, connection } = await openPair(server, "/room?id=1");
 * client.send("hello");
 * console.assert(await client.recv() === "HELLO");
 * console.assert(connection.handshake?.request.uri.search === "?id=1");
 * ```
 */
export async function openPair<
  C extends WebSocketConnection,
  D extends WebSocketConnection = WebSocketConnection,
>(
  server: WebSocketServer<C>,
  url: string | URL = "/",
  options: PairOptions<D> = {},
): Promise<Pair<C, D>> {
  checkOptions(options);
  const [near, far] = MemorySocket.pair();
  const standIn = new StandIn(server, far);
  const host = standIn.host(hostOf(server));
  const dial: Dial = ({ tls, opened }) => {
    near.secure = far.secure = tls !== undefined;
    // Where the runtime owns the socket, whoever is turned away is told so in HTTP.
    openTcp(far, host, far, !server.capabilities.socket);
    opened(near);
    return Promise.resolve();
  };
  const client = await connectOver<D>(
    () => ({ name: server.transport, dial }),
    new URL(url, "ws://localhost"),
    { ...options, maxRedirects: 0 },
  );
  return {
    client,
    connection: standIn.connection!,
    async [Symbol.asyncDispose]() {
      client.disconnect(1000);
      await near.gone;
    },
  };
}

const NETWORK = ["maxRedirects", "proxy", "reconnecting", "tls", "unix"];

/** Refuses what would not be heeded; the rest `connect()` reads. */
function checkOptions(options: object): void {
  if (!isRecord(options)) throw invalid("the options of openPair()", options, "an object");
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && NETWORK.includes(name)) {
      throw invalid("the option", name, "nothing of a network: both ends are in this process");
    }
  }
}
