import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { EngineProgram, freePort } from "./engine_program.ts";

/** Why tests with Redis are skipped; undefined where there is one. */
export const NO_REDIS: string | undefined = isInstalled("redis-server")
  ? undefined
  : "redis-server is not installed (Debian: apt-get install redis-server)";

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((it) => existsSync(join(it, program)));
}

/** A Redis of a test's own, in a temporary folder, that can be made to fail. */
export class RedisServer extends EngineProgram {
  /** Starts one on a free port; it keeps nothing on disk unless the options say so. */
  static start(...options: string[]): Promise<RedisServer> {
    return RedisServer.startProgram("redis-server", ...options);
  }

  /** The same of another program, such as Valkey's. */
  static async startProgram(program: string, ...options: string[]): Promise<RedisServer> {
    const port = await freePort();
    const server = new RedisServer({
      name: "redis-server",
      port,
      command(folder) {
        const where = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder];
        return [program, [...where, "--save", "", "--appendonly", "no", ...options]];
      },
      asked: "PING\r\n",
      answer: /^(?:\+PONG|-NOAUTH)/,
    });
    await server.start();
    return server;
  }
}
