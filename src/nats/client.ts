import { Buffer } from "node:buffer";
import { WebSocketError } from "../base/errors.ts";
import { invalid } from "../base/option_values.ts";

/**
 * A connection to NATS, as far as the engine needs to know it: what `connect` of `@nats-io/transport-node` 3
 * gives.
 */
export interface NatsConnection {
  /** What the server says of itself. */
  readonly info?: NatsServerInfo;
  /** Settles once the connection is closed for good. */
  closed(): Promise<void | Error>;
  /** Closes it. */
  close(): Promise<void>;
  /** Sends a message. */
  publish(subject: string, payload?: string | Uint8Array, options?: never): void;
  /** Has messages told. */
  subscribe(subject: string, options?: never): NatsSubscription;
  /** Settles once the server has dealt with all that was sent. */
  flush(): Promise<void>;
  /** Tells what becomes of the connection. */
  status(): AsyncIterable<NatsStatus>;
}

/** What a server of NATS says of itself. */
export interface NatsServerInfo {
  /** Another one after each start. */
  readonly server_id: string;
  /** Such as `"2.15.1"`. */
  readonly version: string;
  /** Whether history and presence can be had. */
  readonly jetstream?: boolean;
  /** Its cluster, if it is in one. */
  readonly cluster?: string;
  /** The most bytes of a message. */
  readonly max_payload?: number;
}

/** A subscription, to be ended. */
export interface NatsSubscription {
  /** Ends it. */
  unsubscribe(): void;
}

/** What becomes of a connection. */
export interface NatsStatus {
  /** Such as `"disconnect"`. */
  readonly type: string;
  /** What has failed, where something has. */
  readonly error?: Error;
}

/** A message, as the client gives it. */
export interface NatsMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers?: {
    readonly code: number;
    readonly description: string;
    get(name: string): string;
  };
}

/** Fields that a message is sent with. */
export type Fields = Readonly<Record<string, string>>;

/** Fields, written as the client takes them. */
export interface Headers {
  encode(): Uint8Array;
}

/** The same connection, with the options that the engine gives. */
export interface OwnNats extends Omit<NatsConnection, "publish" | "subscribe"> {
  publish(
    subject: string,
    payload: string | Uint8Array,
    options?: { reply?: string; headers?: Headers },
  ): void;
  subscribe(
    subject: string,
    options: { callback(error: Error | null, message: NatsMessage): void },
  ): NatsSubscription;
}

const TAKES = "a function that connects, such as () => connect({ servers }) with connect of " +
  "@nats-io/transport-node";
/** What a client throws when NATS turns it away. */
const REFUSALS = [
  "AuthorizationError",
  "UserAuthenticationExpiredError",
  "PermissionViolationError",
];
/** What a function throws that will never connect: what it calls is not there. */
const MISTAKES = ["TypeError", "ReferenceError", "SyntaxError"];
const NOT_FOUND = /MODULE_NOT_FOUND|Cannot find (?:module|package)|Module not found/;
/** The oldest NATS with what history and presence need, and the oldest of all. */
const HISTORY_SINCE = [2, 11];
const OLDEST = [2, 9];

/**
 * Checks what the application gives.
 *
 * @param connect Anything.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for something else than a function.
 */
export function checkConnect(connect: unknown): void {
  if (typeof connect === "function") return;
  const given = typeof connect === "object" && connect !== null && "flush" in connect;
  throw invalid(
    "connect",
    connect,
    given ? `${TAKES}; a connection that was closed never comes back` : TAKES,
  );
}

/**
 * Checks what the application's function gives.
 *
 * @param made Anything.
 * @returns It, if it is a connection.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for something else.
 */
export function checkConnection(made: unknown): OwnNats {
  const it = made as Partial<NatsConnection> | null | undefined;
  const names = ["publish", "subscribe", "flush", "status", "closed", "close"];
  const complete = typeof it === "object" && it !== null &&
    names.every((name) => typeof it[name as keyof NatsConnection] === "function");
  if (complete) return it as unknown as OwnNats;
  throw new WebSocketError(
    "ERR_INVALID_ARGUMENT",
    "Cannot use what the function given to natsEngine returns: it is no connection of the client " +
      "library. Install @nats-io/transport-node 3, and give () => connect({ servers }) of that",
  );
}

/**
 * Checks a server's version.
 *
 * @param info What the server says of itself.
 * @throws {WebSocketError} ERR_UNSUPPORTED for a NATS that the engine cannot use at all.
 */
export function checkServer({ version, jetstream }: NatsServerInfo): void {
  if (!isSince(version, OLDEST)) {
    throw new WebSocketError(
      "ERR_UNSUPPORTED",
      `Cannot use NATS ${version}: natsEngine needs NATS 2.9 or later, and 2.11 or later for history ` +
        "and presence. Upgrade it",
    );
  }
  if (jetstream !== true) {
    throw new WebSocketError(
      "ERR_UNSUPPORTED",
      "Cannot use this NATS: JetStream, which gives publications their order, is off. Start " +
        "nats-server with -js, or write jetstream {} into its configuration",
    );
  }
}

/**
 * Tells whether a server can keep history and presence.
 *
 * @param info What the server says of itself.
 * @returns The error for one that cannot, or null.
 */
export function historyError({ version }: NatsServerInfo): WebSocketError | null {
  if (isSince(version, HISTORY_SINCE)) return null;
  return new WebSocketError(
    "ERR_UNSUPPORTED",
    `Cannot keep history or presence with NATS ${version}: it needs NATS 2.11 or later. Upgrade ` +
      "nats-server, or give topics without history and presence",
  );
}

/** Compares versions as numbers: 2.10 is newer than 2.9. */
function isSince(version: string, [major, minor]: readonly number[]): boolean {
  const [ours, its] = version.split(".").map((part) => Number.parseInt(part));
  return ours > major || (ours === major && its >= minor);
}

/**
 * Tells whether connecting again is of no use.
 *
 * @param error Why there is no connection.
 * @returns The error to end with, or null.
 */
export function finalError(error: Error): WebSocketError | null {
  if (error instanceof WebSocketError && error.code !== "ERR_STATE") return error;
  const code = (error as { code?: unknown }).code;
  if (NOT_FOUND.test(`${code} ${error.message}`)) {
    return new WebSocketError(
      "ERR_INVALID_ARGUMENT",
      `Cannot connect to NATS: the client library is not there (${error.message}). Install ` +
        "@nats-io/transport-node 3",
      error,
    );
  }
  if (REFUSALS.includes(error.name)) {
    return new WebSocketError(
      "ERR_REFUSED",
      `Cannot use NATS: it refuses the user or password, or what that user may do ` +
        `(${error.message}). Correct what the function given to natsEngine connects with, or the ` +
        "user's permissions",
      error,
    );
  }
  if (!MISTAKES.includes(error.name)) return null;
  return new WebSocketError(
    "ERR_INVALID_ARGUMENT",
    `Cannot connect to NATS: the function given to natsEngine throws (${error.message}). Give ` +
      TAKES,
    error,
  );
}

/**
 * Writes the fields of a message.
 *
 * @param fields The fields; their values have no line ends.
 * @returns What the client takes as headers.
 */
export function headersOf(fields: Fields): Headers {
  let text = "NATS/1.0\r\n";
  for (const [name, value] of Object.entries(fields)) text += `${name}: ${value}\r\n`;
  const bytes = Buffer.from(`${text}\r\n`);
  return { encode: () => bytes };
}
