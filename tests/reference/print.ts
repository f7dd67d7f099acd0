/**
 * Prints its argument; without one, what comes from standard input, watched by a server.
 *
 * @module
 */
import process from "node:process";
import { WebSocketServer } from "../../mod.ts";

const text = process.argv[2];
if (text !== undefined) {
  process.stdout.write(text);
} else {
  const server = new WebSocketServer({ hostname: "127.0.0.1" });
  server.watchReadable(process.stdin, (_server, stdin) => {
    for (let data = stdin.read(); data !== null; data = stdin.read()) process.stdout.write(data);
  });
  process.stdin.once("end", () => void server.shutdown());
  await server.start();
}
