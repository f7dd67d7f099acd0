/** Runs a command for each client: messages are lines of its input and of its output. @module */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type WebSocketConnection, WebSocketServer } from "../mod.ts";
import { readFlags, runServer } from "./flags.ts";
import { requireSameOrigin } from "./same_origin.ts";

const flags = readFlags({
  name: "command.ts",
  about: "Runs a command for each client, whose messages are its lines.",
  port: 8085,
  own: { command: ["LINE", "command line to run, by the shell (default cat)"] },
  permissions: "--allow-run --allow-env",
});
await runServer(flags, () =>
  new WebSocketServer({
    ...flags.options,
    onConnect: (_server, client) =>
      void client.on({ handshake: requireSameOrigin, ready: (client) => void run(client) }),
  }));

async function run(client: WebSocketConnection): Promise<void> {
  const child = spawn(flags.own.command ?? "cat", { shell: true });
  child.stdin.on("error", () => client.disconnect(1011)); // it takes no more
  client.on({
    // What the client sends meanwhile waits for the promise.
    utf8: (_client, line) => child.stdin.write(`${line}\n`) || once(child.stdin, "drain"),
    disconnect: () => child.kill(),
  });
  const ended = once(child, "exit");
  for await (const line of createInterface(child.stdout)) {
    client.send(line) || await client.drained();
  }
  client.disconnect((await ended)[0] === 0 ? 1000 : 1011);
}
