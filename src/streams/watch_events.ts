/** A stream that is being watched. */
export interface Watch {
  /** Stops watching and releases the stream. A chunk that was read before is still handed over. */
  stop(): void;
}

/** What a watch tells its list. */
export interface WatchEvents {
  /** The stream can be read or written. Must not reject; is never called again before it resolves. */
  act(detail: unknown): Promise<void>;
  /** The stream has ended, or has failed with an error. */
  ended(error?: unknown): void;
}

/** Starts a watch; throws when the stream is locked. */
export type BeginWatch = (events: WatchEvents) => Watch;
