/**
 * What must not compile, under `deno check` and tsc: an expected error that does not come is one. Nothing
 * here is run.
 *
 * @module
 */
import {
  type ConnectionHandlers,
  type ServerEvents,
  WebSocketConnection,
  WebSocketServer,
  type WebSocketServerOptions,
  WebSocketVersion,
} from "../../mod.ts";

class Player extends WebSocketConnection {
  score = 0;
}
declare const player: Player;
declare const server: WebSocketServer<Player>;
declare const connection: WebSocketConnection;

// Options.

export const options: WebSocketServerOptions[] = [
  // @ts-expect-error there is no such option
  { prot: 80 },
  // @ts-expect-error a port is a number
  { port: "80" },
  // @ts-expect-error there is no such transport
  { transport: "udp" },
  // @ts-expect-error a certificate comes with its key
  { tls: { cert: "" } },
  // @ts-expect-error an extension has a way to negotiate
  { extensions: { name: "x-none" } },
  // @ts-expect-error subprotocols are an array
  { subprotocol: "chat" },
  // @ts-expect-error the levels end with 4
  { debug: 5 },
  // @ts-expect-error a logger has four methods
  { logger: { info() {} } },
  // @ts-expect-error legacy is a boolean
  { legacy: "yes" },
  // @ts-expect-error a request is answered with a response
  { onRequest: () => "Hello" },
  // @ts-expect-error a number cannot be watched
  { watchReadable: [5, () => {}] },
];

// The class of connections.

// @ts-expect-error a Map is no connection
new WebSocketServer({ connectionClass: Map });
// @ts-expect-error an object without a connection's members is none
new WebSocketServer({ onAccept: () => ({ recv() {}, send() {} }) });
// @ts-expect-error connections of the base class have no score
new WebSocketServer({ onConnect: (_server, connection) => connection.score });
// @ts-expect-error a Player has no lives
new WebSocketServer({ connectionClass: Player, onConnect: (_server, player) => player.lives });
// @ts-expect-error a plain connection is no Player
server.connectionClass = WebSocketConnection;
// @ts-expect-error a list of Players has no connection with lives
server.connections.map((player) => player.lives);
// @ts-expect-error an accept handler of this server returns a Player
server.onAccept = (info) => new WebSocketConnection(info);

export class Overriding extends WebSocketConnection {
  // @ts-expect-error an override takes what the base's takes
  override sendUtf8(data: number): boolean {
    return data > 0;
  }

  // @ts-expect-error an override returns what the base's returns
  override send(): string {
    return "";
  }

  // @ts-expect-error there is nothing of this name to override
  override sendText(): void {}
}

// Events.

// @ts-expect-error a server has no such event
server.on({ conect: () => {} });
// @ts-expect-error a handler is a function
server.on({ tick: 5 });
// @ts-expect-error a tick comes without a connection
server.onTick = (_server, connection) => connection;
export const serverEvents: ServerEvents<Player>[] = [
  // @ts-expect-error the event is called connect here
  { onConnect: () => {} },
];
// @ts-expect-error a connection has no such event
connection.on({ close: () => {} });
// @ts-expect-error a text is a string
connection.on({ utf8: (_connection, data: number) => data });
// @ts-expect-error bytes have no toUpperCase
connection.on({ binary: (_connection, data) => data.toUpperCase() });
// @ts-expect-error a message may be bytes
connection.on({ message: (_connection, data) => data.toUpperCase() });
// @ts-expect-error the origin is decided on with a boolean
connection.on({ origin: () => "http://localhost" });
// @ts-expect-error a client may tell no origin
connection.on({ origin: (_connection, origin) => origin.host === "localhost" });
// @ts-expect-error the code is a number
connection.on({ disconnect: (_connection, code: string) => code });
// @ts-expect-error a Player has no lives
player.on({ ready: (player) => player.lives });
// @ts-expect-error a Player has no lives
player.onReady = (player) => player.lives;
export const handlers: ConnectionHandlers<Player>[] = [
  // @ts-expect-error the event is called ready here
  { onReady: () => {} },
];

// Methods and properties.

// @ts-expect-error text is not bytes
connection.sendBinary("text");
// @ts-expect-error the bytes of a Blob are not in memory
connection.send(new Blob());
// @ts-expect-error there are two orders
new WebSocketServer({ messageOrder: "any" });
// @ts-expect-error bytes are not text
connection.sendUtf8(new Uint8Array());
// @ts-expect-error an object is no message
connection.send({ type: "user" });
// @ts-expect-error there is no such kind of frame
connection.send("text", "Hello");
// @ts-expect-error a binary message is bytes
connection.send("binary", "Hello");
// @ts-expect-error a code is a number
connection.disconnect("1000");
// @ts-expect-error whether it is ready is not to be set
connection.isReady = true;
// @ts-expect-error a pong is answered by a function or nothing
connection.doPong = true;
// @ts-expect-error the user's own is unknown until looked at
connection.data.nickname;
// @ts-expect-error a message may be null at the end
(await connection.recv()).length;
// @ts-expect-error the handshake is not there before it has come
connection.handshake.request;
// @ts-expect-error a message is text or bytes
server.broadcast(5);
// @ts-expect-error what is broadcast to are connections
server.broadcast("x", ["everybody"]);
// @ts-expect-error the port is not to be set
server.port = 80;
// @ts-expect-error the levels end with 4
server.debug = 5;
// @ts-expect-error a version is a number, a text or a WebSocketVersion
server.version = true;
// @ts-expect-error a number is no source
server.watchReadable(5, () => {});
// @ts-expect-error a source has a callback
server.watchReadable(new ReadableStream());
// @ts-expect-error a readable is no sink
server.watchWritable(new ReadableStream(), () => {});
// @ts-expect-error the chunk of a web stream is unknown until looked at
server.watchReadable(new ReadableStream(), (server, _source, chunk) => server.broadcast(chunk));
// @ts-expect-error a version is not to be changed
new WebSocketVersion(13).number = 8;
// @ts-expect-error a topic is a text
connection.subscribe(5);
// @ts-expect-error a position has an epoch
connection.subscribe("t", { position: { offset: 1 } });
// @ts-expect-error subscriptions are not to be changed so
connection.subscriptions.delete("t");
// @ts-expect-error a connection leaves itself out
connection.publish("t", "x", { except: connection });
// @ts-expect-error what is left out are connections
server.publish("t", "x", { except: "everybody" });
// @ts-expect-error counts are not to be set
server.topics.get("t")!.counts.published = 1;

// Data and routes.

declare const members: WebSocketServer<WebSocketConnection<{ id: string }>>;
declare const request: Request;
// @ts-expect-error the data of these connections has an id
members.upgrade(request, {}, { data: {} });
// @ts-expect-error there is nothing else to prepare
members.upgrade(request, {}, { user: "ada" });
// @ts-expect-error not every server has Players
connection.server.connections.score;
// @ts-expect-error the parameter is called room
server.route("/chat/:room", { ready: (player) => player.params.rom.length });
// @ts-expect-error a parameter that may be left out may be undefined
server.route("/chat/:room?", { ready: (player) => player.params.room.length });
// @ts-expect-error there is no such event
server.route("/chat", { opened: () => {} });
// @ts-expect-error a route has no port
server.route("/chat", { port: 80, handlers: {} });
// @ts-expect-error a plain connection is no Player
server.route("/chat", { connectionClass: WebSocketConnection });
