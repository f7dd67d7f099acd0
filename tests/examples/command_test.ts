import { assertEquals, assertRejects } from "@std/assert";
import { describe, it } from "node:test";
import { connect, RefusedError } from "../../client/mod.ts";
import { patiently } from "../support/patience.ts";
import { transports } from "../support/transports.ts";
import { RunningExample } from "./run_example.ts";

for (const { name, transport } of transports) {
  describe(`examples/command.ts on ${name}`, () => {
    it("gives each client a command of its own, with lines both ways, and ends as it does", async () => {
      const program = 'n=0; while read line; do case "$line" in exit*) $line;; esac; ' +
        'n=$((n+1)); echo "$n $line"; done';
      const flags = ["--port", "0", "--transport", transport, "--command", program];
      const permissions = ["net", "read", "run", "env"];
      await using example = RunningExample.start("command.ts", flags, permissions);
      const url = await example.url();
      const one = await connect(url, { debug: 0 });
      const other = await connect(url, { debug: 0 });
      one.send("a");
      one.send("b");
      assertEquals([await one.recv(), await one.recv()], ["1 a", "2 b"]);
      other.send("c");
      assertEquals(await other.recv(), "1 c");

      // More than fits into the pipes: in order, and whole.
      const lines = Array.from({ length: 40 }, () => "x".repeat(3000));
      for (const line of lines) one.send(line);
      for (const [number, line] of lines.entries()) {
        assertEquals(await one.recv(), `${number + 3} ${line}`);
      }

      for (const [client, status, code] of [[one, 0, 1000], [other, 3, 1011]] as const) {
        const end = new Promise((resolve) => client.onDisconnect = (_client, it) => resolve(it));
        client.send(`exit ${status}`);
        assertEquals(await client.recv(), null);
        assertEquals(await patiently(end, "the end"), code);
      }
      const headers = { origin: "https://other.example" };
      const refused = await assertRejects(() => connect(url, { headers, debug: 0 }), RefusedError);
      assertEquals(refused.status, 403);
      assertEquals(await example.stop(), 0);
      assertEquals(example.errors.entries, []);
    });
  });
}
