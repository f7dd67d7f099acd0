import { assertEquals } from "@std/assert";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { bytePaths, connectOver, serveOver } from "../support/byte_paths.ts";
import { patiently } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { runtime, serve, variants } from "../support/transports.ts";

for (const path of bytePaths) {
  describe(`a server that shuts down over ${path.name}`, () => {
    it(
      "drops a peer whose PROXY header has not come whole",
      { skip: path.preface === "" && "no header is to come here" },
      async () => {
        const served = await serveOver(path, { handshakeTimeout: 60, closeTimeout: 0.2 });
        using stalled = await RawClient.connect(served.url);
        stalled.write(path.preface.slice(0, 10));
        // Whoever comes later shows that the first has been seen.
        using other = await connectOver(path, served.url);
        other.write(upgradeRequest());
        assertEquals((await other.response(true)).status, 101);
        await served.server.shutdown();
        await stalled.end();
        assertEquals(stalled.received.length, 0);
        assertEquals(served.errors, []);
      },
    );

    // Deno's own TLS listener keeps the socket until the peer hangs up.
    const handshakes = path.secure && path.sockets !== "Deno";
    it("drops a peer whose TLS handshake is under way", {
      skip: !handshakes && "no handshake that can be ended",
    }, async () => {
      const served = await serveOver(path, { handshakeTimeout: 60, closeTimeout: 0.2 });
      const stalled = connect(Number(new URL(served.url).port), "127.0.0.1");
      try {
        stalled.on("error", () => {});
        stalled.resume();
        const closed = new Promise((resolve) => stalled.on("close", resolve));
        await once(stalled, "connect");
        stalled.write(Uint8Array.of(0x16, 3, 1, 2, 0));
        using other = await connectOver(path, served.url);
        other.write(upgradeRequest());
        assertEquals((await other.response(true)).status, 101);
        await served.server.shutdown();
        await patiently(closed, "the end of a peer in its TLS handshake");
        assertEquals(served.errors, []);
      } finally {
        stalled.destroy();
      }
    });
  });
}

for (const variant of variants.filter((it) => it.transport === "http" && it.secure)) {
  describe(`a server that shuts down over ${variant.name}`, () => {
    it("does not wait closeTimeout for a peer whose TLS handshake is under way", {
      skip: runtime === "bun" && "its engine waits until it is told to drop all else too",
    }, async () => {
      const served = await serve(variant, { handshakeTimeout: 60, closeTimeout: 60 });
      const stalled = connect(Number(new URL(served.url).port), "127.0.0.1");
      try {
        const closed = new Promise((resolve) => stalled.on("close", resolve));
        stalled.on("error", () => {});
        stalled.resume();
        await once(stalled, "connect");
        stalled.write(Uint8Array.of(0x16, 3, 1, 2, 0));
        // Whoever comes later shows that the first has been seen.
        (await RawClient.open(served.url))[Symbol.dispose]();
        await patiently(served.server.shutdown(), "shutdown");
        // Deno keeps the socket until the peer hangs up.
        if (runtime === "node") await patiently(closed, "the end of a peer in its TLS handshake");
        assertEquals(served.errors, []);
      } finally {
        stalled.destroy();
      }
    });
  });
}
