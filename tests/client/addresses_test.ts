import { afterEach, describe, it } from "node:test";
import dns from "node:dns";
import process from "node:process";
import { assertEquals, assertRejects } from "@std/assert";
import { connect, type WebSocketError } from "../../client/mod.ts";
import { echo, runtime, serve, transports } from "../support/transports.ts";
import { silence } from "../support/unanswering.ts";

const NAME = "many.test";
const SILENT = ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"];
const [tcp] = transports.filter(({ transport }) => transport === "tcp");
const lookups = { callback: dns.lookup, promise: dns.promises.lookup };

/** Has the name stand for these addresses. */
function resolveTo(addresses: string[]): void {
  const found = addresses.map((address) => ({ address, family: 4 }));
  const answer = (_name: string, _options: unknown, done: (...answer: unknown[]) => void) =>
    queueMicrotask(() => done(null, found));
  Object.assign(dns, { lookup: answer });
  Object.assign(dns.promises, { lookup: () => Promise.resolve(found) });
}

afterEach(() => {
  Object.assign(dns, { lookup: lookups.callback });
  Object.assign(dns.promises, { lookup: lookups.promise });
});

const skip = runtime === "deno"
  ? "Deno resolves names and goes through their addresses by itself"
  : process.platform !== "linux" && "only Linux keeps those waiting that come to a full queue";
const ofBun = runtime === "bun" && "up to four addresses are resolved and tried by Bun itself";

describe("connect() to a name of several addresses (RFC 8305)", { skip }, () => {
  for (const count of [1, 5]) {
    const before = SILENT.slice(0, count);
    it(`reaches the next where ${count} say nothing`, { skip: count === 1 && ofBun }, async () => {
      await using served = await serve(tcp, echo);
      const { port } = served.server;
      await using _silent = await silence(port!, before);
      resolveTo([...before, "127.0.0.1"]);
      const connection = await connect(`ws://${NAME}:${port}`, { debug: 0 });
      connection.send("reached");
      assertEquals(await connection.recv(), "reached");
      assertEquals(connection.ip, "127.0.0.1");
      connection.terminate();
    });
  }

  it("reaches the next where those before it refuse", async () => {
    await using served = await serve(tcp, echo);
    resolveTo([...SILENT, "127.0.0.1"]);
    const connection = await connect(`ws://${NAME}:${served.server.port}`, { debug: 0 });
    assertEquals(connection.ip, "127.0.0.1");
    connection.terminate();
  });

  it("rejects when all of them refuse, and when the name is not resolved in time", async () => {
    const { port } = new URL(
      await serve(tcp).then(async (served) => {
        await served.server.shutdown();
        return served.url;
      }),
    );
    resolveTo(SILENT);
    const refused = await connect(`ws://${NAME}:${port}`, { debug: 0 }).catch((error) => error);
    assertEquals((refused as WebSocketError).code, "ERR_CONNECT");

    const never = () => new Promise(() => {});
    Object.assign(dns, { lookup: () => {} });
    Object.assign(dns.promises, { lookup: never });
    await assertRejects(
      () => connect(`ws://${NAME}:${port}`, { debug: 0, handshakeTimeout: 0.1 }),
      Error,
      "handshakeTimeout",
    );
  });
});
