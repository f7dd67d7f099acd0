import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { connect } from "../../client/mod.ts";
import { patiently } from "../support/patience.ts";
import { echo, serve, transports } from "../support/transports.ts";
import { RunningExample } from "./run_example.ts";

for (const variant of transports) {
  describe(`examples/proxy.ts on ${variant.name}`, () => {
    it("passes messages on, and tells when there is nobody behind it", async () => {
      const behind = await serve(variant, echo);
      const flags = ["--port", "0", "--transport", variant.transport, "--to", behind.url];
      await using example = RunningExample.start("proxy.ts", flags);
      const url = await example.url();
      const client = await connect(url, { debug: 0 });
      client.send("through");
      assertEquals(await client.recv(), "through");
      client.terminate();
      await behind.server.shutdown();
      const late = await connect(url, { debug: 0 });
      const end = new Promise((resolve) => late.on({ disconnect: (_it, code) => resolve(code) }));
      assertEquals(await patiently(end, "the end"), 1014);
      assertEquals(await example.stop(), 0);
    });
  });
}
