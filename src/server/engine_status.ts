import { channel } from "node:diagnostics_channel";
import type { Logger } from "../base/logger.ts";
import type { Engine, EngineState } from "../topics/engine.ts";

const DOWN = channel("duet.engine.down");
const UP = channel("duet.engine.up");

/**
 * How a server's engine is doing, for those who run the server: `server.engine`.
 *
 * @example
 * ```ts
 * import { WebSocketServer } from "@duet/websocket";
 *
 * await using server = await new WebSocketServer({ port: 0, hostname: "127.0.0.1" }).start();
 * await server.engine.ready;
 * const { up, since, lag } = server.engine.state;
 * console.assert(up && since <= Date.now() && lag === 0);
 * ```
 */
export interface ServerEngine {
  /** What it is: "memory", "redis" or what another engine says. */
  readonly name: string;
  /** Whether it is up, since when, and how long it takes to answer. */
  readonly state: EngineState;
  /**
   * Settles once the engine is up for the first time. It starts with the server, or with the first use of a
   * topic. Rejects where it never will be up, as for a wrong password, and when the server shuts down before.
   * Nobody has to wait for it.
   */
  readonly ready: Promise<void>;
}

/**
 * What is published on `duet.engine.down` of `node:diagnostics_channel` when a server's engine cannot be
 * reached any more, and on `duet.engine.up` when it can, for the first time or again.
 */
export interface EngineMessage {
  /** The server. */
  readonly server: unknown;
  /** The name of its engine. */
  readonly engine: string;
  /** How the engine is doing now. */
  readonly state: EngineState;
  /** Why it cannot be reached; none for `duet.engine.up`. */
  readonly error?: Error;
}

/** What the status needs of the hub. */
interface EngineHost {
  readonly engine: Engine;
  readonly life: { readonly ready: Promise<void> };
}

/** A server's engine as the server tells of it. */
export class EngineStatus implements ServerEngine {
  readonly #server: unknown;
  readonly #host: EngineHost;
  readonly #log: Pick<Logger, "info">;
  // When it was told to be away, in milliseconds; undefined while it is not.
  #away: number | undefined;

  /**
   * @param server Whose engine it is.
   * @param host Where the engine is at work.
   * @param log Where it says that the engine is back. That it is away is reported as an error.
   */
  constructor(server: unknown, host: EngineHost, log: Pick<Logger, "info">) {
    this.#server = server;
    this.#host = host;
    this.#log = log;
  }

  get name(): string {
    return this.#host.engine.name;
  }

  get state(): EngineState {
    return this.#host.engine.state;
  }

  get ready(): Promise<void> {
    return this.#host.life.ready;
  }

  /** It cannot be reached. */
  down(error: Error): void {
    this.#away ??= performance.now();
    this.#tell(DOWN, error);
  }

  /** It can be reached. */
  up(): void {
    if (this.#away !== undefined) {
      const seconds = (performance.now() - this.#away) / 1000;
      this.#away = undefined;
      this.#log.info(`The engine ${this.name} can be reached again, after ${seconds.toFixed(1)} s`);
    }
    this.#tell(UP);
  }

  #tell(to: typeof UP, error?: Error): void {
    if (!to.hasSubscribers) return;
    const { name, state } = this;
    const message: EngineMessage = { server: this.#server, engine: name, state };
    to.publish(error === undefined ? message : { ...message, error });
  }
}
