/**
 * What must compile in a program of the strictest settings. Only tsc looks at it, with the declarations of the
 * library in place of its source; nothing here is run.
 *
 * @module
 */
import { createServer } from "node:http";
import { connect, type ConnectOptions } from "../../../client/mod.ts";
import {
  type AnyRouteParams,
  type AnyServer,
  type ConnectionHandlers,
  type ConnectionInit,
  MemoryEngine,
  permessageDeflate,
  type PreparedUpgrade,
  type RouteOptions,
  type RouteParams,
  WebSocketConnection,
  WebSocketServer,
  type WebSocketServerOptions,
} from "../../../mod.ts";

/** Compiles only where both are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true
  : never;
/** Asks for a type that the argument must have exactly. */
function exactly<T>(): <V>(value: V, same: Same<T, V>) => void {
  return () => {};
}

export interface User {
  readonly id: string;
  readonly admin?: boolean | undefined;
}
declare const request: Request;
declare const info: unknown;
declare const maybe: boolean;

// Data, typed by the class of connections.

const members = new WebSocketServer({
  connectionClass: WebSocketConnection<User>,
  onConnect(server, member) {
    exactly<User>()(member.data, true);
    exactly<WebSocketServer<WebSocketConnection<User>>>()(server, true);
    member.on({
      handshake(member, handshake) {
        member.data = { id: handshake.request.cookies.get("user") ?? "nobody" };
      },
      ready: (member) => member.sendUtf8(`Hello ${member.data.id}`),
      utf8: (member, text) => member.server.broadcast(`${member.data.id}: ${text}`),
    });
  },
});
await members.upgrade(request, info, { data: { id: "ada" } });
await members.upgrade(request, info, {
  data: maybe ? { id: "ada" } : undefined,
  headers: [["Set-Cookie", "a=1"]],
  subprotocol: undefined,
});
await members.upgrade(request, info);
createServer().on("upgrade", (request, socket, head) => {
  members.handleUpgrade(request, socket, head);
  members.handleUpgrade(request, socket, head, { data: { id: "ada" }, subprotocol: undefined });
});
export const ids: string[] = members.connections.map((member) => member.data.id);

export class Player extends WebSocketConnection<User> {
  declare readonly server: WebSocketServer<Player>;
  score = 0;

  constructor(init: ConnectionInit) {
    super(init);
    this.on({ ready: (player) => player.greet() });
  }

  greet(): boolean {
    for (const player of this.server.connections) this.score += player.score;
    return this.sendUtf8(this.data.id);
  }
}
const players = new WebSocketServer({ connectionClass: Player });
exactly<WebSocketServer<Player>>()(players, true);
await players.upgrade(request, info, { data: { id: "ada" }, headers: new Headers() });
const prepared: PreparedUpgrade<User> = { headers: { "Set-Cookie": "a=1" }, subprotocol: "chat" };
await players.upgrade(request, info, prepared);

// Routes: parameters from the pattern, and the class from the options.

players
  .route("/chat/:room", {
    ready(player) {
      exactly<string>()(player.params.room, true);
      player.score += player.params.room.length;
    },
    utf8: undefined,
  })
  .route("/files/:name.:type?/*", {
    handlers: {
      ready({ params }) {
        exactly<string>()(params.name, true);
        exactly<string | undefined>()(params.type, true);
        exactly<string | undefined>()(params["0"], true);
      },
    },
    maxRecvSize: maybe ? 1024 : undefined,
  })
  .route("/:a(\\d+)?/:b_2+", {
    ready({ params }) {
      exactly<string | undefined>()(params.a, true);
      exactly<string>()(params.b_2, true);
    },
  })
  .route("/books{/:id}?", {
    ready({ params }) {
      exactly<string | undefined>()(params["id"], true);
    },
  });
exactly<AnyRouteParams & { readonly room: string }>()(
  undefined as unknown as RouteParams<"/chat/:room">,
  true,
);
class Champion extends Player {
  readonly title: string = "";
}
players.route("/champions/:id", {
  connectionClass: Champion,
  handlers: { ready: (champion) => champion.sendUtf8(champion.title + champion.params.id) },
});
export const route: RouteOptions<Player, "/chat/:room"> = {
  handlers: { ready: (it) => it.greet() },
};
players.route("/chat/:room/log", route.handlers ?? {});

// Any server, and any connection.

export function announce(server: AnyServer, text: string): number {
  for (const connection of server.connections) connection.ping();
  return server.port > 0 ? server.broadcast(text) : server.connections.size;
}
announce(members, "Hello");
announce(players, "Hello");
announce(new WebSocketServer(), "Hello");

export function leave(connection: WebSocketConnection): void {
  announce(connection.server, "somebody leaves");
  connection.disconnect();
}
players.onConnect = (server, player) => void (announce(server, "x") > 9 && leave(player));
members.on({ connect: (_server, member) => leave(member) });

// What may be undefined.

export const handlers: ConnectionHandlers<WebSocketConnection> = {
  utf8: maybe ? (connection, data) => connection.sendUtf8(data) : undefined,
  binary: undefined,
  disconnect: undefined,
};
export const options: WebSocketServerOptions<Player> = {
  transport: undefined,
  port: undefined,
  hostname: maybe ? "::1" : undefined,
  tls: maybe ? { cert: "", key: "" } : undefined,
  connectionClass: maybe ? Player : undefined,
  onConnect: undefined,
  onRequest: maybe ? () => new Response() : undefined,
  onTick: undefined,
  extensions: maybe
    ? permessageDeflate({ contextTakeover: undefined, level: undefined })
    : undefined,
  allowedOrigins: undefined,
  maxRecvSize: maybe ? 1024 : undefined,
  topics: { history: undefined, presence: undefined, slow: undefined },
  engine: new MemoryEngine({ maxHistoryBytes: undefined }),
  logger: undefined,
};
new WebSocketServer(options).on({ tick: undefined, error: undefined });
members.onTick = undefined;
declare const member: WebSocketConnection<User>;
member.on(handlers);
member.onUtf8 = undefined;
member.httpError(403, { body: undefined, headers: undefined });
export const received: string | Uint8Array | null = await member.recv({ signal: undefined });
export const dialling: ConnectOptions = { handlers: { ready: undefined }, signal: undefined };
await connect("ws://localhost", dialling);
