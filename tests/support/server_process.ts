import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { patiently } from "./patience.ts";
import { runtime as ownRuntime } from "./transports.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const KEPT = 100_000;
const COMMANDS = {
  deno: ["run", "--allow-net", "--allow-read"],
  bun: ["run"],
  node: ["--disable-warning=ExperimentalWarning"],
};

type Runtime = keyof typeof COMMANDS;

/** How a program is run on a runtime, that of this process or another. */
export function commandOf(runtime: Runtime): string[] {
  const program = runtime === ownRuntime ? process.execPath : `${root}node_modules/.bin/${runtime}`;
  return [program, ...COMMANDS[runtime]];
}

/** Which server to run. */
export interface ServerOptions {
  /** Default: the runtime of this process. */
  runtime?: Runtime;
  transport: "http" | "tcp";
  /** The program, from the root of the project; default `examples/echo.ts`. */
  script?: string;
  /** Further flags of the program. */
  flags?: string[];
}

/** What a process has printed, and who waits for more. */
interface Output {
  text: string;
  more: PromiseWithResolvers<void>;
}

/** A server in a process of its own, whose memory and end can be watched. */
export class ServerProcess {
  /** Where it listens. */
  readonly url: string;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #output: Output;
  readonly #closed: Promise<unknown>;

  private constructor(child: ChildProcess, output: Output, url: string) {
    this.#child = child;
    this.#output = output;
    this.#closed = once(child, "close");
    this.url = url;
    this.pid = child.pid!;
  }

  /** Starts it on a free port and waits until it listens. */
  static async start(
    { runtime = ownRuntime, transport, script = "examples/echo.ts", flags = [] }: ServerOptions,
  ): Promise<ServerProcess> {
    const more = ["--port", "0", "--transport", transport, ...flags];
    return await ServerProcess.spawn([...commandOf(runtime), `${root}${script}`, ...more]);
  }

  /** Starts an echo on a server of `node:http`, or of `node:https` with `--cert` and `--key`. */
  static async startMount(runtime: Runtime, flags: string[]): Promise<ServerProcess> {
    const script = `${root}bench/servers/duet_mount.ts`;
    return await ServerProcess.spawn([...commandOf(runtime), script, ...flags]);
  }

  /** Starts any server that prints "listening on" and its URL, and waits until it does. */
  static async spawn([program, ...args]: string[]): Promise<ServerProcess> {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output: Output = { text: "", more: Promise.withResolvers() };
    const listening = new Promise<string>((resolve, reject) => {
      const take = (text: string) => {
        output.text = (output.text + text).slice(-KEPT);
        output.more.resolve();
        output.more = Promise.withResolvers();
        const url = /^listening on (\S+)/m.exec(output.text)?.[1];
        if (url !== undefined) resolve(url);
      };
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", take);
      }
      child.once("error", reject);
      child.once("exit", () => reject(new Error(`${program} ended at once:\n${output.text}`)));
    });
    const url = await patiently(listening, `the start of ${args.join(" ")}`);
    return new ServerProcess(child, output, url);
  }

  /** What it has printed behind the line that says where it listens. */
  get output(): string {
    return this.#output.text.replace(/^listening on .*\n/m, "");
  }

  /** Waits until it has printed something. */
  async printed(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.output)) {
      await patiently(this.#output.more.promise, `${pattern} in what a server prints`);
    }
  }

  /** Whether it has ended, as it should not by itself. */
  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The bytes of memory that it has; undefined where the system does not tell, and when it has ended. */
  get memory(): number | undefined {
    if (process.platform !== "linux" || this.ended) return undefined;
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
  }

  /** Waits until it ends by itself and has printed everything; gives its exit code. */
  async end(): Promise<number | null> {
    await patiently(this.#closed, "the end of a server by itself");
    return this.#child.exitCode;
  }

  /** Stops it as a service manager would; gives its exit code. */
  async stop(): Promise<number | null> {
    const exit = once(this.#child, "exit");
    // Not `kill()` of the process object: after it, Deno says that the signal was what ended it.
    process.kill(this.pid, "SIGTERM");
    const [code] = await patiently(exit, "the end of a server");
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.ended) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }
}
