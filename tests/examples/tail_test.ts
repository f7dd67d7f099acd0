import { assertEquals, assertMatch } from "@std/assert";
import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { transports } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";
import { RunningExample } from "./run_example.ts";

const PERMISSIONS = ["net", "read", "run", "env"];

for (const { name, transport } of transports) {
  describe(`examples/tail.ts on ${name}`, () => {
    it("sends what a file gets and a command prints to all clients", async () => {
      const folder = mkdtempSync(join(tmpdir(), "duet-"));
      try {
        const file = join(folder, "server.log");
        writeFileSync(file, "what was there before\n");
        const go = join(folder, "go");
        const command = `until [ -e ${go} ]; do sleep 0.05; done; printf 'eins\\nzwei\\n'`;
        const flags = ["--port", "0", "--transport", transport];
        flags.push("--file", file, "--command", command);
        await using example = RunningExample.start("tail.ts", flags, PERMISSIONS);
        const url = await example.url();
        const clients = [await openWs(url), await openWs(url)];
        writeFileSync(go, "");
        for (const { messages } of clients) {
          assertEquals(await messages.first(2), [`${command}: eins`, `${command}: zwei`]);
        }
        await example.line(/: ended with 0$/);
        appendFileSync(file, "a line\nhalf a ");
        appendFileSync(file, "line\n");
        for (const { messages } of clients) {
          const lines = (await messages.first(4)).slice(2);
          assertEquals(lines, [`${file}: a line`, `${file}: half a line`]);
        }
        truncateSync(file);
        appendFileSync(file, "anew\n");
        for (const { messages } of clients) {
          assertEquals((await messages.first(5))[4], `${file}: anew`);
        }
        const stopped = example.stop();
        for (const { end } of clients) assertEquals((await end()).code, 1001);
        assertEquals(await stopped, 0);
        assertEquals(example.errors.entries, []);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
}

describe("examples/tail.ts", () => {
  it("--help shows its own flags among the others", async () => {
    await using example = RunningExample.start("tail.ts", ["--help"], PERMISSIONS);
    assertEquals(await example.end(), 0);
    const help = example.lines.entries.join("\n");
    for (
      const line of [
        /^Usage: deno run --allow-net --allow-read --allow-run --allow-env examples\/tail\.ts \[flags\]$/m,
        /^ {2}--file PATH {12}file to follow$/m,
        /^ {2}--command LINE {9}command line to run/m,
        /^ {2}--transport http\|tcp/m,
      ]
    ) assertMatch(help, line);
  });

  it("without anything to send says so and exits with 2", async () => {
    await using example = RunningExample.start("tail.ts", ["--port", "0"], PERMISSIONS);
    assertEquals(await example.end(), 2);
    assertMatch(await example.errors.next(), /give --file, --command or both/);
  });

  it("a file that is not there is reported, and the server goes on", async () => {
    const flags = ["--port", "0", "--file", "/nowhere/at/all.log"];
    await using example = RunningExample.start("tail.ts", flags, PERMISSIONS);
    const url = await example.url();
    assertMatch(await example.errors.next(), /ENOENT|No such file/i);
    const { socket, end } = await openWs(url);
    socket.close(1000);
    assertEquals((await end()).code, 1000);
  });
});
