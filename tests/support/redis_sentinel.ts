import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Redis } from "ioredis";
import { patiently } from "./patience.ts";
import { freePort } from "./engine_program.ts";
import type { RedisServer } from "./redis_server.ts";

/** What the sentinel calls those that it looks after. */
export const MASTER_NAME = "duet";

/** How often it looks at what, in milliseconds: all much more often than by itself. */
const PERIODS = [
  ["info-period", 100],
  ["ping-period", 100],
  ["publish-period", 100],
  ["min-link-reconnect-period", 100],
].flat();

/** A sentinel that alone decides, which it does fast. */
export class RedisSentinel {
  readonly port: number;
  readonly #folder: string;
  readonly #process: ChildProcess;
  readonly #client: Redis;

  private constructor(port: number, folder: string, child: ChildProcess) {
    this.port = port;
    this.#folder = folder;
    this.#process = child;
    this.#client = new Redis({ port, host: "127.0.0.1" });
  }

  /** Starts one for a Redis, and waits until it knows its replica. */
  static async start(master: RedisServer): Promise<RedisSentinel> {
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "duet-sentinel-"));
    const file = join(folder, "sentinel.conf");
    const about = (what: string, ...how: (string | number)[]) =>
      `sentinel ${what} ${MASTER_NAME} ${how.join(" ")}`;
    writeFileSync(
      file,
      [
        `port ${port}`,
        "bind 127.0.0.1",
        `dir ${folder}`,
        about("monitor", "127.0.0.1", master.port, 1),
        about("down-after-milliseconds", 300),
        about("failover-timeout", 2000),
      ].join("\n"),
    );
    const child = spawn("redis-server", [file, "--sentinel"], { stdio: "ignore" });
    const sentinel = new RedisSentinel(port, folder, child);
    sentinel.#client.on("error", () => {}); // it connects until the sentinel is there
    await sentinel.#client.call("sentinel", "debug", ...PERIODS);
    await patiently(sentinel.ready(), "a sentinel that knows the replica");
    return sentinel;
  }

  /** Settles once another Redis could take over. */
  async ready(): Promise<void> {
    for (;;) {
      const replicas = await this.#client.call("sentinel", "replicas", MASTER_NAME) as string[][];
      const fields = replicas.map((it) => new Map(pairs(it)));
      const usable = fields.some((it) =>
        it.get("flags") === "slave" && it.get("master-link-status") === "ok"
      );
      if (usable) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** The port of the Redis that is the master now. */
  async master(): Promise<number> {
    const [, port] = await this.#client.call(
      "sentinel",
      "get-master-addr-by-name",
      MASTER_NAME,
    ) as string[];
    return Number(port);
  }

  /** Has it let the replica take over though nothing has failed. */
  async failover(): Promise<void> {
    await this.#client.call("sentinel", "failover", MASTER_NAME);
  }

  async close(): Promise<void> {
    this.#client.disconnect();
    const gone = new Promise<void>((resolve) => this.#process.once("exit", () => resolve()));
    process.kill(this.#process.pid!, "SIGKILL");
    await gone;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function* pairs(list: readonly string[]): Generator<[string, string]> {
  for (let i = 0; i < list.length; i += 2) yield [list[i], list[i + 1]];
}
