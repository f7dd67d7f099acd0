import type { WebSocketConnection, WebSocketServerOptions } from "../../mod.ts";
import type { ConnectionHandlers } from "../../mod.ts";
import { type BytePath, openOver, serveOver } from "../support/byte_paths.ts";
import { Journal } from "../support/journal.ts";
import type { RawClient } from "../support/raw_client.ts";
import type { Served, Variant } from "../support/transports.ts";

/** A client and the connection that the server has for it. */
export interface Guest {
  readonly client: RawClient;
  readonly connection: WebSocketConnection;
  /** Waits for the next message and gives its text. */
  next(): Promise<string>;
}

/** A server with clients that come one by one. */
export interface Gathering extends Served<WebSocketConnection> {
  readonly ends: Journal<number>;
  come(): Promise<Guest>;
}

/** A path for a transport of which only one is tried. */
export function pathOf(variant: Variant): BytePath {
  return { ...variant, preface: "", sockets: "Deno", options: () => ({}) };
}

/** Starts a server; each connection is given these handlers. */
export async function gather(
  path: BytePath,
  options: WebSocketServerOptions = {},
  handlers: ConnectionHandlers<WebSocketConnection> = {},
): Promise<Gathering> {
  const connections = new Journal<WebSocketConnection>();
  const ends = new Journal<number>();
  const clients: RawClient[] = [];
  const served = await serveOver(path, {
    onConnect: (_server, connection) =>
      void connection.on({
        ...handlers,
        ready: connections.add,
        disconnect(connection, code, reason) {
          handlers.disconnect?.(connection, code, reason);
          ends.add(code);
        },
      }),
    ...options,
  });
  return {
    ...served,
    ends,
    async [Symbol.asyncDispose]() {
      // They would not answer a Close frame.
      for (const { socket } of clients) socket.destroy();
      await served.server.shutdown();
    },
    async come() {
      const client = await openOver(path, served.url);
      clients.push(client);
      const connection = await connections.next();
      return {
        client,
        connection,
        async next() {
          const frame = await client.frame();
          if (frame === null) throw new Error("the connection has ended");
          return frame.payload.toString();
        },
      };
    },
  };
}
