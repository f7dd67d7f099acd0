import type { Buffer } from "node:buffer";
import { asError } from "../topics/awaitable.ts";
import { Backoff } from "../topics/backoff.ts";
import type { Clock } from "../topics/clock.ts";
import type { OwnClient } from "./client.ts";

/** How often a connection is looked at, in milliseconds. */
const TICK = 500;
/** How long a command may go unanswered before the connection is dead, in milliseconds. */
const DEADLINE = 3_000;
/** How long connecting may take, in milliseconds. */
const CONNECT_TIME = 5_000;
/** How long a connection is idle before it is probed, in milliseconds. */
const IDLE = 1_000;

/** Thrown for a command whose connection was lost or never was: it may have been done if it was sent. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  /** Whether the command was handed to the connection. */
  readonly sent: boolean;

  /**
   * @param message What has happened.
   * @param sent Whether the command was handed to the connection.
   */
  constructor(message: string, sent: boolean) {
    super(message);
    this.sent = sent;
  }
}

/** What a connection is for. */
export interface ConnectionHost {
  readonly clock: Clock;
  /** Whether a command that is not answered in time says nothing of the others: there are many nodes. */
  readonly manyNodes: boolean;
  /** Makes a client; null where that is not possible for now. */
  open(): OwnClient | null;
  /** Says what comes first on a new connection. */
  greet(client: OwnClient): Promise<void>;
  /** Asks something small. */
  probe(client: OwnClient): Promise<unknown>;
  up(): void;
  /** It is gone, or could not be made; it is tried again unless this gives false. */
  down(error: Error): boolean;
}

interface Call {
  readonly since: number;
  reject(error: Error): void;
}

/** One connection to Redis, made again without end. */
export class Connection {
  readonly #host: ConnectionHost;
  readonly #backoff: Backoff;
  /** In the order in which they were sent. */
  readonly #calls = new Set<Call>();
  #client: OwnClient | null = null;
  #up = false;
  #since = 0;
  #heard = 0;
  #lag = 0;
  #lastError: Error | null = null;
  #cancelTick: (() => void) | null = null;
  #closed = false;

  /** @param host What it is for. */
  constructor(host: ConnectionHost) {
    this.#host = host;
    this.#backoff = new Backoff(host.clock);
  }

  /** Whether commands can be sent. */
  get up(): boolean {
    return this.#up;
  }

  /** How long the last answer took, or one that has not come has been waited for, in milliseconds. */
  get lag(): number {
    const [oldest] = this.#calls;
    if (oldest === undefined) return this.#lag;
    return Math.max(this.#lag, this.#host.clock.now() - oldest.since);
  }

  /** Connects, again and again; at once where it waits to try again. */
  start(): void {
    if (this.#closed || this.#client !== null) return;
    let client: OwnClient | null = null;
    try {
      client = this.#host.open();
    } catch (error) {
      this.#lastError = asError(error);
    }
    if (client === null) return this.#lost(null, new Error("There is no node to connect to"));
    const made = this.#client = client;
    this.#lastError = null;
    this.#since = this.#host.clock.now();
    const lost = () => this.#lost(made, new Error("The connection to Redis was closed"));
    made.on("error", (error) => {
      if (made === this.#client) this.#lastError = error;
    });
    made.on("close", lost);
    made.on("end", lost);
    this.#tick();
    made.connect().then(() => this.#host.greet(made)).then(
      () => {
        if (made !== this.#client) return;
        this.#up = true;
        this.#heard = this.#host.clock.now();
        this.#backoff.reset();
        this.#host.up();
      },
      // A client says that its connection was closed, and why only by its event.
      (error) => this.#lost(made, this.#lastError ?? asError(error)),
    );
  }

  /**
   * Does something with the client.
   *
   * @param act Sends a command.
   * @returns What Redis answers. Rejects with {@linkcode ConnectionLost} when no answer came.
   */
  call<T = unknown>(act: (client: OwnClient) => Promise<unknown>): Promise<T> {
    const client = this.#client;
    if (!this.#up || client === null) {
      return Promise.reject(new ConnectionLost("Redis cannot be reached", false));
    }
    return new Promise<T>((resolve, reject) => {
      const call: Call = { since: this.#host.clock.now(), reject };
      this.#calls.add(call);
      act(client).then((answer) => {
        if (!this.#calls.delete(call)) return;
        this.#heard = this.#host.clock.now();
        this.#lag = this.#heard - call.since;
        resolve(answer as T);
      }, (error) => {
        if (!this.#calls.delete(call)) return;
        if (isReply(error)) return reject(error);
        const { message } = asError(error);
        // So a client refuses what it has no socket for.
        reject(new ConnectionLost(message, !message.startsWith("Stream isn't writeable")));
        // A client says that its connection is gone a little later than it fails what was sent on it.
        if (!this.#host.manyNodes) this.#lost(client, asError(error));
      });
    });
  }

  /**
   * Gives the connection up and makes another.
   *
   * @param error Why.
   */
  drop(error: Error): void {
    if (this.#client !== null) this.#lost(this.#client, error);
  }

  /** Ends it. */
  close(): void {
    this.#closed = true;
    this.#release("The engine was closed");
  }

  #lost(client: OwnClient | null, error: Error): void {
    if (client !== this.#client || this.#closed) return;
    const cause = this.#lastError ?? error;
    this.#release(cause.message);
    if (this.#host.down(cause) && !this.#closed) this.#backoff.later(() => this.start());
  }

  #release(why: string): void {
    const client = this.#client;
    this.#client = null;
    this.#up = false;
    this.#cancelTick?.();
    this.#cancelTick = null;
    client?.disconnect();
    const calls = [...this.#calls];
    this.#calls.clear();
    for (const { reject } of calls) reject(new ConnectionLost(why, true));
    if (this.#closed) this.#backoff.reset();
  }

  /** Notices what hangs: a server that was stopped closes nothing. */
  #tick(): void {
    this.#cancelTick = this.#host.clock.after(TICK, () => {
      const now = this.#host.clock.now();
      if (!this.#up && now - this.#since > CONNECT_TIME) {
        return this.drop(new Error(`Redis has not answered in ${CONNECT_TIME / 1000} s`));
      }
      for (const call of this.#calls) {
        if (now - call.since <= DEADLINE) break;
        const why = `Redis has not answered in ${DEADLINE / 1000} s`;
        if (!this.#host.manyNodes) return this.drop(new Error(why));
        this.#calls.delete(call);
        call.reject(new ConnectionLost(why, true));
      }
      if (this.#up && this.#calls.size === 0 && now - this.#heard >= IDLE) {
        this.call((client) => this.#host.probe(client)).catch((error) => {
          // A probe that gets an error has been answered; one that gets none is looked at above.
          if (!(error instanceof ConnectionLost)) this.drop(asError(error));
        });
      }
      this.#tick();
    });
  }
}

/** Whether an error is what Redis has answered. */
export function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === "ReplyError";
}

/**
 * Reads what `callBuffer` gives as text.
 *
 * @param answer The answer.
 * @returns The text.
 */
export function text(answer: unknown): string {
  return (answer as Buffer).toString();
}
