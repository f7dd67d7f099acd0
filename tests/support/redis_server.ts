import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { patiently } from "./patience.ts";

/** Why tests with Redis are skipped; undefined where there is one. */
export const NO_REDIS: string | undefined = isInstalled("redis-server")
  ? undefined
  : "redis-server is not installed (Debian: apt-get install redis-server)";

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((it) => existsSync(join(it, program)));
}

/** A Redis of a test's own, in a temporary folder, that can be made to fail. */
export class RedisServer {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "duet-redis-"));
  readonly #program: string;
  readonly #options: readonly string[];
  #process: ChildProcess | null = null;

  private constructor(port: number, program: string, options: readonly string[]) {
    this.port = port;
    this.#program = program;
    this.#options = options;
  }

  /** Starts one on a free port; it keeps nothing on disk unless the options say so. */
  static start(...options: string[]): Promise<RedisServer> {
    return RedisServer.startProgram("redis-server", ...options);
  }

  /** The same of another program, such as Valkey's. */
  static async startProgram(program: string, ...options: string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), program, options);
    await server.start();
    return server;
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  /** Starts it again after {@linkcode kill}, with what it has on disk. */
  async start(): Promise<void> {
    const { port } = this;
    const where = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", this.#folder];
    const kept = ["--save", "", "--appendonly", "no", ...this.#options];
    const child = spawn(this.#program, [...where, ...kept], { stdio: "ignore" });
    this.#process = child;
    await patiently(answers(port, () => child.exitCode === null), "redis-server");
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === null) return;
    this.#process = null;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    process.kill(child.pid!, "SIGKILL");
    await patiently(gone as Promise<void>, "the end of redis-server");
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
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Settles once a Redis answers on a port. */
async function answers(port: number, alive: () => boolean): Promise<void> {
  while (alive()) {
    const up = await new Promise<boolean>((resolve) => {
      const socket = createConnection(port, "127.0.0.1");
      socket.on("connect", () => socket.write("PING\r\n"));
      socket.on("data", (data) => {
        socket.destroy();
        resolve(/^(?:\+PONG|-NOAUTH)/.test(data.toString()));
      });
      socket.on("error", () => resolve(false));
    });
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("redis-server has ended at once");
}
