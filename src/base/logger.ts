import { isThenable } from "./thenable.ts";

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

/** Where a server logs to, and how much. */
export interface LogSettings {
  /** How much is logged; may be changed. */
  readonly debug: DebugLevel;
  /** Takes what is logged. */
  readonly logger: Logger;
}

/** A logger that lets only what a level asks for through to another one. */
export class LeveledLogger implements Logger {
  readonly #settings: LogSettings;

  /** @param settings Read anew for each message. */
  constructor(settings: LogSettings) {
    this.#settings = settings;
  }

  /** How much is logged. */
  get level(): DebugLevel {
    return this.#settings.debug;
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
    const { logger } = this.#settings;
    // A logger of the user's own must not take the server down with it.
    const failed = (failure: unknown) => console.error("The logger failed", failure);
    try {
      const logged: unknown = error === undefined
        ? logger[method](message)
        : logger[method](message, error);
      if (isThenable(logged)) logged.then(undefined, failed);
    } catch (failure) {
      failed(failure);
    }
  }
}
