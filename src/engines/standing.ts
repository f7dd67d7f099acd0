import { WebSocketError } from "../base/errors.ts";
import type { Clock } from "../topics/clock.ts";
import type { EngineEvents } from "../topics/engine.ts";

/** What a standing is of. */
export interface StandingHost {
  readonly clock: Clock;
  /** What is at the other end, for people. */
  readonly name: string;
  /** Tells whether trying again is of no use: the error to end with, or null. */
  finalError(error: Error): WebSocketError | null;
  /** Ends the engine. */
  close(): unknown;
}

/** Whether an engine is up, since when, and who is told of that. */
export class Standing {
  readonly #host: StandingHost;
  #events: EngineEvents | null = null;
  #started: { resolve(): void; reject(error: Error): void } | null = null;
  #up = false;
  // Whether that it is down was told: once, however often connecting fails.
  #told = false;
  #since: number;

  /** @param host What it is of. */
  constructor(host: StandingHost) {
    this.#host = host;
    this.#since = host.clock.now();
  }

  /** Whether the engine can be reached. */
  get up(): boolean {
    return this.#up;
  }

  /** Since when that is so: milliseconds since 1970. */
  get since(): number {
    return this.#since;
  }

  /** Whom to tell; null before the start and after the end. */
  get events(): EngineEvents | null {
    return this.#events;
  }

  /** Whether it is not up for the first time yet. */
  get starting(): boolean {
    return this.#started !== null;
  }

  /**
   * Begins.
   *
   * @param events Whom to tell.
   * @returns Settled once it is up for the first time. Rejects where it never will be.
   */
  start(events: EngineEvents): Promise<void> {
    this.#events = events;
    return new Promise((resolve, reject) => {
      this.#started = { resolve, reject };
    });
  }

  /** It can be reached. */
  connected(): void {
    if (this.#events === null) return;
    this.#up = true;
    this.#told = false;
    this.#since = this.#host.clock.now();
    this.#started?.resolve();
    this.#started = null;
    this.#events.up();
  }

  /**
   * A connection is gone, or could not be made.
   *
   * @param error Why.
   * @returns Whether to try again.
   */
  down(error: Error): boolean {
    const { name } = this.#host;
    const final = this.#started === null ? null : this.#host.finalError(error);
    if (final !== null) {
      const { reject } = this.#started!;
      this.#started = null;
      this.#host.close();
      reject(final);
      return false;
    }
    if (this.#up) this.#since = this.#host.clock.now();
    this.#up = false;
    if (!this.#told) {
      this.#told = true;
      this.#events?.down(failure(`reach ${name}`, error.message, error));
    }
    return true;
  }

  /** Ends: nobody is told anything any more. */
  close(): void {
    this.#events = null;
    this.#up = false;
    this.#started?.reject(failure("start the engine", "it was closed"));
    this.#started = null;
  }
}

/**
 * Makes the error for what cannot be done for now.
 *
 * @param what What cannot be done.
 * @param why Why.
 * @param cause What was thrown, if anything.
 * @returns The error.
 */
export function failure(what: string, why: string, cause?: unknown): WebSocketError {
  return new WebSocketError("ERR_STATE", `Cannot ${what}: ${why}`, cause);
}
