import { asError, proceed } from "./awaitable.ts";
import type { Engine, EngineEvents } from "./engine.ts";
import { closed } from "./topic_errors.ts";

/** The life of an engine in a hub: it is started once, with the first need of it, and closed once. */
export class EngineLife {
  readonly #engine: Engine;
  readonly #ready = Promise.withResolvers<void>();
  #started = false;

  /** @param engine The engine. */
  constructor(engine: Engine) {
    this.#engine = engine;
    // Nobody has to wait for it.
    this.ready.catch(() => {});
  }

  /** Settles once the engine is up for the first time. Rejects where it never will be. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /**
   * Starts the engine, unless it was.
   *
   * @param events Whom it tells, and who reports where it never will be up.
   */
  start(events: EngineEvents): void {
    if (this.#started) return;
    this.#started = true;
    const { resolve, reject } = this.#ready;
    proceed(() => this.#engine.start(events), resolve, (error) => {
      events.error(asError(error));
      reject(error);
    });
  }

  /**
   * Closes it, if it was started.
   *
   * @returns Settled when the engine has released what it holds.
   */
  async close(): Promise<void> {
    this.#ready.reject(closed());
    if (this.#started) await this.#engine.close();
  }
}
