import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { patiently } from "./patience.ts";

/** What is run, and how it is seen that it is ready. */
export interface EngineProgramSetup {
  /** Such as "redis-server". */
  readonly name: string;
  readonly port: number;
  /** Program and arguments. Called before each start. */
  command(folder: string): readonly [program: string, args: readonly string[]];
  /** What it is sent on a new connection, and how its answer begins. */
  readonly asked: string;
  readonly answer: RegExp;
}

/** A server of a test's own, in a temporary folder, that can be made to fail. */
export class EngineProgram {
  readonly port: number;
  readonly #setup: EngineProgramSetup;
  readonly #folder: string;
  #process: ChildProcess | null = null;

  /** @param setup What is run. */
  constructor(setup: EngineProgramSetup) {
    this.port = setup.port;
    this.#setup = setup;
    this.#folder = mkdtempSync(join(tmpdir(), `duet-${setup.name}-`));
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  /** Starts it, again after {@linkcode kill} with what it has on disk. */
  async start(): Promise<void> {
    const [program, args] = this.#setup.command(this.#folder);
    const child = spawn(program, args, { stdio: "ignore" });
    this.#process = child;
    await patiently(this.#answers(child), this.#setup.name);
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === null) return;
    this.#process = null;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    process.kill(child.pid!, "SIGKILL");
    await patiently(gone, `the end of ${this.#setup.name}`);
  }

  /** Removes what it has written to disk. */
  forget(): void {
    for (const name of readdirSync(this.#folder)) {
      rmSync(join(this.#folder, name), { recursive: true, force: true });
    }
  }

  /** Has it hang: it keeps its connections, takes new ones, and answers nothing. */
  hang(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  /** Has it go on after {@linkcode hang}. */
  goOn(): void {
    process.kill(this.pid, "SIGCONT");
  }

  /** Ends it and removes what it has written. */
  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Settles once it answers on its port. */
  async #answers(child: ChildProcess): Promise<void> {
    const { port, name, asked, answer } = this.#setup;
    while (child.exitCode === null) {
      const up = await new Promise<boolean>((resolve) => {
        const socket = createConnection(port, "127.0.0.1");
        socket.on("connect", () => asked !== "" && socket.write(asked));
        socket.on("data", (data) => {
          socket.destroy();
          resolve(answer.test(data.toString()));
        });
        socket.on("error", () => resolve(false));
      });
      if (up) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`${name} has ended at once`);
  }
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
