import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { assert } from "@std/assert";
import { HANG_MS } from "../support/hang.ts";
import { runtime } from "../support/transports.ts";

const run = promisify(execFile);
const root = new URL("../../", import.meta.url).href;

/** Tests of a user's, with what is left to the end of each in mind. */
const PROGRAM = `
  import { WebSocketServer } from "${root}mod.ts";
  import { openPair } from "${root}src/testing/mod.ts";
  TESTS
  for (const transport of ["http", "tcp"]) {
    const options = { transport, debug: 0, tickPeriod: 60 };
    const greeting = {
      ...options,
      onConnect: (_server, connection) => void connection.on({ ready: (it) => it.send("hi") }),
    };
    test(transport + ": what nobody has read", async () => {
      await using server = new WebSocketServer(greeting);
      await using pair = await openPair(server);
    });
    test(transport + ": the server ends it all", async () => {
      await using server = new WebSocketServer(greeting);
      const { client } = await openPair(server);
      if (await client.recv() !== "hi") throw new Error("another greeting");
    });
    test(transport + ": a refusal", async () => {
      await using server = new WebSocketServer({ ...options, allowedOrigins: ["https://a.example"] });
      const headers = { origin: "https://b.example" };
      const { status } = await openPair(server, "/", { headers }).catch((error) => error);
      if (status !== 403) throw new Error("answered " + status);
    });
    test(transport + ": a connection that is dropped", async () => {
      await using server = new WebSocketServer(options);
      const { connection } = await openPair(server);
      connection.terminate();
    });
  }
`;

describe("openPair()", () => {
  it(`leaves nothing behind in a file of ${runtime} test`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "duet-pair-"));
    try {
      const file = join(folder, "user_test.ts");
      const [define, args] = runtime === "deno"
        ? ["const { test } = Deno;", ["--no-check", "--sanitize-ops", "--sanitize-resources"]]
        : [`import { test } from "bun:test";`, []];
      writeFileSync(file, PROGRAM.replace("TESTS", define));
      const env = { ...process.env, NO_COLOR: "1" };
      const command = ["test", ...args, file];
      const { stdout, stderr } = await run(process.execPath, command, { env, timeout: HANG_MS });
      assert(/\b8 pass/.test(stdout + stderr), stdout + stderr);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
