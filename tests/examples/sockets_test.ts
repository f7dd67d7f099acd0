import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { describe, it } from "node:test";
import { connect, RefusedError } from "../../client/mod.ts";
import { patiently } from "../support/patience.ts";
import { transports } from "../support/transports.ts";
import { RunningExample } from "./run_example.ts";

for (const { name, transport } of transports) {
  describe(`examples/sockets.ts on ${name}`, () => {
    it("serves each path in its own way, and no other", async () => {
      const flags = ["--port", "0", "--transport", transport];
      await using example = RunningExample.start("sockets.ts", flags);
      const url = await example.url();
      const open = (path: string) => connect(`${url}${path}`, { debug: 0 });

      const [ada, bob, eve] = [
        await open("/chat/tea"),
        await open("/chat/tea"),
        await open("/chat/x"),
      ];
      ada.send("hello");
      assertEquals(await bob.recv(), "hello");
      eve.send("nobody here?");
      bob.send("hi");
      assertEquals(await ada.recv(), "hi");
      const end = new Promise((resolve) => eve.onDisconnect = (_eve, code) => resolve(code));
      eve.send("x".repeat(1001));
      assertEquals(await patiently(end, "the end"), 1009);

      const upload = await open("/upload/a%20file");
      upload.send(new Uint8Array(2000));
      assertEquals(await upload.recv(), "a file: 2000 bytes");
      upload.send(new Uint8Array(500));
      assertEquals(await upload.recv(), "a file: 2500 bytes");

      assertMatch(String(await (await open("/clock")).recv()), /^\d{4}-.*Z$/);
      assertEquals((await assertRejects(() => open("/"), RefusedError)).status, 404);
      assertEquals(await example.stop(), 0);
      assertEquals(example.errors.entries, []);
    });
  });
}
