// The echo of Duet in several processes that listen on one port. This one starts them, and ends with them.

import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WebSocketServer } from "../../mod.ts";

const { values } = parseArgs({
  options: {
    transport: { type: "string" },
    processes: { type: "string" },
    port: { type: "string" },
  },
});
const { transport, processes, port } = values;
if (transport !== "http" && transport !== "tcp") {
  console.error("say which transport to use: --transport http or --transport tcp");
  process.exit(2);
}

if (processes === undefined) {
  await serve(Number(port), transport);
} else {
  const first = await start("0", transport);
  const others = Array.from({ length: Number(processes) - 1 }, () => start(first, transport));
  await Promise.all(others);
  console.log(`listening on ws://127.0.0.1:${first}`);
}

async function serve(port: number, transport: "http" | "tcp"): Promise<void> {
  const server = new WebSocketServer({
    listen: { hostname: "127.0.0.1", port, reusePort: true },
    transport,
    onConnect: (_server, connection) =>
      void connection.on({ binary: (connection, data) => void connection.sendBinary(data) }),
  });
  await server.start();
  console.log(server.port);
  // Who has started this one is gone when its end of the pipe is.
  process.stdin.on("end", () => process.exit(0)).resume();
}

/** Starts one that serves; gives its port. */
function start(port: string, transport: string): Promise<string> {
  const run = "Deno" in globalThis ? ["run", "-A"] : [];
  const file = fileURLToPath(import.meta.url);
  const child = spawn(
    process.execPath,
    [...run, file, "--transport", transport, "--port", port],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  return new Promise((resolve, reject) => {
    child.stdout.on("data", (said) => resolve(String(said).trim()));
    child.once("close", (code) => {
      reject(new Error(`a process ended with ${code}`));
      process.exit(1);
    });
  });
}
