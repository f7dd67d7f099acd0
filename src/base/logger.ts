/** Takes what a server logs; `console` is one. */
export interface Logger {
  /** Frames and other detail. */
  debug(message: string, error?: unknown): void;
  /** The course of things: listening, connections, shutdown. */
  info(message: string, error?: unknown): void;
  /** What peers did wrong. */
  warn(message: string, error?: unknown): void;
  /** What failed on this side, handlers that threw among them. */
  error(message: string, error?: unknown): void;
}

/** How much is logged: 0 nothing, 1 errors, 2 warnings too, 3 the course of things too, 4 frames too. */
export type DebugLevel = 0 | 1 | 2 | 3 | 4;

/** A logger that lets only what a level asks for through to another one. */
export class LeveledLogger implements Logger {
  /** How much is logged; may be changed. */
  level: DebugLevel;
  readonly #target: Logger;

  constructor(level: DebugLevel, target: Logger) {
    this.level = level;
    this.#target = target;
  }

  debug(message: string, error?: unknown): void {
    if (this.level >= 4) this.#log("debug", message, error);
  }

  info(message: string, error?: unknown): void {
    if (this.level >= 3) this.#log("info", message, error);
  }

  warn(message: string, error?: unknown): void {
    if (this.level >= 2) this.#log("warn", message, error);
  }

  error(message: string, error?: unknown): void {
    if (this.level >= 1) this.#log("error", message, error);
  }

  #log(method: keyof Logger, message: string, error: unknown): void {
    // A logger of the user's own must not take the server down with it.
    try {
      if (error === undefined) this.#target[method](message);
      else this.#target[method](message, error);
    } catch (failure) {
      console.error("The logger failed", failure);
    }
  }
}
