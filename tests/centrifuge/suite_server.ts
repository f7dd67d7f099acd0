/**
 * Serves what the test suites of the protocol's client libraries assume:
 * `suite_server.ts --port N [--transport tcp]`. Prints where it listens.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { WebSocketServer } from "../../mod.ts";
import { Centrifuge, CentrifugeError } from "../../src/centrifuge/mod.ts";
import { verify } from "./token.ts";

const SECRET = "secret";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8000" },
    transport: { type: "string", default: "http" },
  },
});

const server = new WebSocketServer({
  hostname: "127.0.0.1",
  port: Number(values.port),
  transport: values.transport as "http" | "tcp",
  topics: (name) => ({
    history: { count: name.startsWith("smallhistory:") ? 2 : 100, age: 300 },
    presence: true,
  }),
});

const GRANT = { recover: true, joinLeave: true, presence: true, history: true };

function claimsOf(token: string, invalid: CentrifugeError) {
  const claims = verify(token, SECRET);
  if (claims === undefined) throw invalid;
  if (claims.exp !== undefined && claims.exp * 1000 <= Date.now()) {
    throw new CentrifugeError(109, "token expired");
  }
  return claims;
}

new Centrifuge(server, {
  onConnect({ token }) {
    if (token === "") return { user: "" };
    const { sub = "", exp } = claimsOf(token, new CentrifugeError(3500, "invalid token"));
    return { user: sub, expires: exp, subs: sub === "" ? {} : { [`#${sub}`]: GRANT } };
  },
  onSubscribe(client, { topic, token }) {
    if (token === "") return GRANT;
    const denied = new CentrifugeError(103, "permission denied");
    const { sub, channel, exp } = claimsOf(token, denied);
    if (sub !== client.user || channel !== topic) throw denied;
    return { ...GRANT, expires: exp };
  },
  onRefresh(client, { token, topic }) {
    const { sub, channel, exp } = claimsOf(token, new CentrifugeError(3500, "invalid token"));
    if (sub !== client.user || channel !== topic) throw new CentrifugeError(103, "not yours");
    return exp;
  },
  onPublish: (client, { topic }) => client.isSubscribed(topic),
});

await server.start();
console.log(`listening on ws://127.0.0.1:${server.port}/connection/websocket`);
process.once("SIGTERM", () => void server.shutdown().then(() => process.exit(0)));
