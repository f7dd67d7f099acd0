import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "node:test";
import { transports } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";
import { RunningExample } from "./run_example.ts";

for (const { name, transport, engine } of transports) {
  describe(`examples/synopsis.ts on ${name}`, () => {
    it("greets a client and prints what it hears", async () => {
      await using example = RunningExample.start("synopsis.ts", [
        "--port",
        "0",
        "--transport",
        transport,
      ]);
      const url = await example.url();
      const { socket, messages, pongs, end } = await openWs(`${url}/?room=garden`, {
        origin: "http://localhost",
      });
      const greeting = { code: 200, type: "user", message: "Hello" };
      assertEquals(JSON.parse(String(await messages.next())), greeting);
      assertMatch((await example.line(/^A client at (.+), port \d+$/))[0], /127\.0\.0\.1/);
      assertEquals(await example.line(/^It asks: (.*)$/), ["room=garden"]);
      assertEquals(await example.line(/^Its origin: (.*)$/), ["http://localhost, ours"]);
      socket.ping("are you there?");
      assertEquals(await pongs.next(), "are you there?");
      if (engine !== "Deno.serve") {
        assertEquals(await example.line(/^A ping: (.*)$/), ["are you there?"]);
        socket.pong("by the way");
        assertEquals(await example.line(/^A pong: (.*)$/), ["by the way"]);
      }
      socket.send("What a lovely day");
      assertEquals(await example.line(/^It says: (.*)$/), ["What a lovely day"]);
      const other = await openWs(url);
      assertEquals(JSON.parse(String(await other.messages.next())), greeting);
      socket.send("to the others");
      assertEquals(await other.messages.next(), "to the others");
      other.socket.send("back");
      assertEquals(await messages.next(), "back");
      socket.close(1000, "bye");
      await end();
      assertEquals(await example.line(/^It left after \d+ s: (.*)$/), ["1000 bye"]);
      other.socket.close(1000);
      await other.end();
      assertEquals(await example.stop(), 0);
    });
  });
}
