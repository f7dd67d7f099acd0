import { asError } from "../topics/awaitable.ts";
import { Backoff } from "../topics/backoff.ts";
import type { Clock } from "../topics/clock.ts";
import { ConnectionLost } from "./connection_lost.ts";

/** How often the connection is looked at, in milliseconds. */
const TICK = 500;
/** How long an answer may take before the connection is dead, in milliseconds. */
const DEADLINE = 3_000;
/** How long connecting may take, in milliseconds. */
const CONNECT_TIME = 5_000;
/** The longest that an engine which is back waits to be asked, in milliseconds. */
const RETRY = 1_000;
/** How long a connection is idle before it is probed, in milliseconds. */
const IDLE = 1_000;

/** Something that waits for an answer. */
export interface Call {
  readonly since: number;
  reject(error: Error): void;
}

/** One attempt to connect, and what comes of it. */
export interface Attempt<C> {
  /** There is a client: the link ends it, now if nobody wants it any more. Gives whether it is wanted. */
  made(client: C): boolean;
  /** Why it is going to fail, where the failure itself says less. */
  blame(error: Error): void;
  /** It is gone. */
  lost(error: Error): void;
}

/** What a link is made of, and whom it tells. */
export interface EngineLinkHost<C> {
  readonly clock: Clock;
  /** What is at the other end, for people. */
  readonly name: string;
  /** Whether something that is not answered in time says nothing of the rest: there are many nodes. */
  readonly manyNodes: boolean;
  /** Connects, and says what comes first. Settles once all else can be asked. */
  open(attempt: Attempt<C>): Promise<void>;
  /** Ends a client. */
  end(client: C): void | Promise<void>;
  /** Asks something small, in a call. */
  probe(): Promise<unknown>;
  up(): void;
  /** It is gone, or could not be made; it is tried again unless this gives false. */
  down(error: Error): boolean;
}

/**
 * A connection to an engine that is made again without end: a client's own ways to go on after a failure send
 * things twice, send them late or wait without end. What hangs is noticed, and what is owed is counted.
 */
export class EngineLink<C> {
  readonly #host: EngineLinkHost<C>;
  readonly #backoff: Backoff;
  /** In the order in which they were sent. */
  readonly #calls = new Set<Call>();
  readonly #waiting = new Set<(up: boolean) => void>();
  #attempt: Attempt<C> | null = null;
  #client: C | null = null;
  #up = false;
  #since = 0;
  #heard = 0;
  #lag = 0;
  #cause: Error | null = null;
  #cancelTick: (() => void) | null = null;
  #closed = false;

  /** @param host What it is made of. */
  constructor(host: EngineLinkHost<C>) {
    this.#host = host;
    this.#backoff = new Backoff(host.clock, RETRY);
  }

  /** Whether anything can be asked. */
  get up(): boolean {
    return this.#up;
  }

  /** The client, while there is one: it may be up or not. */
  get client(): C | null {
    return this.#client;
  }

  /** How long the last answer took, or one that has not come has been waited for, in milliseconds. */
  get lag(): number {
    const [oldest] = this.#calls;
    if (oldest === undefined) return this.#lag;
    return Math.max(this.#lag, this.#host.clock.now() - oldest.since);
  }

  /** Connects, again and again; at once where it waits to try again. */
  start(): void {
    if (this.#closed || this.#attempt !== null) return;
    const attempt: Attempt<C> = {
      made: (client) => {
        if (attempt === this.#attempt) this.#client = client;
        else void this.#host.end(client);
        return attempt === this.#attempt;
      },
      blame: (error) => {
        if (attempt === this.#attempt) this.#cause = error;
      },
      lost: (error) => {
        if (attempt === this.#attempt) this.drop(error);
      },
    };
    this.#attempt = attempt;
    this.#cause = null;
    this.#since = this.#host.clock.now();
    this.#tick();
    this.#open(attempt);
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

  /** The error for what cannot be asked now. */
  unreachable(): ConnectionLost {
    return new ConnectionLost(`${this.#host.name} cannot be reached`, false);
  }

  /**
   * Takes note of something that was asked.
   *
   * @param reject Told where no answer comes.
   * @returns The call.
   */
  begin(reject: (error: Error) => void): Call {
    const call: Call = { since: this.#host.clock.now(), reject };
    this.#calls.add(call);
    return call;
  }

  /**
   * Takes note of an answer.
   *
   * @param call What it answers.
   * @returns Whether it comes in time.
   */
  answered(call: Call): boolean {
    if (!this.#calls.delete(call)) return false;
    this.heard();
    this.#lag = this.#heard - call.since;
    return true;
  }

  /**
   * Takes note that no answer comes.
   *
   * @param call What was asked.
   * @returns Whether it was still waited for.
   */
  forget(call: Call): boolean {
    return this.#calls.delete(call);
  }

  /** Takes note that something was heard. */
  heard(): void {
    this.#heard = this.#host.clock.now();
  }

  /**
   * Gives the connection up and makes another.
   *
   * @param error Why.
   */
  drop(error: Error): void {
    if (this.#attempt === null || this.#closed) return;
    const cause = this.#cause ?? error;
    void this.#release(cause.message);
    if (this.#host.down(cause) && !this.#closed) this.#backoff.later(() => this.start());
  }

  /**
   * Ends it.
   *
   * @returns Settled when the client has ended.
   */
  async close(): Promise<void> {
    this.#closed = true;
    this.#backoff.reset();
    for (const done of this.#waiting) done(false);
    await this.#release("The engine was closed");
  }

  async #open(attempt: Attempt<C>): Promise<void> {
    try {
      await this.#host.open(attempt);
    } catch (error) {
      return attempt.lost(asError(error));
    }
    if (attempt !== this.#attempt) return;
    this.#up = true;
    this.heard();
    this.#backoff.reset();
    for (const done of this.#waiting) done(true);
    this.#host.up();
  }

  async #release(why: string): Promise<void> {
    const client = this.#client;
    this.#attempt = null;
    this.#client = null;
    this.#up = false;
    this.#cancelTick?.();
    this.#cancelTick = null;
    const ended = client === null ? undefined : this.#host.end(client);
    const calls = [...this.#calls];
    this.#calls.clear();
    for (const { reject } of calls) reject(new ConnectionLost(why, true));
    await ended;
  }

  /** Notices what hangs: a server that was stopped closes nothing. */
  #tick(): void {
    this.#cancelTick = this.#host.clock.after(TICK, () => {
      const { name, manyNodes } = this.#host;
      const now = this.#host.clock.now();
      if (!this.#up && now - this.#since > CONNECT_TIME) {
        return this.drop(new Error(`${name} has not answered in ${CONNECT_TIME / 1000} s`));
      }
      for (const call of this.#calls) {
        if (now - call.since <= DEADLINE) break;
        const why = `${name} has not answered in ${DEADLINE / 1000} s`;
        if (!manyNodes) return this.drop(new Error(why));
        this.#calls.delete(call);
        call.reject(new ConnectionLost(why, true));
      }
      if (this.#up && this.#calls.size === 0 && now - this.#heard >= IDLE) {
        this.#host.probe().catch((error) => {
          // A probe that gets an error has been answered; one that gets none is looked at above.
          if (!(error instanceof ConnectionLost)) this.drop(asError(error));
        });
      }
      this.#tick();
    });
  }
}
