/**
 * Sends each line that is appended to a file, and each line that a command prints, to all clients.
 *
 * ```sh
 * deno run --allow-net --allow-read --allow-run --allow-env examples/tail.ts \
 *   --file server.log --command "vmstat 5"
 * bun run examples/tail.ts --file server.log --command "vmstat 5"
 * ```
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import type { Readable } from "node:stream";
import { WebSocketServer } from "../mod.ts";
import { readFlags, runServer } from "./flags.ts";
import { FollowedFile } from "./follow_file.ts";

const flags = readFlags({
  name: "tail.ts",
  about: "Sends the new lines of a file and the output of a command to all clients.",
  port: 8082,
  own: {
    file: ["PATH", "file to follow"],
    command: ["LINE", "command line to run, by the shell"],
  },
  permissions: "--allow-run --allow-env",
});

const { file, command } = flags.own;
if (file === undefined && command === undefined) {
  console.error("tail.ts: there is nothing to send: give --file, --command or both");
  process.exit(2);
}

const server = await runServer(flags, () => new WebSocketServer(flags.options));
if (file !== undefined) sendLines(file, new FollowedFile(file));
if (command !== undefined) sendLines(command, run(command).stdout!);

/** Sends each line of a source to everybody, with the source's name. */
function sendLines(name: string, source: Readable): void {
  const decoder = new TextDecoder();
  let begun = "";
  server.watchReadable(source, (server, source) => {
    for (let chunk = source.read(); chunk !== null; chunk = source.read()) {
      const lines = (begun + decoder.decode(chunk, { stream: true })).split("\n");
      begun = lines.pop()!;
      for (const line of lines) server.broadcast(`${name}: ${line}`);
    }
  });
}

/** Runs a command as long as the server runs. */
function run(command: string): ChildProcess {
  const child = spawn(command, { shell: true, stdio: ["ignore", "pipe", "inherit"] });
  child.on("error", (error) => console.error(`cannot run ${command}: ${error.message}`));
  child.on("exit", (code) => console.log(`${command}: ended with ${code}`));
  void server.finished.then(() => child.kill());
  return child;
}
