import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import type { Extension, WebSocketConnection, WebSocketError } from "../../mod.ts";
import { bytePaths, openOver, serveOver } from "../support/byte_paths.ts";
import { clientFrame, closeBytes, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";

const RSV1 = 0x40;
const OFFER = { "Sec-WebSocket-Extensions": "x-broken" };

/** An extension whose sessions throw where they are told to. */
function broken(where: "negotiate" | "decode" | "encode" | "close"): Extension {
  const act = (here: string) => {
    if (here === where) throw new Error(`${where} is broken`);
  };
  return {
    name: "x-broken",
    negotiate() {
      act("negotiate");
      return {
        rsv: RSV1,
        parameters: [],
        decode(payload) {
          act("decode");
          return payload;
        },
        encode(payload) {
          act("encode");
          return payload.slice();
        },
        close: () => act("close"),
      };
    },
  };
}

for (const path of bytePaths) {
  describe(`an extension that throws, over ${path.name} (RFC 6455 §7.4.1)`, () => {
    /** A server with such an extension; it tells of each end, and answers the text "send" with bytes. */
    const serveBroken = (where: Parameters<typeof broken>[0], ends: Journal<string>) =>
      serveOver(path, {
        extensions: [broken(where)],
        compressionThreshold: 0,
        onConnect: (_server, connection: WebSocketConnection) =>
          void connection.on({
            utf8(connection) {
              connection.sendBinary(Uint8Array.of(1, 2, 3));
              ends.add(`sent, then ready ${connection.isReady}`);
            },
            disconnect: (_connection, code) => ends.add(`disconnect ${code}`),
          }),
      });

    for (const where of ["decode", "encode"] as const) {
      it(`in ${where}() fails that connection with 1011, is told once, and harms no other`, async () => {
        const ends = new Journal<string>();
        await using served = await serveBroken(where, ends);
        using other = await openOver(path, served.url);
        using client = await openOver(path, served.url, OFFER);
        client.write(clientFrame(1, "send", where === "decode" ? { rsv: RSV1 } : {}));
        assertEquals(await client.closeCode(), 1011);
        client.write(clientFrame(8, closeBytes(1011)));
        await client.end();
        if (where === "encode") assertEquals(await ends.next(), "sent, then ready false");
        assertEquals(await ends.next(), "disconnect 1006");
        const told = served.errors.map((it) => (it as WebSocketError).code);
        assertEquals(told, ["ERR_HANDLER"], "it is not blamed on the peer");
        other.write(concat(clientFrame(1, "send")));
        assertEquals((await other.frame())?.payload.join(), "1,2,3");
      });
    }

    it("in close() is told once, and the connection has ended in order", async () => {
      const ends = new Journal<string>();
      await using served = await serveBroken("close", ends);
      using client = await openOver(path, served.url, OFFER);
      client.write(clientFrame(8, closeBytes(1000)));
      assertEquals(await client.closeCode(), 1000);
      await client.end();
      client.socket.end();
      assertEquals(await ends.next(), "disconnect 1000");
      assertEquals(served.errors.map((it) => (it as WebSocketError).code), ["ERR_HANDLER"]);
      assertEquals(served.server.connections.size, 0);
    });

    it("in negotiate() refuses the handshake with 500, and is told once", async () => {
      const ends = new Journal<string>();
      await using served = await serveBroken("negotiate", ends);
      await openOver(path, served.url, OFFER).then(
        () => ends.add("opened"),
        (error) => ends.add(error.message),
      );
      assertEquals((await ends.first(2)).sort(), [
        "disconnect 1006",
        "the handshake was answered with 500",
      ]);
      assertEquals(served.errors.map((it) => (it as WebSocketError).code), ["ERR_HANDLER"]);
    });
  });
}
