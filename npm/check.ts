/**
 * Installs the package into an empty project, and uses it there under each runtime.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pack } from "./pack.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string) => join(root, "node_modules/.bin", name);
const folder = mkdtempSync(join(tmpdir(), "duet-npm-"));
const project = join(folder, "project");

/** Sends a text to and fro, with compression, over each transport. */
const PROGRAM = `
import { permessageDeflate, WebSocketServer } from "@duet/websocket";
import { connect } from "@duet/websocket/client";

for (const transport of ["tcp", "http"] as const) {
  const server = new WebSocketServer({
    transport,
    hostname: "127.0.0.1",
    onConnect: (_server, connection) =>
      void connection.on({ message: (connection, data) => void connection.send(data) }),
  });
  await server.start();
  const connection = await connect(\`ws://127.0.0.1:\${server.port}\`, { extensions: permessageDeflate() });
  connection.send("hello");
  console.log(server.transport, await connection.recv());
  connection.disconnect(1000);
  await server.shutdown();
}
`;

/** Loads everything that the package exports. */
function loadsAll(names: string[]): string {
  return names.map((name) => `await import(${JSON.stringify(name)});\n`).join("");
}

function run(command: string[]): string {
  const [program, ...args] = command;
  return execFileSync(program, args, { cwd: project, encoding: "utf8", timeout: 120_000 });
}

try {
  const tarball = pack(join(folder, "package"));
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }\n');
  run(["npm", "install", "--offline", "--no-audit", "--no-fund", tarball]);
  const modules = readdirSync(join(project, "node_modules")).filter((it) => !it.startsWith("."));
  assert.deepEqual(modules, ["@duet"]);

  const installed = join(project, "node_modules/@duet/websocket");
  const { exports, version } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const { exports: own, version: ours } = JSON.parse(readFileSync(join(root, "jsr.json"), "utf8"));
  assert.deepEqual([Object.keys(exports), version], [Object.keys(own), ours]);
  const names = Object.keys(exports).map((it) => "@duet/websocket" + it.slice(1));

  writeFileSync(join(project, "all.ts"), loadsAll(names));
  writeFileSync(join(project, "echo.ts"), PROGRAM);
  const runtimes = {
    node: [bin("node"), "--disable-warning=ExperimentalWarning"],
    bun: [bin("bun"), "run"],
    deno: [bin("deno"), "run", "--no-prompt", "--allow-net"],
  };
  for (const [runtime, command] of Object.entries(runtimes)) {
    assert.equal(run([...command, "echo.ts"]), `${runtime}_tcp hello\n${runtime}_http hello\n`);
    run([...command, "all.ts"]);
    console.log(`${runtime}: installed, loaded and used`);
  }

  // With the declarations, not the sources.
  const types = ["--noEmit", "--strict", "--target", "esnext", "--module", "nodenext"];
  const where = ["--typeRoots", join(root, "node_modules/@types"), "--types", "node"];
  run([bin("tsc"), ...types, ...where, "echo.ts", "all.ts"]);
  console.log("tsc: the declarations are right");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
