import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { type AnyServer, WebSocketConnection } from "../../mod.ts";
import { clientFrame } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient } from "../support/raw_client.ts";
import { serve, transports } from "../support/transports.ts";

interface Session {
  readonly user: string;
}

for (const variant of transports) {
  describe(`the data of a connection over ${variant.name}`, () => {
    it("is undefined, until a handshake handler has put there what it has learnt", async () => {
      const seen = new Journal<Session | undefined>();
      await using served = await serve(variant, {
        connectionClass: WebSocketConnection<Session>,
        onConnect(_server, connection) {
          seen.add(connection.data);
          connection.on({
            async handshake(connection, { request }) {
              await Promise.resolve();
              connection.data = { user: request.cookies.get("user") ?? "nobody" };
            },
            ready: ({ data }) => seen.add(data),
            utf8: ({ data }) => seen.add(data),
          });
        },
      });
      using client = await RawClient.open(served.url, { Cookie: "user=ada" });
      client.write(clientFrame(1, "x"));
      const ada = { user: "ada" };
      assertEquals(await seen.first(3), [undefined, ada, ada]);
      assertEquals(served.server.connections.map(({ data }) => data.user), ["ada"]);
    });

    it("its server is the server, which helpers for any server take", async () => {
      class Player extends WebSocketConnection<Session> {}
      const greet = (server: AnyServer) => server.broadcast(`${server.connections.size} here`);
      await using served = await serve(variant, {
        connectionClass: Player,
        onConnect(server, player) {
          assert(player.server === server);
          player.on({ ready: (player) => void greet(player.server) });
        },
      });
      using client = await RawClient.open(served.url);
      assertEquals((await client.frame())?.payload.toString(), "1 here");
      assertEquals(served.errors, []);
    });
  });
}
