import { once } from "node:events";
import { connect } from "node:net";
import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { echo, serve, variants } from "../support/transports.ts";
import { assertAnswers, assertServes } from "./healthy.ts";
import { HANG_MS } from "../support/hang.ts";

/** What comes to a TLS port instead of a whole ClientHello. */
const STALLS = [
  new Uint8Array(0),
  Uint8Array.of(0x16, 3, 1, 2, 0),
  Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3),
];

for (const variant of variants.filter(({ secure }) => secure)) {
  describe(`hostile peers of ${variant.name}`, () => {
    // When a stalled handshake ends is tested in tests/integration/hostile_test.ts, where it does: the
    // engine of Deno.serve lets it be, that of Bun.serve drops it after 10 s of its own, and Deno's TLS
    // listener keeps the socket open after it was closed.
    it("stalls in the TLS handshake harm nobody else", async () => {
      await using served = await serve(variant, echo);
      using healthy = await RawClient.open(served.url);
      const { port } = new URL(served.url);
      const stalled = await Promise.all(Array.from({ length: 60 }, async (_, i) => {
        const socket = connect({ host: "127.0.0.1", port: Number(port) });
        socket.on("error", () => {});
        await once(socket, "connect");
        socket.write(STALLS[i % STALLS.length]);
        return socket;
      }));
      for (let round = 0; round < 5; round++) {
        const began = performance.now();
        await assertAnswers(healthy);
        await assertServes(served.url);
        const took = performance.now() - began;
        assert(took < HANG_MS, `others waited ${took} ms`);
      }
      for (const socket of stalled) socket.destroy();
      await assertServes(served.url);
      assertEquals(served.errors, []);
    });

    it("plain text to the TLS port harms nobody else", async () => {
      await using served = await serve(variant, echo);
      using healthy = await RawClient.open(served.url);
      const plainUrl = served.url.replace("wss:", "ws:");
      await Promise.all(Array.from({ length: 60 }, async () => {
        using client = await RawClient.connect(plainUrl);
        client.write(upgradeRequest());
        await client.end();
      }));
      await assertAnswers(healthy);
      await assertServes(served.url);
      assertEquals(served.errors, []);
    });
  });
}
