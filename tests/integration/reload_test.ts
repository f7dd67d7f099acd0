import { assertEquals, assertMatch } from "@std/assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Journal } from "../support/journal.ts";
import { runtime, transports } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

const mod = fileURLToPath(new URL("../../mod.ts", import.meta.url));
const COMMAND = runtime === "bun"
  ? ["--hot", "run"]
  : ["run", "-A", "--no-check", "--no-clear-screen", "--watch"];

/** A program of this version, with the two lines of the guide that make it leave in time, or without them. */
function program(version: string, transport: string, port: number, leaves: boolean): string {
  return `
    import { WebSocketServer } from ${JSON.stringify(mod)};
    const before = globalThis as { server?: WebSocketServer };
    ${leaves ? "await before.server?.shutdown();" : ""}
    const server = before.server = new WebSocketServer({
      transport: "${transport}",
      hostname: "127.0.0.1",
      port: ${port},
      debug: 0,
      onConnect: (_server, connection) =>
        void connection.on({ utf8: (connection) => void connection.send("${version}") }),
    });
    await server.start().then(() => console.log("up", server.port), (error) => console.log(error.message));
  `;
}

/** Runs a program that is changed while it runs. */
async function reload(
  transport: string,
  leaves: boolean,
  act: (port: number, change: () => void, lines: Journal<string>) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "duet-reload-"));
  const file = join(folder, "server.ts");
  writeFileSync(file, program("one", transport, 0, leaves));
  const env = { ...process.env, NO_COLOR: "1" };
  const stdio = ["ignore", "pipe", "ignore"] as ["ignore", "pipe", "ignore"];
  const child = spawn(process.execPath, [...COMMAND, file], { stdio, env });
  const end = once(child, "exit");
  const lines = new Journal<string>();
  createInterface({ input: child.stdout }).on("line", lines.add);
  try {
    const port = Number((await lines.next()).split(" ")[1]);
    await act(port, () => writeFileSync(file, program("two", transport, port, leaves)), lines);
  } finally {
    child.kill("SIGKILL");
    await end;
    rmSync(folder, { recursive: true });
  }
}

for (const { name, transport } of transports) {
  describe(`code that is reloaded over ${name}, by ${COMMAND[0]} … ${COMMAND.at(-1)}`, () => {
    it("with the two lines of the guide takes over from the code before it", () =>
      reload(transport, true, async (port, change, lines) => {
        const before = await openWs(`ws://127.0.0.1:${port}`);
        before.socket.send("?");
        assertEquals(await before.messages.next(), "one");
        change();
        // Deno ends the code before without a word.
        assertEquals((await before.end()).code, runtime === "bun" ? 1001 : 1006);
        assertEquals(await lines.next(), `up ${port}`);
        const after = await openWs(`ws://127.0.0.1:${port}`);
        after.socket.send("?");
        assertEquals(await after.messages.next(), "two");
      }));

    if (runtime === "bun") {
      it("without them is told who holds the port, and what to do", () =>
        reload(transport, false, async (port, change, lines) => {
          change();
          const line = await lines.next();
          assertMatch(
            line,
            new RegExp(`^Cannot listen on 127.0.0.1:${port}: .* another server of`),
          );
          assertMatch(line, /shut its server down first/);
          // The code before serves on.
          const client = await openWs(`ws://127.0.0.1:${port}`);
          client.socket.send("?");
          assertEquals(await client.messages.next(), "one");
        }));
    }
  });
}
