import { WebSocketError } from "../base/errors.ts";

/** What {@linkcode redisEngine} takes beside the client. */
export interface RedisEngineOptions {
  /**
   * What the names of all keys and channels begin with; without braces. Servers with the same prefix share
   * their topics. Channels know no database numbers: two databases of one Redis need two prefixes. Default
   * `"duet"`.
   */
  prefix?: string | undefined;
}

/** The oldest Redis that the scripts are for. */
const OLDEST = 7;
/** Errors with which Redis turns away for good. */
const FINAL = /^(?:WRONGPASS|NOAUTH|NOPERM|ERR (?:AUTH|invalid password|Client sent AUTH))/;

/** What a Redis says of itself. */
export interface ServerInfo {
  /** Another one after each start. */
  readonly run: string;
  /** As it names itself. */
  readonly version: string;
}

/**
 * Reads what Redis answers to `INFO server`.
 *
 * @param info The answer.
 * @returns What matters of it.
 * @throws {WebSocketError} ERR_UNSUPPORTED for a Redis that is too old.
 */
export function readServerInfo(info: string): ServerInfo {
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
  const version = field("redis_version");
  // As a number: "10" is newer than "7", and 7.2.4 is what Valkey says.
  if (Number.parseInt(version) >= OLDEST) return { run: field("run_id"), version };
  throw new WebSocketError(
    "ERR_UNSUPPORTED",
    `Cannot use Redis ${
      version || "of an unknown version"
    }: redisEngine needs Redis 7 or Valkey 8, or ` +
      "later. Upgrade it",
  );
}

/**
 * Tells whether trying again is of no use.
 *
 * @param error Why there is no connection.
 * @returns The error to end with, or null.
 */
export function finalError(error: Error): WebSocketError | null {
  if (error instanceof WebSocketError) return error;
  if (!FINAL.test(error.message)) return null;
  return new WebSocketError(
    "ERR_REFUSED",
    `Cannot use Redis: it refuses the user or password of the client, or what that user may do ` +
      `(${error.message}). Correct the client's username and password, or the user's ACL`,
    error,
  );
}
