/**
 * Two servers of one runtime, one for each of its transports, on the engine of a test:
 * `server.ts redis|nats PORT [HTTP_PORT TCP_PORT]`. Prints the ports that they listen on.
 */
import process from "node:process";
import { WebSocketServer } from "../../../mod.ts";
import { Centrifuge } from "../../../src/centrifuge/mod.ts";
import { engineAt, type Kind } from "./engine.ts";

const [kind, port, ...ports] = process.argv.slice(2);

const servers = await Promise.all((["http", "tcp"] as const).map((transport, at) => {
  const server = new WebSocketServer({
    hostname: "127.0.0.1",
    transport,
    port: Number(ports[at] ?? 0),
    engine: engineAt(kind as Kind, Number(port)),
    topics: { history: { count: 1000, age: 60 }, presence: true },
    closeTimeout: 1,
    debug: 0,
  });
  new Centrifuge(server, {
    onConnect: ({ token }) => ({ user: token, info: { name: token } }),
    onSubscribe: () => ({ recover: true, presence: true, history: true, joinLeave: true }),
    onPublish: (client, { topic }) => client.isSubscribed(topic),
    onRpc: (_client, { method, data }) => JSON.stringify([method, JSON.parse(data as string)]),
  });
  return server.start();
}));
console.log(`listening on ${servers.map((it) => it.port)}`);
process.once(
  "SIGTERM",
  () => void Promise.all(servers.map((it) => it.shutdown())).then(() => process.exit(0)),
);
