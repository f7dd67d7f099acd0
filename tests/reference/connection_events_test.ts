import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { describe, it } from "node:test";
import {
  type ConnectionHandlers,
  type ConnectionInit,
  Handshake,
  WebSocketConnection,
  type WebSocketError,
} from "../../mod.ts";
import { clientFrame, closeBytes, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { handling, serve, transports, type Variant } from "../support/transports.ts";
import { assertInvalid, assertUnsupported } from "../support/unsupported.ts";

type Events = ConnectionHandlers<WebSocketConnection>;

/** Has one connection looked at in `onConnect`. */
async function connected(
  variant: Variant,
  look: (connection: WebSocketConnection) => void,
): Promise<void> {
  const looked = Promise.withResolvers<void>();
  await using served = await serve(variant, {
    onConnect(_server, connection) {
      try {
        look(connection);
        looked.resolve();
      } catch (error) {
        looked.reject(error);
      }
    },
  });
  using _client = await RawClient.open(served.url);
  await looked.promise;
}

for (const variant of transports) {
  const { name, engine } = variant;
  const tellsPings = engine !== "Deno.serve";
  const events = ["origin", "handshake", "ready", "utf8", "binary", "message", "drain", "error"]
    .concat(tellsPings ? ["ping", "pong"] : [], "disconnect") as (keyof Events)[];

  // What origin and handshake decide is in tests/integration/handshake_events_test.ts and
  // handshake_refusal_test.ts, the order of delivery in delivery_test.ts, drain in backpressure_test.ts and the
  // codes of disconnect in close_test.ts there.
  describe(`events of a connection over ${name}`, () => {
    it("on: sets one handler each, takes them away, and returns the connection", async () => {
      await connected(variant, (connection) => {
        const [first, second] = [() => {}, () => {}];
        assertStrictEquals(connection.on({ utf8: first, drain: first }), connection);
        connection.on({ utf8: second });
        assertEquals([connection.onUtf8, connection.onDrain], [second, first]);
        connection.on({ drain: undefined });
        assertEquals([connection.onUtf8, connection.onDrain], [second, undefined]);
      });
    });

    it("on: an unknown event throws and lists the valid ones", async () => {
      await connected(variant, (connection) => {
        const names =
          /"close".*origin, handshake, ready, utf8, binary, message, ping, pong, drain, error, disconnect/;
        assertInvalid(() => connection.on({ close: () => {} } as Events), names);
        assertInvalid(() => connection.on({ utf8: "echo" as never }), /"utf8".*function/);
      });
    });

    it("onOrigin … onDisconnect: set or get the handler", async () => {
      await connected(variant, (connection) => {
        const accessors = connection as unknown as Record<string, unknown>;
        for (const event of events) {
          const handler = () => {};
          const accessor = `on${event[0].toUpperCase()}${event.slice(1)}`;
          assertEquals(accessors[accessor], undefined);
          accessors[accessor] = handler;
          assertEquals(accessors[accessor], handler, accessor);
          connection.on({ [event]: undefined });
          assertEquals(accessors[accessor], undefined);
          assertInvalid(() => accessors[accessor] = 5, new RegExp(`"${event}".*function`));
        }
      });
    });

    it("origin, handshake, ready, utf8, binary, message, disconnect: come in order, with the connection first", async () => {
      const course = new Journal<unknown[]>();
      const handlers = Object.fromEntries(events.map((event) => [
        event,
        (connection: WebSocketConnection, ...args: unknown[]) => {
          assert(connection instanceof WebSocketConnection);
          course.add([event, ...args]);
        },
      ]));
      await using served = await serve(variant, handling(handlers as Events));
      using client = await RawClient.open(served.url, { Origin: "https://example.com" });
      const controls = tellsPings ? [clientFrame(9, "a"), clientFrame(10, "b")] : [];
      client.write(
        concat(
          clientFrame(1, "Hi"),
          clientFrame(2, "ho"),
          ...controls,
          clientFrame(8, closeBytes(4001, "bye")),
        ),
      );
      const text = (it: string) => new TextEncoder().encode(it);
      const expected = [
        ["origin", new URL("https://example.com")],
        ["handshake", "a handshake"],
        ["ready"],
        ["utf8", "Hi"],
        ["message", "Hi"],
        ["binary", text("ho")],
        ["message", text("ho")],
        ...(tellsPings ? [["ping", text("a")], ["pong", text("b")]] : []),
        ["disconnect", 4001, "bye"],
      ];
      const seen = await course.first(expected.length);
      assertEquals(seen.map(plain), expected.map(plain));
    });

    if (tellsPings) {
      it("ping, pong: are told with their payload, and capabilities say so", async () => {
        const told = new Journal<string>();
        const tell = (event: string) => (_: unknown, payload: Uint8Array) =>
          told.add(`${event} ${new TextDecoder().decode(payload)}`);
        await using served = await serve(
          variant,
          handling({ ping: tell("ping"), pong: tell("pong") }),
        );
        assertEquals(served.server.capabilities.ping, true);
        using client = await RawClient.open(served.url);
        client.write(concat(clientFrame(9, "one"), clientFrame(10, "two"), clientFrame(9)));
        assertEquals(await told.first(3), ["ping one", "pong two", "ping "]);
      });
    } else {
      it("ping, pong: handlers throw, and capabilities said so", async () => {
        await connected(variant, (connection) => {
          assertUnsupported(() => connection.on({ ping: () => {} }));
          assertUnsupported(() => connection.onPong = () => {});
          connection.on({ ping: undefined });
        });
      });

      it("ping, pong: handlers that a constructor sets turn the client away", async () => {
        class Pinged extends WebSocketConnection {
          constructor(init: ConnectionInit) {
            super(init);
            this.onPing = () => {};
          }
        }
        await using served = await serve(variant, { connectionClass: Pinged });
        assertEquals(served.server.capabilities.ping, false);
        assertEquals((await RawClient.ask(served.url, upgradeRequest())).status, 500);
        assertEquals((served.errors[0] as WebSocketError).code, "ERR_UNSUPPORTED");
      });
    }

    it("error: the peer's breach of the protocol is told as ERR_PROTOCOL, then the end", async () => {
      const course = new Journal<string>();
      await using served = await serve(
        variant,
        handling({
          error: (_connection, error) => course.add((error as WebSocketError).code),
          disconnect: (connection) => course.add(`end, ${connection.error?.code}`),
        }),
      );
      using client = await RawClient.open(served.url);
      client.write(clientFrame(3, "no such opcode"));
      await client.end();
      assertEquals(await course.first(2), ["ERR_PROTOCOL", "end, ERR_PROTOCOL"]);
      assertEquals(served.errors.length, 1);
      for (const error of served.errors) assertMatch(error.message, /^Cannot /);
    });
  });
}

/** Objects that compare by what they show. */
function plain(entry: unknown[]): unknown[] {
  return entry.map((it) =>
    it instanceof URL ? it.href : it instanceof Handshake ? "a handshake" : it
  );
}
