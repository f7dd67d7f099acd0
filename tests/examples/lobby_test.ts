import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "node:test";
import { connect, RefusedError, type WebSocketConnection } from "../../client/mod.ts";
import { transports } from "../support/transports.ts";
import { RunningExample } from "./run_example.ts";

for (const { name, transport } of transports) {
  describe(`examples/lobby.ts on ${name}`, () => {
    it("tells all in a room who comes, who goes, and what is said", async () => {
      const flags = ["--port", "0", "--transport", transport];
      await using example = RunningExample.start("lobby.ts", flags);
      const url = await example.url();
      const enter = (name: string) => connect(`${url}/?name=${name}`, { debug: 0 });
      const send = (guest: WebSocketConnection, message: object) =>
        guest.send(JSON.stringify(message));
      const next = async (guest: WebSocketConnection) => JSON.parse(await guest.recv() as string);

      const ada = await enter("Ada");
      send(ada, { join: "tea" });
      assertEquals(await next(ada), { room: "tea", joined: "Ada", members: ["Ada"] });
      const bob = await enter("Bob");
      send(bob, { join: "tea" });
      for (const guest of [ada, bob]) {
        const { members, ...told } = await next(guest);
        assertEquals(told, { room: "tea", joined: "Bob" });
        assertEquals(members.sort(), ["Ada", "Bob"]);
      }
      send(bob, { room: "cellar", say: "nobody hears this" });
      send(bob, { room: "tea", say: "hello" });
      for (const guest of [ada, bob]) {
        assertEquals(await next(guest), { room: "tea", from: "Bob", say: "hello" });
      }
      send(ada, { leave: "tea" });
      assertEquals(await next(bob), { room: "tea", left: "Ada" });
      send(ada, { join: "tea" });
      await next(ada);
      await next(bob);
      bob.terminate();
      assertEquals(await next(ada), { room: "tea", left: "Bob" });

      ada.send("no JSON");
      assertEquals(await ada.recv(), null);
      const refused = await assertRejects(() => enter(""), RefusedError);
      assertEquals(refused.status, 400);
      assertEquals(await example.stop(), 0);
      assertEquals(example.errors.entries, []);
    });
  });
}
