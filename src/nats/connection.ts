import { randomBytes } from "node:crypto";
import { asError } from "../topics/awaitable.ts";
import { Backoff } from "../topics/backoff.ts";
import type { Clock } from "../topics/clock.ts";
import {
  checkConnection,
  type Fields,
  type Headers,
  headersOf,
  type NatsMessage,
  type NatsServerInfo,
  type NatsSubscription,
  type OwnNats,
} from "./client.ts";

/** How often the connection is looked at, in milliseconds. */
const TICK = 500;
/** How long an answer may take before the connection is dead, in milliseconds. */
const DEADLINE = 3_000;
/** How long connecting may take, in milliseconds. */
const CONNECT_TIME = 5_000;
/** How long a connection is idle before it is probed, in milliseconds. */
const IDLE = 1_000;
/** What a client tells when its connection is gone: it would make another, and say nothing of what was missed. */
const GONE = ["disconnect", "staleConnection", "close", "forceReconnect"];

/** Thrown where no answer came: what was asked may have been done if it was sent. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
  /** Whether it was handed to the connection. */
  readonly sent: boolean;

  /**
   * @param message What has happened.
   * @param sent Whether it was handed to the connection.
   */
  constructor(message: string, sent: boolean) {
    super(message);
    this.sent = sent;
  }
}

/** What the connection is for. */
export interface ConnectionHost {
  readonly clock: Clock;
  /** Calls the application's function. */
  connect(): Promise<unknown>;
  /** Says what comes first on a new connection. */
  greet(): Promise<void>;
  up(): void;
  /** It is gone, or could not be made; it is tried again unless this gives false. */
  down(error: Error): boolean;
  /** The server has refused something that goes on without it. */
  refused(error: Error): void;
}

/** Something that waits for an answer. */
interface Call {
  readonly since: number;
  /** Takes an answer; gives whether it was the last one. */
  take(message: NatsMessage): boolean;
  reject(error: Error): void;
}

/** The connection to NATS, made again without end. */
export class Connection {
  readonly #host: ConnectionHost;
  readonly #backoff: Backoff;
  /** In the order in which they were sent. */
  readonly #calls = new Map<string, Call>();
  readonly #waiting = new Set<(up: boolean) => void>();
  #number = 0;
  #inbox = "";
  #nats: OwnNats | null = null;
  // Set while the function of the application runs, and after it: what comes too late is closed.
  #attempt = 0;
  #connecting = false;
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

  /** Whether anything can be asked. */
  get up(): boolean {
    return this.#up;
  }

  /** What the server says of itself; only while connected. */
  get info(): NatsServerInfo | undefined {
    return this.#nats?.info;
  }

  /** How long the last answer took, or one that has not come has been waited for, in milliseconds. */
  get lag(): number {
    const [oldest] = this.#calls.values();
    if (oldest === undefined) return this.#lag;
    return Math.max(this.#lag, this.#host.clock.now() - oldest.since);
  }

  /** Connects, again and again. */
  start(): void {
    if (this.#closed || this.#connecting || this.#nats !== null) return;
    const attempt = ++this.#attempt;
    this.#connecting = true;
    this.#lastError = null;
    this.#since = this.#host.clock.now();
    this.#tick();
    this.#open(attempt).catch((error) => this.#lost(attempt, asError(error)));
  }

  /**
   * Waits until something can be asked.
   *
   * @param time For how long, in milliseconds.
   * @returns Whether it can.
   */
  whenUp(time: number): Promise<boolean> {
    if (this.#up) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (up: boolean) => {
        cancel();
        this.#waiting.delete(done);
        resolve(up);
      };
      const cancel = this.#host.clock.after(time, () => done(false));
      this.#waiting.add(done);
    });
  }

  /**
   * Sends a message that nobody answers.
   *
   * @param subject Where to.
   * @param payload What.
   * @param headers Its headers, as {@linkcode headersOf} writes them.
   * @throws {ConnectionLost} While there is no connection.
   */
  send(subject: string, payload: string | Uint8Array, headers?: Headers): void {
    this.#connected().publish(subject, payload, { headers });
  }

  /**
   * Sends a message, and waits for its answer.
   *
   * @param subject Where to.
   * @param payload What.
   * @param fields Its headers.
   * @returns The answer. Rejects with {@linkcode ConnectionLost} when none came.
   */
  ask(subject: string, payload: string | Uint8Array, fields?: Fields): Promise<NatsMessage> {
    return new Promise((resolve, reject) => {
      this.#call(subject, payload, fields, {
        since: this.#host.clock.now(),
        take(message) {
          resolve(message);
          return true;
        },
        reject,
      });
    });
  }

  /**
   * Sends a message, and collects its answers up to an empty one.
   *
   * @param subject Where to.
   * @param payload What.
   * @returns The answers, the empty one among them. Rejects with {@linkcode ConnectionLost}.
   */
  askForMany(subject: string, payload: string): Promise<NatsMessage[]> {
    return new Promise((resolve, reject) => {
      const answers: NatsMessage[] = [];
      this.#call(subject, payload, undefined, {
        since: this.#host.clock.now(),
        take(message) {
          answers.push(message);
          if (message.data.length > 0) return false;
          resolve(answers);
          return true;
        },
        reject,
      });
    });
  }

  /**
   * Has messages told.
   *
   * @param subject Which.
   * @param told Told of each.
   * @returns The subscription, which is gone with the connection.
   * @throws {ConnectionLost} While there is no connection.
   */
  subscribe(subject: string, told: (message: NatsMessage) => void): NatsSubscription {
    return this.#connected().subscribe(subject, {
      callback: (error, message) => {
        if (error === null || error === undefined) told(message);
        else this.#host.refused(error);
      },
    });
  }

  /**
   * Waits until the server has dealt with all that was sent.
   *
   * @returns Settled then. Rejects with {@linkcode ConnectionLost}.
   */
  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      const nats = this.#nats;
      if (nats === null) return reject(new ConnectionLost("NATS cannot be reached", false));
      const id = `${++this.#number}`;
      const call: Call = { since: this.#host.clock.now(), take: () => true, reject };
      this.#calls.set(id, call);
      nats.flush().then(() => {
        if (!this.#calls.delete(id)) return;
        this.#heard = this.#host.clock.now();
        this.#lag = this.#heard - call.since;
        resolve();
      }, (error) => {
        if (this.#calls.delete(id)) reject(new ConnectionLost(asError(error).message, true));
      });
    });
  }

  /**
   * Gives the connection up and makes another.
   *
   * @param error Why.
   */
  drop(error: Error): void {
    if (this.#nats !== null || this.#connecting) this.#lost(this.#attempt, error);
  }

  /**
   * Ends it.
   *
   * @returns Settled when it is closed.
   */
  async close(): Promise<void> {
    this.#closed = true;
    this.#backoff.reset();
    for (const done of this.#waiting) done(false);
    await this.#release("The engine was closed");
  }

  async #open(attempt: number): Promise<void> {
    const nats = checkConnection(await this.#host.connect());
    if (attempt !== this.#attempt || this.#closed) return await nats.close();
    this.#nats = nats;
    this.#connecting = false;
    this.#watch(nats, attempt).catch((error) => this.#lost(attempt, asError(error)));
    nats.closed().then((error) => {
      this.#lost(attempt, error instanceof Error ? error : new Error("The connection was closed"));
    });
    this.#inbox = `_INBOX.${randomBytes(12).toString("hex")}`;
    const from = this.#inbox.length + 1;
    this.subscribe(`${this.#inbox}.*`, (message) => {
      const id = message.subject.slice(from);
      const call = this.#calls.get(id);
      if (call === undefined) return;
      this.#heard = this.#host.clock.now();
      if (!call.take(message)) return;
      this.#calls.delete(id);
      this.#lag = this.#heard - call.since;
    });
    await this.#host.greet();
    if (attempt !== this.#attempt) return;
    this.#up = true;
    this.#heard = this.#host.clock.now();
    this.#backoff.reset();
    for (const done of this.#waiting) done(true);
    this.#host.up();
  }

  async #watch(nats: OwnNats, attempt: number): Promise<void> {
    for await (const { type, error } of nats.status()) {
      if (attempt !== this.#attempt) return;
      if (type === "error" && error instanceof Error) {
        this.#lastError = error;
        this.#host.refused(error);
      } else if (GONE.includes(type)) {
        return this.#lost(attempt, this.#lastError ?? new Error("The connection to NATS was lost"));
      }
    }
  }

  #connected(): OwnNats {
    if (this.#nats === null) throw new ConnectionLost("NATS cannot be reached", false);
    return this.#nats;
  }

  #call(
    subject: string,
    payload: string | Uint8Array,
    fields: Fields | undefined,
    call: Call,
  ): void {
    const id = `${++this.#number}`;
    try {
      const nats = this.#connected();
      const headers = fields === undefined ? undefined : headersOf(fields);
      nats.publish(subject, payload, { reply: `${this.#inbox}.${id}`, headers });
    } catch (error) {
      // A client refuses before it sends anything: what is too large, say.
      return call.reject(new ConnectionLost(asError(error).message, false));
    }
    this.#calls.set(id, call);
  }

  #lost(attempt: number, error: Error): void {
    if (attempt !== this.#attempt || this.#closed) return;
    this.#release(error.message);
    if (this.#host.down(error) && !this.#closed) this.#backoff.later(() => this.start());
  }

  async #release(why: string): Promise<void> {
    const nats = this.#nats;
    this.#attempt++;
    this.#nats = null;
    this.#connecting = false;
    this.#up = false;
    this.#cancelTick?.();
    this.#cancelTick = null;
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { reject } of calls) reject(new ConnectionLost(why, true));
    // It may be in the midst of connecting again: it is given up either way.
    await nats?.close().catch(() => {});
  }

  /** Notices what hangs: a server that was stopped closes nothing. */
  #tick(): void {
    this.#cancelTick = this.#host.clock.after(TICK, () => {
      const now = this.#host.clock.now();
      if (!this.#up && now - this.#since > CONNECT_TIME) {
        return this.drop(
          this.#lastError ?? new Error(`NATS has not answered in ${CONNECT_TIME / 1000} s`),
        );
      }
      const [oldest] = this.#calls.values();
      if (oldest !== undefined && now - oldest.since > DEADLINE) {
        return this.drop(
          this.#lastError ?? new Error(`NATS has not answered in ${DEADLINE / 1000} s`),
        );
      }
      if (this.#up && oldest === undefined && now - this.#heard >= IDLE) {
        this.flush().catch(() => {
          // Whatever rejects it has given the connection up already.
        });
      }
      this.#tick();
    });
  }
}
