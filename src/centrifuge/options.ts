import { checkNumber, COUNT, invalid, type NumberRange, SIZE } from "../base/option_values.ts";
import type { WebSocketConnection } from "../connection/connection.ts";
import type { PublishOptions } from "../connection/subscribing.ts";
import type { Awaitable } from "../topics/engine.ts";
import type { CentrifugeClient } from "./client.ts";
import type { Data } from "./data.ts";
import type { Grant } from "./grant.ts";

/** A client that asks to be let in. */
export interface ConnectRequest {
  /** The token that it brought; "" for none. */
  readonly token: string;
  /** What else it said. */
  readonly data: Data | undefined;
  /** Its name for itself, such as "js". */
  readonly name: string;
  /** The version that it says it has. */
  readonly version: string;
  /** What browsers, which cannot set header fields, bring in their place. The client can write anything here. */
  readonly headers: Readonly<Record<string, string>>;
  /** The connection, with its handshake. */
  readonly connection: WebSocketConnection;
}

/** How a client is let in. */
export interface ConnectAnswer<Info = unknown> {
  /** Whose connection it is; "" for nobody's in particular. */
  readonly user: string;
  /** What others may know of the user: anything that JSON can tell. */
  readonly info?: Info | undefined;
  /** When it ends unless refreshed, in seconds since 1970. */
  readonly expires?: number | undefined;
  /** What the client is told. */
  readonly data?: Data | undefined;
  /** The topics that the server itself subscribes it to. */
  readonly subs?: Readonly<Record<string, Grant>> | undefined;
}

/**
 * What a {@linkcode Centrifuge} is made of. A handler may return a promise; after 4 s the client is told of a
 * temporary error. A {@linkcode CentrifugeError} that it throws is told to the client.
 */
export interface CentrifugeOptions<Info = unknown> {
  /** Where clients connect; default "/connection/websocket". */
  path?: string;
  /** Seconds between two pings; default 25. Clients are told whole seconds. */
  ping?: number;
  /** Seconds that the pong may take, less than `ping`; default 10. */
  pong?: number;
  /** Seconds from the opening of the connection to its `connect`; default 15. */
  connectTimeout?: number;
  /** Topics that a client may be subscribed to; default 128. */
  maxTopics?: number;
  /** Commands of one client that are dealt with at once; default 32. */
  maxCommands?: number;
  /**
   * Bytes that may wait for a client before it is given something more; default 16 MiB. Over that it is ended
   * with 3008.
   */
  maxWaiting?: number;
  /** Decides who may come in, and who it is. Throws a `CentrifugeError`, such as 3500, for who may not. */
  onConnect(request: ConnectRequest): Awaitable<ConnectAnswer<Info>>;
  /**
   * Decides on a new token, of the connection or of its subscription to `topic`: until when it is good, in
   * seconds since 1970; undefined for ever. Without this handler what expires just ends.
   */
  onRefresh?(
    client: CentrifugeClient<Info>,
    request: { readonly token: string; readonly topic?: string },
  ): Awaitable<number | undefined>;
  /** Decides on a subscription; false refuses it, as does the want of this handler. */
  onSubscribe?(
    client: CentrifugeClient<Info>,
    request: { readonly topic: string; readonly token: string; readonly data: Data | undefined },
  ): Awaitable<Grant | false>;
  /** Decides on a publication; false refuses it, as does the want of this handler. */
  onPublish?(
    client: CentrifugeClient<Info>,
    request: { readonly topic: string; readonly data: Data },
  ): Awaitable<boolean | PublishOptions>;
  /** Answers a call. */
  onRpc?(
    client: CentrifugeClient<Info>,
    request: { readonly method: string; readonly data: Data | undefined },
  ): Awaitable<Data | void>;
  /** Told of a message that wants no answer. Without this handler the client is ended with 3508. */
  onMessage?(client: CentrifugeClient<Info>, data: Data): unknown;
  /** Told of the end of a client that was let in. */
  onDisconnect?(client: CentrifugeClient<Info>, code: number, reason: string): unknown;
}

/** Options with all defaults filled in. */
export type Settings = Required<
  Pick<
    CentrifugeOptions,
    "path" | "ping" | "pong" | "connectTimeout" | "maxTopics" | "maxCommands" | "maxWaiting"
  >
>;

const HANDLERS = [
  "onConnect",
  "onRefresh",
  "onSubscribe",
  "onPublish",
  "onRpc",
  "onMessage",
  "onDisconnect",
] as const;

const SECONDS: NumberRange = { low: 0.01, high: 86_400, unit: "seconds", whole: false };

const DEFAULTS: Settings = {
  path: "/connection/websocket",
  ping: 25,
  pong: 10,
  connectTimeout: 15,
  maxTopics: 128,
  maxCommands: 32,
  maxWaiting: 16 * 1024 * 1024,
};

/**
 * Reads the options.
 *
 * @param options What was given.
 * @returns The settings.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for a value that is not right.
 */
export function readOptions(options: CentrifugeOptions): Settings {
  if (typeof options !== "object" || options === null) {
    throw invalid("the options of Centrifuge", options, "an object");
  }
  for (const name of HANDLERS) {
    const handler = options[name];
    const missing = name === "onConnect" && handler === undefined;
    if (missing || (handler !== undefined && typeof handler !== "function")) {
      throw invalid(name, handler, "a function");
    }
  }
  const known: readonly string[] = [...Object.keys(DEFAULTS), ...HANDLERS];
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw invalid("the option", name, known.join(", "));
  }
  const path = options.path ?? DEFAULTS.path;
  if (typeof path !== "string" || !/^\/[^?#]*$/.test(path)) {
    throw invalid("path", path, 'a path that begins with "/"');
  }
  const read = (name: Exclude<keyof Settings, "path">, range: NumberRange) =>
    checkNumber(name, options[name] ?? DEFAULTS[name], range);
  const ping = read("ping", SECONDS);
  const pong = checkNumber("pong", options.pong ?? Math.min(DEFAULTS.pong, ping / 2), SECONDS);
  if (pong >= ping) throw invalid("pong", pong, `a number under that of ping, ${ping}`);
  return {
    path,
    ping,
    pong,
    connectTimeout: read("connectTimeout", SECONDS),
    maxTopics: read("maxTopics", COUNT),
    maxCommands: read("maxCommands", COUNT),
    maxWaiting: read("maxWaiting", SIZE),
  };
}
