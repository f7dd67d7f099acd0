/**
 * Runs an example as a process of its own and reads what it prints.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Journal } from "../support/journal.ts";
import { runtime } from "../support/transports.ts";

const examples = fileURLToPath(new URL("../../examples/", import.meta.url));

/** An example that was started. */
export class RunningExample {
  /** The lines that it has printed, but for those of the library's own log. */
  readonly lines = new Journal<string>();
  readonly errors = new Journal<string>();
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    createInterface({ input: child.stdout! }).on("line", this.lines.add);
    createInterface({ input: child.stderr! }).on("line", this.errors.add);
  }

  /**
   * Starts an example.
   *
   * @param name The file's name in `examples/`.
   * @param flags Its flags.
   * @param permissions What it needs under Deno.
   */
  static start(name: string, flags: string[], permissions = ["net", "read"]): RunningExample {
    const commands = {
      deno: ["run", "--no-prompt", ...permissions.map((it) => `--allow-${it}`)],
      bun: ["run"],
      node: ["--disable-warning=ExperimentalWarning"],
    };
    return new RunningExample(
      spawn(process.execPath, [...commands[runtime], `${examples}${name}`, ...flags], {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, NO_COLOR: "1" },
      }),
    );
  }

  /** Waits for a line, and gives what its groups matched. */
  async line(pattern: RegExp): Promise<string[]> {
    for (;;) {
      const match = pattern.exec(await this.lines.next());
      if (match !== null) return match.slice(1);
    }
  }

  /** Waits until it listens, and gives its URL. */
  async url(): Promise<string> {
    return (await this.line(/^listening on (wss?:\/\/\S+) /))[0];
  }

  /** Waits for its end, and gives its exit code. */
  async end(): Promise<number | null> {
    if (this.#child.exitCode === null) await once(this.#child, "exit");
    return this.#child.exitCode;
  }

  /** Stops it as a terminal or a service manager would, and gives its exit code. */
  async stop(): Promise<number | null> {
    const end = once(this.#child, "exit");
    // Not `kill()` of the process object: after it, Deno says that the signal was what ended it.
    process.kill(this.#child.pid!, "SIGTERM");
    return (await end)[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const end = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await end;
  }
}
