import type { Buffer } from "node:buffer";
import { WebSocketError } from "../base/errors.ts";
import { invalid } from "../base/option_values.ts";

/**
 * The application's client, as far as the engine needs to know it: a `Redis` or `Cluster` of `ioredis` 6, a
 * `Redis` of `ioredis` 5.11 or of `iovalkey`. The engine makes connections of its own from it and leaves
 * it alone otherwise.
 */
export interface RedisClient {
  /** Whether it talks to a cluster. */
  readonly isCluster: boolean;
  /** Makes another client with the same options but these. */
  duplicate(...options: never[]): unknown;
}

/** A client that the engine has made. */
export interface OwnClient {
  connect(): Promise<unknown>;
  disconnect(): void;
  callBuffer(command: string, ...args: (string | number | Buffer)[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close" | "end", listener: () => void): unknown;
  on(event: "messageBuffer", listener: (channel: Buffer, message: Buffer) => void): unknown;
}

interface Duplicable {
  readonly isCluster: boolean;
  readonly options: Record<string, unknown>;
  duplicate(first: unknown, second?: unknown): OwnClient & Duplicable;
  nodes(role: string): (OwnClient & Duplicable)[];
}

/**
 * What the engine's connections do otherwise than the application's. A client's own ways to go on after a
 * failure send commands twice, send them late or wait without end: a connection that fails is given up, and
 * the engine makes another.
 */
const OPTIONS = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  enableAutoPipelining: false,
  maxRetriesPerRequest: null,
  retryStrategy: () => null,
  reconnectOnError: null,
  commandTimeout: undefined,
  socketTimeout: undefined,
  connectTimeout: 3_000,
  disconnectTimeout: 100,
  maxLoadingRetryTime: 3_000,
  keyPrefix: "",
  stringNumbers: false,
  replyMapping: "legacy",
  monitor: false,
  readOnly: false,
  himportFieldsets: undefined,
};

const CLUSTER_OPTIONS = {
  lazyConnect: true,
  // It takes connections out of use while it learns of the nodes, and asks for what was sent on them again
  // only with this queue. The engine's own deadline holds for what waits there.
  enableOfflineQueue: true,
  enableAutoPipelining: false,
  // A command whose connection was lost may have been done: it is not to be done again.
  retryDelayOnFailover: 0,
  clusterRetryStrategy: () => null,
  // A node that hangs tells nobody that others have taken its slots.
  slotsRefreshInterval: 5_000,
  scaleReads: "master",
  keyPrefix: "",
  himportFieldsets: undefined,
};

const TAKES = "a client of ioredis, such as new Redis(url)";

/**
 * Checks what the application gives as its client.
 *
 * @param client Anything.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT or ERR_UNSUPPORTED for what the engine cannot use.
 */
export function checkClient(client: unknown): asserts client is RedisClient {
  const it = client as Partial<OwnClient & RedisClient> | null | undefined;
  if (typeof it === "object" && it !== null) {
    if (typeof it.duplicate === "function" && typeof it.callBuffer === "function") return;
    if (it.constructor?.name === "RedisClient" && "onclose" in it) {
      throw new WebSocketError(
        "ERR_UNSUPPORTED",
        "Cannot use Bun's RedisClient as the client of redisEngine: it returns no bytes, and hears " +
          "nothing any more after Redis was restarted. Install ioredis, and give a client of that",
      );
    }
    if (typeof (it as { sendCommand?: unknown }).sendCommand === "function") {
      throw invalid("client", client, `${TAKES}; the client of the package "redis" is another one`);
    }
  }
  throw invalid("client", client, TAKES);
}

/** Makes the engine's connections from the application's client. */
export class Clients {
  readonly #client: Duplicable;
  // The newest for commands: in a cluster it knows the nodes.
  #commands: Duplicable | null = null;

  /** @param client The application's client, which was checked. */
  constructor(client: RedisClient) {
    this.#client = client as unknown as Duplicable;
  }

  /** Whether there are many nodes. */
  get isCluster(): boolean {
    return this.#client.isCluster;
  }

  /**
   * Makes a client for commands.
   *
   * @returns The client, not connected.
   */
  forCommands(): OwnClient {
    if (!this.isCluster) return this.#client.duplicate(OPTIONS);
    const { redisOptions } = this.#client.options;
    const options = {
      ...CLUSTER_OPTIONS,
      redisOptions: { ...redisOptions as object, ...nodeOptions() },
    };
    const client = this.#client.duplicate([], options);
    this.#commands = client;
    return client;
  }

  /**
   * Makes a client for subscriptions. In a cluster it is one of a single node: a client of all of them takes
   * another node by itself when that fails, and tells nobody that announcements were missed.
   *
   * @returns The client, not connected; null while no node of the cluster is known.
   */
  forSubscriptions(): OwnClient | null {
    if (!this.isCluster) return this.#client.duplicate(OPTIONS);
    const nodes = this.#commands?.nodes("master") ?? [];
    if (nodes.length === 0) return null;
    return nodes[Math.floor(Math.random() * nodes.length)].duplicate(OPTIONS);
  }

  /**
   * Tells whether a cluster's client is one that the engine can use. Known once it is connected.
   *
   * @returns Why it is not, or null.
   */
  clusterError(): WebSocketError | null {
    const [node] = this.#commands?.nodes("all") ?? [];
    if (node === undefined || node.options.protocol !== undefined) return null;
    return new WebSocketError(
      "ERR_UNSUPPORTED",
      "Cannot use a cluster with this client: only Cluster of ioredis 6 finds out by itself that slots " +
        "have moved. Install ioredis 6",
    );
  }
}

/** Of the options those that a cluster's client does not set itself. */
function nodeOptions(): Record<string, unknown> {
  const { lazyConnect: _, enableOfflineQueue: __, retryStrategy: ___, ...options } = OPTIONS;
  return options;
}
