import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import type { WebSocketConnection } from "../../mod.ts";
import { Lingering, MAX_LINGERING } from "../../src/transport/tcp/lingering.ts";
import { clientFrame } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { handling, serve, transports } from "../support/transports.ts";

describe("what a peer still sends after its connection has failed", () => {
  it("is dropped up to 64 MiB; with a byte more the peer is", () => {
    let destroyed = 0;
    const lingering = new Lingering({ destroy: () => destroyed++ });
    for (let i = 0; i < 64; i++) lingering.take(MAX_LINGERING / 64);
    assertEquals(destroyed, 0);
    lingering.take(1);
    assertEquals(destroyed, 1);
  });
});

/** Sends more than is dropped, and does not listen. */
async function sendTooMuch(client: RawClient): Promise<void> {
  const piece = new Uint8Array(1024 * 1024);
  for (let sent = 0; sent < 2 * MAX_LINGERING && !client.socket.destroyed; sent += piece.length) {
    const taken = client.socket.write(piece);
    if (taken) continue;
    const closed = new Promise((resolve) => client.socket.once("close", resolve));
    await Promise.race([new Promise((resolve) => client.socket.once("drain", resolve)), closed]);
  }
}

for (const variant of transports) {
  const skip = variant.transport !== "tcp" && "the engine reads as long as it likes";
  describe(`a peer that floods after its failure, over ${variant.name}`, { skip }, () => {
    it("is dropped long before closeTimeout, after a bad frame", async () => {
      const ends = new Journal<number>();
      const disconnect = (_connection: WebSocketConnection, code: number) => ends.add(code);
      await using served = await serve(variant, { ...handling({ disconnect }), closeTimeout: 600 });
      using client = await RawClient.open(served.url);
      client.write(clientFrame(3, "no such opcode"));
      assertEquals(await client.closeCode(), 1002);
      await sendTooMuch(client);
      assertEquals(await ends.next(), 1006);
    });

    it("is dropped long before closeTimeout, after a bad request", async () => {
      const ends = new Journal<number>();
      const disconnect = (_connection: WebSocketConnection, code: number) => ends.add(code);
      await using served = await serve(variant, { ...handling({ disconnect }), closeTimeout: 600 });
      using client = await RawClient.connect(served.url);
      client.write(upgradeRequest().replace("HTTP/1.1", "HTTP/2.0"));
      assertEquals((await client.response()).status, 505);
      await sendTooMuch(client);
      assertEquals(await ends.next(), 1006);
    });
  });
}
