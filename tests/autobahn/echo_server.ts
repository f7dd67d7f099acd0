import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { RUN, type Transport } from "./transports.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const START_SECONDS = 30;
const STOP_SECONDS = 15;

/** A running `examples/echo.ts`. */
export interface EchoServer {
  url: string;
  /** Ends it with SIGTERM; rejects when it does not exit 0. */
  stop(): Promise<void>;
  /** Ends it at once, whatever its state. */
  kill(): void;
}

function launch({ runtime, kind, compression }: Transport): ChildProcess {
  const flags = ["--hostname", "127.0.0.1", "--port", "0", "--transport", kind];
  if (compression) flags.push("--deflate");
  return spawn(
    `${PROJECT}node_modules/.bin/${runtime}`,
    [...RUN[runtime], "examples/echo.ts", ...flags],
    { cwd: PROJECT, stdio: ["ignore", "pipe", "pipe"] },
  );
}

/** Starts the echo example; resolves once it listens. What it prints goes to `logFile`. */
export async function startEchoServer(transport: Transport, logFile: string): Promise<EchoServer> {
  const server = launch(transport);
  const kill = () => void server.kill("SIGKILL");
  process.once("exit", kill);
  const log = createWriteStream(logFile);
  server.stdout!.pipe(log, { end: false });
  server.stderr!.pipe(log, { end: false });
  let ending: string | undefined;
  const ended = new Promise<string>((resolve) => {
    server.once("error", (error) => resolve(`could not be started: ${error.message}`));
    server.once("close", (code, signal) => resolve(ending = `ended with ${signal ?? code}`));
  });
  ended.then(() => {
    process.off("exit", kill);
    log.end();
  });

  const within = (seconds: number): Promise<string> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve(`did not within ${seconds} s`), seconds * 1000);
      ended.then(() => clearTimeout(timer));
    });
  const lines = createInterface({ input: server.stdout! });
  const listening = new Promise<URL>((resolve) => {
    lines.on("line", (line) => {
      const found = /^listening on (wss?:\/\/\S+)/.exec(line);
      if (found) resolve(new URL(found[1]));
    });
  });

  const outcome = await Promise.race([listening, ended, within(START_SECONDS)]);
  if (typeof outcome === "string") {
    kill();
    throw new Error(`the echo server should have listened but ${outcome}: see ${logFile}`);
  }
  return {
    url: outcome.href,
    async stop() {
      if (ending) throw new Error(`the echo server ${ending} during the run: see ${logFile}`);
      // Not server.kill("SIGTERM"): after that Deno reports "SIGTERM" even of a child that exited 0.
      process.kill(server.pid!, "SIGTERM");
      const how = await Promise.race([ended, within(STOP_SECONDS)]);
      if (how === "ended with 0") return;
      kill();
      throw new Error(`the echo server should have exited 0 on SIGTERM but ${how}: see ${logFile}`);
    },
    kill,
  };
}
