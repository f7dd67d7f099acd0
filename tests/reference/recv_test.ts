import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { describe, it } from "node:test";
import { WebSocketConnection, WebSocketError, type WebSocketServerOptions } from "../../mod.ts";
import { clientFrame, concat } from "../support/client_frame.ts";
import { patiently } from "../support/patience.ts";
import { RawClient } from "../support/raw_client.ts";
import { handling, serve, transports, type Variant } from "../support/transports.ts";
import { errorOf } from "../support/unsupported.ts";

type Message = string | Uint8Array;

/** Serves with a handler for `ready` that reads by itself; what it fails with is the test's failure. */
async function reading(
  variant: Variant,
  read: (connection: WebSocketConnection) => Promise<void>,
  options: WebSocketServerOptions = {},
) {
  const done = Promise.withResolvers<void>();
  const served = await serve(variant, {
    ...handling({ ready: (connection) => void read(connection).then(done.resolve, done.reject) }),
    ...options,
  });
  return { ...served, done: () => patiently(done.promise, "the end of reading") };
}

for (const variant of transports) {
  const { name } = variant;

  // More of it is in tests/integration/recv_test.ts and backpressure_test.ts.
  describe(`recv over ${name}`, () => {
    it("for await: goes through the messages until the end; after break, recv goes on", async () => {
      const seen: Message[] = [];
      await using served = await reading(variant, async (connection) => {
        for await (const message of connection) {
          seen.push(message);
          connection.send(message);
          if (message === "enough") break;
        }
        assertEquals(connection.disconnected, false);
        seen.push(`recv ${await connection.recv()}`);
        for await (const message of connection) seen.push(`again ${message}`);
      });
      using client = await RawClient.open(served.url);
      const texts = ["a", "enough", "b", "c", "d"];
      client.write(concat(...texts.map((it) => clientFrame(1, it))));
      assertEquals((await client.frame())?.payload.toString(), "a");
      client.write(clientFrame(8));
      await served.done();
      assertEquals(seen, ["a", "enough", "recv b", "again c", "again d"]);
    });

    it("for await: a loop that is left while it waits ends at once, and takes no message with it", async () => {
      const seen: unknown[] = [];
      const left = Promise.withResolvers<void>();
      await using served = await reading(variant, async (connection) => {
        for (const leave of ["return", "throw", Symbol.asyncDispose] as const) {
          const loop = connection[Symbol.asyncIterator]();
          const waiting = [loop.next(), loop.next()];
          if (leave === "throw") {
            await assertRejects(() => loop.throw(new Error("mine")), Error, "mine");
          } else await loop[leave]();
          for (const next of [...waiting, loop.next()]) seen.push((await next).done);
        }
        left.resolve();
        for await (const message of connection) seen.push(message);
      });
      using client = await RawClient.open(served.url);
      await patiently(left.promise, "the end of loops");
      client.write(concat(clientFrame(1, "a"), clientFrame(1, "b"), clientFrame(8)));
      await served.done();
      assertEquals(seen, [...new Array(9).fill(true), "a", "b"]);
    });

    it("a handler for messages can be taken away, but not set, after it", async () => {
      await using served = await reading(variant, async (connection) => {
        const next = connection.recv();
        for (const event of ["utf8", "binary", "message"] as const) {
          assertEquals(errorOf(() => connection.on({ [event]: () => {} })).code, "ERR_STATE");
          connection.on({ [event]: undefined });
        }
        connection.on({ disconnect: () => {}, error: () => {} });
        assertEquals(await next, "Hello");
      });
      using client = await RawClient.open(served.url);
      client.write(clientFrame(1, "Hello"));
      await served.done();
    });

    it("for await on a connection with handlers for messages rejects", async () => {
      const done = Promise.withResolvers<Error>();
      await using served = await serve(
        variant,
        handling({
          utf8() {},
          ready: (connection) =>
            void assertRejects(() => connection[Symbol.asyncIterator]().next(), WebSocketError)
              .then(done.resolve, done.reject),
        }),
      );
      using _client = await RawClient.open(served.url);
      assertMatch((await done.promise).message, /one or the other/);
    });
  });
}
