import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { WebSocketConnection, type WebSocketError } from "../../mod.ts";
import { clientFrame, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { echo, serve, variants } from "../support/transports.ts";

/** What may be thrown that has no message, or none that can be read. */
const THROWN: Record<string, unknown> = {
  "an object without a prototype": Object.create(null),
  "undefined": undefined,
  "a symbol": Symbol("thrown"),
  "an object whose toString throws": {
    toString() {
      throw new Error("no text");
    },
  },
  "an error whose message throws": Object.defineProperty(new Error(), "message", {
    get() {
      throw new Error("no message");
    },
  }),
};

/** Promises of the application's own that do not keep to the rules. */
const THENABLES: Record<string, (settle: () => void) => unknown> = {
  "calls back twice": (settle) => ({
    then(done: () => void) {
      done();
      done();
      settle();
    },
  }),
  "calls back, and throws": (settle) => ({
    then(done: () => void) {
      done();
      settle();
      throw new Error("after it was done");
    },
  }),
  "is a function": (settle) =>
    Object.assign(() => {}, {
      then(done: () => void) {
        done();
        settle();
      },
    }),
};

/** A connection whose own members throw, of which the library must need none. */
class Hostile extends WebSocketConnection {
  override get ip(): string {
    throw new Error("no ip");
  }
  override get port(): number {
    throw new Error("no port");
  }
  override get socket(): unknown {
    throw new Error("no socket");
  }
  override get handshake(): undefined {
    throw new Error("no handshake");
  }
  override get isReady(): boolean {
    throw new Error("not ready");
  }
}

for (const variant of variants) {
  describe(`handlers that do what is unusual, over ${variant.name}`, () => {
    for (const [name, thrown] of Object.entries(THROWN)) {
      for (const event of ["origin", "handshake"] as const) {
        for (const later of [false, true]) {
          it(`${event} ${later ? "rejects with" : "throws"} ${name}: 500, and it is told once`, async () => {
            const fail = () => {
              if (later) return Promise.reject(thrown);
              throw thrown;
            };
            await using served = await serve(variant, {
              onConnect: (_server, connection) => void connection.on({ [event]: fail }),
            });
            assertEquals((await RawClient.ask(served.url, upgradeRequest())).status, 500);
            assertEquals(served.errors.map((it) => (it as WebSocketError).code), ["ERR_HANDLER"]);
          });
        }
      }

      it(`message handlers throw ${name}: it is told once, and the next message is delivered`, async () => {
        const told = new Journal<string>();
        let calls = 0;
        await using served = await serve(variant, {
          onError: (_server, error) => told.add((error as WebSocketError).code),
          onConnect: (_server, connection) =>
            void connection.on({
              utf8(connection, data) {
                calls++;
                if (calls === 1) throw thrown;
                if (calls === 2) return Promise.reject(thrown);
                return connection.send(data);
              },
            }),
        });
        using client = await RawClient.open(served.url);
        client.write(concat(...["1", "2", "3"].map((it) => clientFrame(1, it))));
        assertEquals(String((await client.frame())?.payload), "3");
        assertEquals(told.entries, ["ERR_HANDLER", "ERR_HANDLER"]);
      });
    }

    for (const [name, make] of Object.entries(THENABLES)) {
      it(`a thenable that ${name} holds messages back until it has settled, and no longer`, async () => {
        const settled = Promise.withResolvers<void>();
        await using served = await serve(variant, {
          onConnect: (_server, connection) =>
            void connection.on({
              utf8(connection, data) {
                if (data === "1") return make(settled.resolve);
                return connection.send(data);
              },
            }),
        });
        using client = await RawClient.open(served.url);
        client.write(concat(...["1", "2", "3"].map((it) => clientFrame(1, it))));
        assertEquals([
          String((await client.frame())?.payload),
          String((await client.frame())?.payload),
        ], ["2", "3"]);
        await patiently(settled.promise, "the thenable");
        assertEquals(served.errors, []);
      });
    }

    it("a subclass whose getters throw is opened, logged, told of and ended all the same", async () => {
      const lines: string[] = [];
      const log = (line: string) => void lines.push(line);
      const ends = new Journal<number>();
      await using served = await serve(variant, {
        connectionClass: Hostile,
        debug: 3,
        logger: { debug: log, info: log, warn: log, error: log },
        onConnect: (_server, connection) =>
          void connection.on({
            utf8() {
              throw new Error("my fault");
            },
            disconnect: (_connection, code) => ends.add(code),
          }),
      });
      using client = await RawClient.open(served.url);
      client.write(clientFrame(1, "1"));
      client.write(clientFrame(8, Uint8Array.of(0x03, 0xe8)));
      assertEquals(await patiently(ends.next(), "its end"), 1000);
      assertEquals(served.errors.map((it) => (it as WebSocketError).code), ["ERR_HANDLER"]);
      for (const what of [/^127\.0\.0\.1:\d+ is connected$/, /: .*my fault/, /has left$/]) {
        assertEquals(lines.filter((it) => what.test(it)).length, 1, `${what} in ${lines}`);
      }
    });

    it("a logger whose promises reject does not end the program", async () => {
      const { error } = console;
      const told = new Journal<unknown>();
      console.error = (...args: unknown[]) => told.add(args[1]);
      try {
        const failure = new Error("no log");
        const log = () => Promise.reject(failure) as unknown as void;
        await using served = await serve(variant, {
          debug: 3,
          logger: { debug: log, info: log, warn: log, error: log },
        });
        using _client = await RawClient.open(served.url);
        assertEquals(await told.next(), failure);
      } finally {
        console.error = error;
      }
    });

    it("a Response with a header field that cannot be sent is answered 500, and it is told once", async () => {
      for (const value of ["a\x01b", "a\x7fb"]) {
        await using served = await serve(variant, {
          onRequest: () => new Response("page", { headers: { "X-Odd": value } }),
        });
        const answer = await RawClient.ask(served.url, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assertEquals(answer.status, 500);
        assertEquals(served.errors.map((it) => (it as WebSocketError).code), ["ERR_HANDLER"]);
      }
    });

    it("a Response whose body somebody reads already is answered 500, it is told once, and others are served", async () => {
      const locked = () => {
        const response = new Response(new ReadableStream(), { status: 403 });
        void response.body!.getReader();
        return response;
      };
      await using served = await serve(variant, {
        onRequest: locked,
        onConnect: (_server, connection) => void connection.on({ handshake: locked }),
      });
      // Bun's engine finds it by itself.
      const code = variant.engine === "Bun.serve" ? "ERR_STATE" : "ERR_HANDLER";
      for (const request of ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", upgradeRequest()]) {
        for (let i = 0; i < 2; i++) {
          assertEquals((await RawClient.ask(served.url, request)).status, 500);
          assertEquals((served.errors.pop() as WebSocketError).code, code);
        }
      }
      assertEquals(served.errors, []);
    });

    it("broadcast: an item that is no connection is refused, and nobody is sent anything", async () => {
      await using served = await serve(variant, echo);
      const { server } = served;
      using client = await RawClient.open(served.url);
      const [open] = server.connections;
      const wrong: unknown[] = [
        null,
        5,
        open,
        server,
        "abc",
        [open, null],
        [open, undefined],
        [open, {}],
        [open, Object.create(WebSocketConnection.prototype)],
        { length: 1, 0: open },
      ];
      for (const to of wrong) {
        const error = thrownBy(() => server.broadcast("no", to as WebSocketConnection[]));
        assertEquals((error as WebSocketError).code, "ERR_INVALID_ARGUMENT");
        assertEquals(server.error, error);
      }
      const failure = new Error("the iterable's own");
      const failing = function* () {
        yield open;
        throw failure;
      };
      assertEquals(thrownBy(() => server.broadcast("no", failing())), failure);
      assertEquals(server.broadcast("yes", [open, open]), 2);
      assertEquals([
        String((await client.frame())?.payload),
        String((await client.frame())?.payload),
      ], ["yes", "yes"]);
      assertEquals(served.errors, []);
    });
  });
}

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("Expected an error");
}
