import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromiumFile, noChromium } from "../support/chromium.ts";
import { echo, serve, transports } from "../support/transports.ts";
import { WireTap } from "./wire_tap.ts";

const run = promisify(execFile);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const bin = (name: string) => here(`../../node_modules/.bin/${name}`);
const pythonPackages = here("../.output/python");

interface Client {
  readonly name: string;
  readonly command: readonly string[];
  /** Whether it offers permessage-deflate; Deno's client has no compression. */
  readonly compresses: boolean;
  readonly skip?: string | false;
}

const clients: Client[] = [
  { name: "ws on Node", command: ["node", here("clients/ws.mjs")], compresses: true },
  {
    name: "Deno's WebSocket",
    command: [bin("deno"), "run", "-A", here("clients/web.mjs")],
    compresses: false,
  },
  { name: "Bun's WebSocket", command: [bin("bun"), here("clients/web.mjs")], compresses: true },
  {
    name: "Chromium",
    command: [bin("deno"), "run", "-A", here("clients/chromium.mjs")],
    compresses: true,
    skip: noChromium,
  },
  {
    name: "Python's websockets",
    command: ["python3", here("clients/python.py")],
    compresses: true,
    skip: !hasPython() && "no python3 with pip here",
  },
];

function hasPython(): boolean {
  try {
    execFileSync("python3", ["-m", "pip", "--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const compressing = transports.filter(({ name }) => name !== "deno_http");

for (const transport of compressing) {
  describe(`compressed messages over ${transport.name}, as the wire shows them (RFC 7692 §6)`, () => {
    before(async () => {
      if (clients.every(({ name, skip }) => name !== "Python's websockets" || skip)) return;
      if (existsSync(`${pythonPackages}/websockets`)) return;
      await run("python3", [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--target",
        pythonPackages,
        "websockets==17.4",
      ]);
    });

    for (const { name, command: [program, ...args], compresses, skip } of clients) {
      it(`are exchanged with ${name}${compresses ? "" : ", which offers no compression"}`, {
        skip: skip || undefined,
      }, async () => {
        await using served = await serve(transport, { ...echo, extensions: "permessage-deflate" });
        using tap = await WireTap.before(served.server.port);
        const url = `ws://127.0.0.1:${tap.port}/`;
        await run(program, [...args, url, ...(name === "Chromium" ? [chromiumFile!] : [])], {
          cwd: here("../../"),
          env: { ...process.env, PYTHONPATH: pythonPackages },
        });

        const { fromClient, fromServer } = tap;
        assertEquals(fromClient.frames.length, 6);
        assertEquals(fromServer.frames.length, 6);
        if (!compresses) {
          assert(!fromClient.head.toLowerCase().includes("sec-websocket-extensions"));
          return;
        }
        assertStringIncludes(fromServer.head.toLowerCase(), "permessage-deflate");
        for (const { compressed, length } of [...fromClient.frames, ...fromServer.frames]) {
          assert(compressed, "RSV1 is set");
          assert(length < 1500, `about 3 KB of JSON took ${length} bytes`);
        }
      });
    }
  });
}
