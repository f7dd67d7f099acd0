import type { Data } from "./data.ts";

/** What a subscription may do. Everything is refused that is not said here. */
export interface Grant {
  /**
   * What a client that comes back is given: all that it missed, or only the newest publication. The topic must
   * have history. With `slow: "latest"` it is only the newest, and with `slow: "drop"` nothing.
   */
  readonly recover?: boolean | "latest" | undefined;
  /** Whether its coming and going is announced, and it is told of that of others. */
  readonly joinLeave?: boolean | undefined;
  /** Whether it may ask who is there; the topic must have presence. */
  readonly presence?: boolean | undefined;
  /** Whether it may ask for what was published; the topic must have history. */
  readonly history?: boolean | undefined;
  /**
   * When it ends unless refreshed, in seconds since 1970. A subscription that the server made has the
   * connection's.
   */
  readonly expires?: number | undefined;
  /** What others on this topic may know of it: anything that JSON can tell. */
  readonly info?: unknown;
  /** What the client is told. */
  readonly data?: Data | undefined;
}
