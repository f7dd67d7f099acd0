import { once } from "node:events";
import { connect } from "node:net";
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { echo, serve, transports } from "../support/transports.ts";
import { assertAnswers, assertServes } from "./healthy.ts";
import { HANG_MS } from "../support/hang.ts";

/** Connects, perhaps writes, and resets in the same moment. */
async function connectAndReset(url: string, bytes: string): Promise<void> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
  socket.on("error", () => {});
  await once(socket, "connect");
  if (bytes !== "") socket.write(bytes);
  socket.resetAndDestroy();
}

for (const variant of transports) {
  describe(`hostile connections over ${variant.name}`, () => {
    it("reset storms: who comes and is gone at once delays nobody, and is no error", async () => {
      let [connects, disconnects] = [0, 0];
      await using served = await serve(variant, {
        onConnect(server, connection) {
          connects++;
          echo.onConnect!(server, connection);
          connection.on({ disconnect: () => void disconnects++ });
        },
      });
      using healthy = await RawClient.open(served.url);
      for (const bytes of ["", "GET / HTTP/1.1\r\n", upgradeRequest()]) {
        for (let round = 0; round < 5; round++) {
          await Promise.all(Array.from({ length: 40 }, () => connectAndReset(served.url, bytes)));
          const began = performance.now();
          await assertAnswers(healthy);
          await assertServes(served.url);
          const took = performance.now() - began;
          assert(took < HANG_MS, `others waited ${took} ms`);
        }
      }
      healthy.reset();
      await served.server.shutdown();
      assertEquals(disconnects, connects);
      assertEquals(served.errors, []);
    });

    it("silent connections, and those with half a request, take no other's place", async () => {
      await using served = await serve(variant, echo);
      using healthy = await RawClient.open(served.url);
      const silent = await Promise.all(
        Array.from({ length: 100 }, () => RawClient.connect(served.url)),
      );
      for (const [i, client] of silent.entries()) client.write(upgradeRequest().slice(0, i));
      await assertAnswers(healthy);
      await assertServes(served.url);
      for (const client of silent) client.reset();
      await assertServes(served.url);
    });
  });
}
