/**
 * Runs an example as a process of its own.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { runtime } from "../support/transports.ts";
import { FLAG_VARIABLES } from "../tools/std.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

export type Runtime = "deno" | "bun" | "node";

/** The runtime of this process. */
export { runtime } from "../support/transports.ts";

const COMMANDS: Record<Runtime, readonly string[]> = {
  deno: ["run", "--no-prompt", "--allow-net", "--allow-read"],
  bun: ["run"],
  node: ["--disable-warning=ExperimentalWarning"],
};

/** An example that listens. */
export class Example {
  /** Where its page is, without a slash at the end. */
  readonly url: string;
  /** What it printed before that. */
  readonly listeningLine: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, listeningLine: string, url: string) {
    this.#child = child;
    this.listeningLine = listeningLine;
    this.url = url;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /**
   * Starts an example that serves a page, and waits until it listens.
   *
   * @param on The runtime to run it under: with the permissions that the examples promise to need.
   * @param name The file's name in `examples/`.
   * @param flags Its flags.
   */
  static async start(on: Runtime, name: string, ...flags: string[]): Promise<Example> {
    const command = COMMANDS[on].slice();
    // Libraries of npm look at the environment.
    if (on === "deno" && flags.includes("--redis")) command.push("--ignore-env");
    const std = process.env[FLAG_VARIABLES[on]];
    // Bun takes it before its command, Deno after.
    if (std !== undefined) command.splice(on === "deno" ? 1 : 0, 0, std);
    const program = on === runtime ? process.execPath : `${root}node_modules/.bin/${on}`;
    const child = spawn(program, [...command, `${root}examples/${name}`, ...flags], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let listeningLine = "";
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith("listening on ")) listeningLine = line;
      const url = /^open (\S+)\/ in a browser$/.exec(line)?.[1];
      if (url !== undefined) return new Example(child, listeningLine, url);
    }
    throw new Error(`examples/${name} ended before it listened under ${on}`);
  }

  /** Stops it as a terminal or a service manager would, and checks that it ends in order. */
  async stop(): Promise<void> {
    const exit = once(this.#child, "exit");
    // Not `kill()` of the process object: after it, Deno says that the signal was what ended it.
    process.kill(this.#child.pid ?? assert.fail("no process was started"), "SIGTERM");
    assert.deepEqual(await exit, [0, null]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }
}
