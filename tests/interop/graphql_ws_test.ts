import { assert, assertEquals } from "@std/assert";
import { buildSchema } from "graphql";
import { CloseCode, makeServer } from "graphql-ws";
import { createClient } from "graphql-ws/client";
import { describe, it } from "node:test";
import { type WebSocketConnection, WebSocketServer } from "../../mod.ts";
import { Journal } from "../support/journal.ts";
import { transports } from "../support/transports.ts";

const schema = buildSchema("type Query { hello: String } type Subscription { tick: Int }");

/** Ticks until the subscription has ended, which it tells. */
function makeGraphql(ended: () => void) {
  return makeServer({
    schema,
    roots: {
      query: { hello: () => "world" },
      subscription: {
        async *tick() {
          try {
            for (let tick = 0;; tick++) {
              yield { tick };
              await new Promise((resolve) => setTimeout(resolve, 5));
            }
          } finally {
            ended();
          }
        },
      },
    },
  });
}

/** Serves the protocol of graphql-ws, as its documentation has it for a server without an adapter. */
function serveGraphql(connection: WebSocketConnection, graphql: ReturnType<typeof makeGraphql>) {
  let receive: (text: string) => Promise<void>;
  let closed: (code: number, reason: string) => Promise<void>;
  connection.on({
    ready(connection) {
      closed = graphql.opened({
        protocol: connection.subprotocol ?? "",
        async send(text) {
          if (!connection.send(text)) await connection.drained();
        },
        close: (code, reason) => connection.disconnect(code, reason),
        onMessage: (callback) => void (receive = callback),
      }, { connection });
    },
    // Its promise settles when the operation that the message begins has ended.
    utf8: (connection, text) =>
      receive(text).catch((error) => connection.disconnect(CloseCode.BadResponse, error.message)),
    disconnect: (_connection, code, reason) => closed?.(code, reason),
  });
}

for (const { name, transport } of transports) {
  describe(`graphql-ws over connections of ${name}`, () => {
    it("serves operations beside a subscription, and ends it with its client", async () => {
      const ended = new Journal<string>();
      const errors: Error[] = [];
      const graphql = makeGraphql(() => ended.add("ended"));
      await using server = new WebSocketServer({
        transport,
        hostname: "127.0.0.1",
        debug: 0,
        closeTimeout: 2,
        subprotocol: ["graphql-transport-ws"],
        messageOrder: "concurrent",
        onConnect: (_server, connection) => serveGraphql(connection, graphql),
        onError: (_server, error) => void errors.push(error),
      });
      await server.start();
      const client = createClient({
        url: `ws://127.0.0.1:${server.port}`,
        retryAttempts: 0,
        webSocketImpl: WebSocket,
      });
      const ticks = new Journal<unknown>();
      const failed = (error: unknown) => ticks.add(error);
      const subscribe = () =>
        client.subscribe<{ tick: number }>({ query: "subscription { tick }" }, {
          next: ({ data }) => ticks.add(data?.tick),
          error: failed,
          complete() {},
        });
      const unsubscribe = subscribe();
      assertEquals((await ticks.first(3)).slice(0, 3), [0, 1, 2]);
      for await (const { data } of client.iterate({ query: "{ hello }" })) {
        assertEquals({ ...data }, { hello: "world" });
      }
      unsubscribe();
      assertEquals(await ended.next(), "ended");

      // One that is under way when its client goes ends too.
      subscribe();
      const { length } = ticks.entries;
      await ticks.first(length + 2);
      await client.dispose();
      assertEquals(await ended.next(), "ended");
      assert(ticks.entries.every((it) => typeof it === "number"), `${ticks.entries}`);
      assertEquals(errors, []);
    });
  });
}
