/**
 * What must compile, under `deno check` and tsc. Nothing here is run.
 *
 * @module
 */
import { PassThrough } from "node:stream";
import {
  type AcceptInfo,
  type ConnectionHandlers,
  type ConnectionInit,
  type ConnectionList,
  type Engine,
  type Extension,
  type Handshake,
  type Logger,
  MemoryEngine,
  permessageDeflate,
  type Position,
  type PublishResult,
  type ReadableCallback,
  type ReadableSource,
  type ServerEvents,
  type SubscribeResult,
  type TopicSubscription,
  type WatchedWriter,
  WebSocketConnection,
  type WebSocketError,
  WebSocketServer,
  type WebSocketServerOptions,
  WebSocketVersion,
  type WritableSink,
} from "../../mod.ts";

/** Compiles only where both are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true
  : never;
/** Asks for a type that the argument must have exactly. */
function exactly<T>() {
  return <V>(_value: V, _same: Same<T, V>): void => {};
}

class Player extends WebSocketConnection {
  score = 0;
  readonly names: string[];

  constructor(init: ConnectionInit) {
    super(init);
    this.names = [];
    this.on({ utf8: (player, data) => void player.names.push(data) });
  }

  override sendUtf8(data: string): boolean {
    return super.sendUtf8(data.trim());
  }

  award(points: number): boolean {
    this.score += points;
    return this.sendUtf8(`${this.score}`);
  }
}

class Champion extends Player {
  title = "";
}

// The class of connections, from connectionClass, from what onAccept returns, or said outright.

const byClass = new WebSocketServer({
  connectionClass: Player,
  onConnect(server, player) {
    exactly<WebSocketServer<Player>>()(server, true);
    exactly<Player>()(player, true);
    player.doPong = (player, payload) => player.score > 0 && player.pong(payload);
    player.onReady = (player) => player.award(1);
    return player.on({
      origin: (player, origin) => origin?.hostname === "example.com" && player.score === 0,
      handshake(player, handshake) {
        exactly<Handshake>()(handshake, true);
        handshake.response.headers.set("X-Score", `${player.score}`);
        if (handshake.request.uri.pathname !== "/") handshake.reject(404, { body: "no game here" });
      },
      ready: (player) => player.award(1),
      utf8: (player, data) => player.sendUtf8(data.toUpperCase()),
      binary: (player, data) => player.sendBinary(data.subarray(1)),
      message: (player, data) => player.send(data),
      ping: (player, payload) => player.award(payload.length),
      pong: async (player) => await player.drained(),
      drain: (player) => player.resume(),
      error: (player, error) => console.error(player.names, error.message),
      disconnect: (player, code, reason) => console.log(player.score, code + 1, reason.length),
    });
  },
  onShutdown: (server) => exactly<WebSocketServer<Player>>()(server, true),
  onTick: (server) => server.connections.map((player) => player.award(0)),
  onError: (_server, error, player) => console.error(error.name, player?.score),
  watchReadable: [new PassThrough(), (server) => server.broadcast("x")],
});
exactly<WebSocketServer<Player>>()(byClass, true);
for (const player of byClass.connections) player.award(1);
const best: Player | undefined = byClass.connections.find((player) => player.score > 10);
best?.award(10);

const byAccept = new WebSocketServer({
  onAccept: (info: AcceptInfo<Player>) => new Player(info),
  onConnect: (_server, player) => player.award(1),
});
exactly<WebSocketServer<Player>>()(byAccept, true);

const later = new WebSocketServer<Player>({
  connectionClass: Player,
  onAccept: async (info) => {
    await info.server.finished;
    return info.subprotocol.includes("champions") ? new Champion(info) : undefined;
  },
});
later.connectionClass = Champion;
later.onConnect = (server, player) => server.port > 0 && player.award(1);
later.on({ connect: (_server, player) => player.score > 0, tick: undefined });
const handlers: ServerEvents<Player> = { accept: ({ server }) => void server.ip };
later.on(handlers);

const plain = new WebSocketServer();
exactly<WebSocketServer<WebSocketConnection>>()(plain, true);

// A helper for all servers, and one for all connections.

function serverPort<C extends WebSocketConnection>(server: WebSocketServer<C>): number {
  return server.port;
}
serverPort(plain);
serverPort(byClass);

function greet(connection: WebSocketConnection): boolean {
  return connection.sendUtf8("Hello");
}
byClass.onConnect = (_server, player) => greet(player);
byClass.broadcast("to some", [...byClass.connections].filter(greet));
const handling: ConnectionHandlers<WebSocketConnection> = { ready: greet };
byClass.onConnect = (_server, player) => player.on(handling);

// Options.

const logger: Logger = console;
const extension: Extension = { name: "x-none", negotiate: () => undefined };
const options: WebSocketServerOptions = {
  transport: "tcp",
  port: 0,
  hostname: "::1",
  tls: { cert: "", key: "" },
  extensions: ["permessage-deflate", permessageDeflate({ contextTakeover: true }), extension],
  subprotocol: ["chat"],
  selectSubprotocol: (offered, handshake) =>
    handshake.request.origin === null ? offered[0] : undefined,
  versions: [13, "8", new WebSocketVersion(7), "draft-ietf-hybi-17"],
  compressionThreshold: 0,
  silenceMax: 20,
  silenceCheckInterval: 0.5,
  tickPeriod: 1,
  debug: 4,
  logger,
  legacy: true,
  onRequest: (request, info) => new Response(`${request.url} ${info.remote.ip}`),
};
const configured = new WebSocketServer(options);
configured.extensions = "permessage-deflate";
configured.versions = [13];
configured.version = "13";
const newest: WebSocketVersion = configured.version;
if (newest > new WebSocketVersion(8)) configured.debug = 0;

// Methods and properties.

const started: WebSocketServer = await configured.start();
const lastError: WebSocketError | undefined = started.error;
const connections: ConnectionList<WebSocketConnection> = started.connections;
connections.forEach((it) => it.terminate());
console.assert(connections.size === 0);
started.disconnect(lastError);
await started.stop();

const source: ReadableSource = new ReadableStream();
const sink: WritableSink = { writable: new WritableStream() };
const callback: ReadableCallback<WebSocketConnection> = (server, _source, chunk) => {
  if (chunk instanceof Uint8Array) server.broadcast(chunk);
};
started.watchReadable(source, callback, new PassThrough(), callback)
  .watchReadable(new PassThrough(), (_server, stream) => stream.read())
  .watchWritable(sink, (_server, _sink, writer?: WatchedWriter) => writer?.write("x"))
  .unwatchReadable(source).unwatchWritable(sink);
const watching: ReadableCallback<WebSocketConnection> | undefined = started.watchedReadable(source);
watching?.(started, source);
for (const [stream, callback] of started.watchedReadable()) callback(started, stream);

async function talk(connection: WebSocketConnection): Promise<void> {
  const message: string | Uint8Array | null = await connection.recv();
  if (typeof message === "string") connection.send("utf8", message);
  else if (message !== null) connection.send("binary", message);
  for await (const message of connection) connection.send(message);
  connection.send("ping", new Uint8Array());
  for (const data of [new ArrayBuffer(1), new SharedArrayBuffer(1), Float64Array.of(1)]) {
    connection.send(data);
    connection.send("binary", new DataView(new ArrayBuffer(1)));
  }
  exactly<ReadableStream<string | Uint8Array>>()(connection.readable, true);
  await connection.readable.pipeTo(connection.writable);
  await new ReadableStream<string>().pipeTo(connection.writable);
  await new ReadableStream<Uint8Array<ArrayBuffer>>().pipeTo(connection.writable);
  const signal: AbortSignal = connection.signal;
  await connection.drained({ signal });
  connection.ping("text");
  connection.disconnect(4000, "bye");
  connection.httpError(403, { body: "no", headers: { "X-Why": "so" } });
  connection.maxRecvSize = connection.maxSendSize = 1024;
  connection.doPong = null;
}
plain.onConnect = (_server, connection) => void (connection.onReady = talk);

// Topics.

async function subscribe(server: WebSocketServer<Player>, player: Player): Promise<void> {
  const result: SubscribeResult = await player.subscribe("t", { position: undefined, user: "ada" });
  const position: Position | undefined = result.position ?? await server.position("t");
  player.unsubscribe("t");
  await player.publish("t", new Uint8Array(), { key: "k", tags: { a: "b" } });
  const { accepted }: PublishResult = await server.publish("t", "x", { except: [player] });
  if (accepted === "unknown") await server.publish("t", "x", { except: player });
  for (const { connections, counts } of server.topics) {
    for (const player of connections) player.score += counts.published;
  }
  const subscriptions: ReadonlyMap<string, TopicSubscription> = player.subscriptions;
  console.assert(subscriptions.get("t")?.position?.offset === position?.offset);
  player.onInterrupted = (player, _topic, position) => void (player.score = position.offset);
}
const engine: Engine = new MemoryEngine({ maxHistoryBytes: 1024 });
const topical: WebSocketServerOptions<Player> = {
  engine,
  topics: (name) => name === "t" ? { history: { count: 1, age: 1 }, slow: "latest" } : undefined,
  onSubscribe: (server, player, topic) => player.score > server.subscriberCount(topic),
  onTopicOpen: (server, topic) => void server.publish(topic, "x"),
};
new WebSocketServer({ ...topical, connectionClass: Player, onConnect: subscribe });
