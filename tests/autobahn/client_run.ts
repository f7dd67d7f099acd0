import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runSuiteServer, type Suite } from "./wstest.ts";
import { RUN, type Runtime } from "./transports.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/** Has the client of a runtime go through the cases of the suite's fuzzing server. */
export async function testClient(
  suite: Suite,
  { agent, runtime, cases, folder }: {
    agent: string;
    runtime: Runtime;
    cases: string[];
    folder: string;
  },
): Promise<void> {
  const url = `ws://127.0.0.1:${await freePort()}`;
  await runSuiteServer(suite, { url, cases, folder }, async () => {
    const client = spawn(
      `${PROJECT}node_modules/.bin/${runtime}`,
      [...RUN[runtime], "tests/autobahn/echo_client.ts", url, agent],
      { cwd: PROJECT, stdio: ["ignore", "pipe", "pipe"] },
    );
    const kill = () => void client.kill("SIGKILL");
    process.once("exit", kill);
    const log = createWriteStream(join(folder, "client.log"));
    client.stdout.pipe(log, { end: false });
    client.stderr.pipe(log, { end: false });
    const [code, signal] = await once(client, "close");
    process.off("exit", kill);
    log.end();
    if (code !== 0) {
      throw new Error(`the client ended with ${signal ?? code}: see ${join(folder, "client.log")}`);
    }
  });
}

/** The suite cannot tell on which port it listens, so it is told a free one. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
