import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import { type WebSocketConnection, WebSocketError } from "../../mod.ts";
import { clientFrame, closeBytes, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { handling, serve, transports } from "../support/transports.ts";

for (const variant of transports) {
  describe(`recv() over ${variant.name}`, () => {
    it("gives one message after the other, and null at the end", async () => {
      const results = new Journal<unknown>();
      await using served = await serve(
        variant,
        handling({
          async ready(connection) {
            for (let i = 0; i < 5; i++) results.add(await connection.recv());
          },
        }),
      );
      using client = await RawClient.open(served.url);
      client.write(concat(
        clientFrame(1, "one"),
        clientFrame(2, Uint8Array.of(2)),
        clientFrame(9, "a ping is no message"),
        clientFrame(1, "three"),
        clientFrame(8, closeBytes(1000)),
      ));
      assertEquals(await results.first(5), ["one", Uint8Array.of(2), "three", null, null]);
    });

    it("gives what came before it was called", async () => {
      const connections = new Journal<WebSocketConnection>();
      await using served = await serve(
        variant,
        handling({
          ready(connection) {
            // From here on messages are kept for recv().
            first = connection.recv();
            connections.add(connection);
          },
        }),
      );
      let first: Promise<unknown> | undefined;
      using client = await RawClient.open(served.url);
      const connection = await connections.next();
      client.write(concat(...["one", "two", "three"].map((it) => clientFrame(1, it))));
      assertEquals(await first, "one");
      client.write(clientFrame(8, closeBytes(1000)));
      assertEquals(await connection.recv(), "two");
      assertEquals(await connection.recv(), "three");
      assertEquals(await connection.recv(), null);
    });

    it("serves several callers in the order of their calls", async () => {
      const results = new Journal<unknown>();
      await using served = await serve(
        variant,
        handling({
          ready(connection) {
            for (let i = 0; i < 3; i++) void connection.recv().then((it) => results.add([i, it]));
          },
        }),
      );
      using client = await RawClient.open(served.url);
      client.write(concat(clientFrame(1, "a"), clientFrame(1, "b")));
      await results.first(2);
      client.reset();
      assertEquals(await results.first(3), [[0, "a"], [1, "b"], [2, null]]);
    });

    it("is there as a for await loop, which ends with the connection", async () => {
      const course = new Journal<unknown>();
      await using served = await serve(
        variant,
        handling({
          async ready(connection) {
            for await (const message of connection) {
              course.add(message);
              connection.send(message);
            }
            course.add(`ended, ${connection.disconnected}`);
          },
        }),
      );
      using client = await RawClient.open(served.url);
      client.write(clientFrame(1, "one"));
      assertEquals((await client.frame())?.payload.toString(), "one");
      client.write(concat(clientFrame(1, "two"), clientFrame(8)));
      assertEquals(await course.first(3), ["one", "two", "ended, true"]);
    });

    it("gives null at once when this side ends the connection", async () => {
      const ends = new Journal<unknown>();
      await using served = await serve(
        variant,
        handling({
          ready(connection) {
            void connection.recv().then(ends.add);
            connection.terminate();
          },
        }),
      );
      using client = await RawClient.connect(served.url);
      client.write(upgradeRequest());
      assertEquals(await ends.next(), null);
    });

    it("does not mix with handlers for messages, whichever came first: ERR_STATE", async () => {
      const connections = new Journal<WebSocketConnection>();
      await using served = await serve(variant, handling({ ready: connections.add }));
      for (const event of ["utf8", "binary", "message"] as const) {
        using _client = await RawClient.open(served.url);
        const connection = await connections.next();
        connection.on({ [event]: () => {} });
        const refused = await assertRejects(async () => await connection.recv(), WebSocketError);
        assertEquals(refused.code, "ERR_STATE");
        connection.on({ [event]: undefined });
        void connection.recv();
        const error = assertThrows(() => connection.on({ [event]: () => {} }), WebSocketError);
        assertEquals(error.code, "ERR_STATE");
        connection.on({ ping: undefined, disconnect: () => {} });
      }
    });
  });
}
