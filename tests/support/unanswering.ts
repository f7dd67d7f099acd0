import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { patiently } from "./patience.ts";

/** Listens, with room for one connection that is not accepted yet, and says when it does. */
const PROGRAM = `
const { createServer } = require("node:net");
const [port, ...hosts] = process.argv.slice(1);
let left = hosts.length;
for (const host of hosts) {
  createServer().listen({ host, port, backlog: 1 }, () => --left || console.log("listening"));
}`;

/**
 * Has addresses of this machine answer no more: whoever connects hears nothing, as of a host that is down. That
 * is a listener in a process that stands still, whose queue is full.
 *
 * @param port The port on which nothing is answered.
 * @param hosts The addresses.
 * @returns Ends it.
 */
export async function silence(port: number, hosts: string[]): Promise<AsyncDisposable> {
  const node = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));
  const child = spawn(node, ["-e", PROGRAM, String(port), ...hosts], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await patiently(once(child.stdout, "data"), "listeners that will stand still");
  process.kill(child.pid!, "SIGSTOP");
  const waiting: Socket[] = [];
  for (const host of hosts) {
    // The system takes some for the queue; when it takes none any more, the queue is full.
    for (let taken = true; taken;) {
      const socket = connect({ host, port });
      socket.on("error", () => {});
      waiting.push(socket);
      const answer = once(socket, "connect").then(() => true);
      const nothing = new Promise<boolean>((resolve) => setTimeout(resolve, 100, false));
      taken = await Promise.race([answer, nothing]);
    }
  }
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of waiting) socket.destroy();
      const exit = once(child, "exit");
      process.kill(child.pid!, "SIGKILL");
      await exit;
    },
  };
}
