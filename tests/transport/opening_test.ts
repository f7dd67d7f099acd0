import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { allPaths } from "../support/all_paths.ts";
import { bytePaths, connectOver, openOver, serveOver } from "../support/byte_paths.ts";
import { clientFrame, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { upgradeRequest } from "../support/raw_client.ts";
import { handling } from "../support/transports.ts";

for (const path of bytePaths) {
  describe(`an opening over ${path.name}`, () => {
    it("frames right behind the request wait for a busy handler, whatever comes after them", async () => {
      const accepted = Promise.withResolvers<undefined>();
      const accepts = new Journal<true>();
      const told = new Journal<string>();
      const gate = Promise.withResolvers<void>();
      await using served = await serveOver(path, {
        highWaterMark: 1,
        onAccept() {
          if (accepts.entries.length > 0) return undefined;
          accepts.add(true);
          return accepted.promise;
        },
        onConnect(_server, connection) {
          connection.on({
            async utf8(_connection, data) {
              told.add(data);
              await gate.promise;
            },
          });
        },
      });
      using client = await connectOver(path, served.url);
      const texts = Array.from({ length: 100 }, (_, i) => `${i} ${"x".repeat(i)}`);
      const [early, late] = [texts.slice(0, 10), texts.slice(10)]
        .map((some) => concat(...some.map((it) => clientFrame(1, it))));
      client.write(concat(upgradeRequest(), early));
      await accepts.next();
      // Whoever comes later shows that the first client's bytes have been seen.
      using other = await openOver(path, served.url);
      accepted.resolve(undefined);
      await told.first(1);
      await new Promise<void>((resolve) => client.socket.write(late, () => resolve()));
      other.write(clientFrame(9));
      assertEquals((await other.frame())?.opcode, 10);
      gate.resolve();
      assertEquals(await told.first(texts.length), texts);
      assertEquals(served.errors, []);
    });
  });
}

for (const path of allPaths) {
  describe(`an opening over ${path.name}`, () => {
    it("no handshake event comes after its connection was told to end by the origin handler", async () => {
      const events = new Journal<string>();
      const served = await serveOver(
        path,
        handling({
          origin: (connection) => connection.disconnect(),
          handshake: () => events.add("handshake"),
          disconnect: (_connection, code) => events.add(`disconnect ${code}`),
        }),
      );
      using client = await connectOver(path, served.url);
      client.write(upgradeRequest());
      assertEquals(await events.next(), "disconnect 1006");
      await served.server.shutdown();
      assertEquals(events.entries.length, 1);
    });
  });
}

for (const path of bytePaths) {
  describe(`an opening over ${path.name}`, () => {
    it("no handshake event comes for a peer that has left while its origin was decided on", async () => {
      const events = new Journal<string>();
      const gate = Promise.withResolvers<void>();
      await using served = await serveOver(
        path,
        handling({
          origin() {
            events.add("origin");
            return gate.promise;
          },
          handshake: () => events.add("handshake"),
          disconnect: (_connection, code) => events.add(`disconnect ${code}`),
        }),
      );
      using client = await connectOver(path, served.url);
      client.write(upgradeRequest());
      assertEquals(await events.next(), "origin");
      client.reset();
      assertEquals(await events.next(), "disconnect 1006");
      gate.resolve();
      await gate.promise;
      await served.server.shutdown();
      assertEquals(events.entries, ["origin", "disconnect 1006"]);
    });
  });
}
