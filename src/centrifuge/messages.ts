import type { Data } from "./data.ts";

/** What a client asks for, by the names of the protocol; fields that it left out are undefined. */
export interface Command {
  readonly id?: number;
  readonly connect?: ConnectCommand;
  readonly subscribe?: SubscribeCommand;
  readonly unsubscribe?: TopicCommand;
  readonly publish?: PublishCommand;
  readonly presence?: TopicCommand;
  readonly presence_stats?: TopicCommand;
  readonly history?: HistoryCommand;
  readonly ping?: object;
  readonly send?: { readonly data?: Data };
  readonly rpc?: { readonly method?: string; readonly data?: Data };
  readonly refresh?: { readonly token?: string };
  readonly sub_refresh?: TopicCommand & { readonly token?: string };
}

/** The requests of which a command holds one. */
export const REQUESTS = [
  "connect",
  "subscribe",
  "unsubscribe",
  "publish",
  "presence",
  "presence_stats",
  "history",
  "ping",
  "send",
  "rpc",
  "refresh",
  "sub_refresh",
] as const satisfies (keyof Command)[];
/** The name of a request. */
export type RequestName = typeof REQUESTS[number];

/** The first command. */
export interface ConnectCommand {
  readonly token?: string;
  readonly data?: Data;
  readonly subs?: Readonly<Record<string, SubscribeCommand>>;
  readonly name?: string;
  readonly version?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A command about one topic. */
export interface TopicCommand {
  readonly channel?: string;
}

/** Where a client stands in a stream. */
export interface StreamPosition {
  readonly epoch?: string;
  readonly offset?: number;
}

/** A subscription that a client asks for. */
export interface SubscribeCommand extends TopicCommand, StreamPosition {
  readonly token?: string;
  readonly data?: Data;
  readonly recover?: boolean;
  readonly join_leave?: boolean;
  readonly flag?: number;
  readonly type?: number;
  readonly tf?: Data;
}

/** A message to publish. */
export interface PublishCommand extends TopicCommand {
  readonly data?: Data;
}

/** A question for what was published. */
export interface HistoryCommand extends TopicCommand {
  readonly limit?: number;
  readonly since?: StreamPosition;
  readonly reverse?: boolean;
}

/** Who somebody is to others. */
export interface ClientInfo {
  readonly user: string;
  readonly client: string;
  readonly conn_info?: Data;
  readonly chan_info?: Data;
}

/** A publication on the wire. */
export interface WirePublication {
  readonly data: Data;
  readonly info?: ClientInfo;
  readonly offset?: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly time?: number;
}

/** The answer to a subscription. */
export interface SubscribeReply {
  readonly expires?: boolean;
  readonly ttl?: number;
  readonly recoverable?: boolean;
  readonly positioned?: boolean;
  readonly epoch?: string;
  readonly offset?: number;
  readonly publications?: readonly WirePublication[];
  readonly recovered?: boolean;
  readonly was_recovering?: boolean;
  readonly data?: Data;
}

/** What a server tells without being asked. */
export interface Push {
  readonly channel?: string;
  readonly pub?: WirePublication;
  readonly join?: { readonly info: ClientInfo };
  readonly leave?: { readonly info: ClientInfo };
  readonly unsubscribe?: { readonly code: number; readonly reason: string };
  readonly message?: { readonly data: Data };
  readonly subscribe?: SubscribeReply;
  readonly refresh?: { readonly expires: boolean; readonly ttl: number };
}

/** What a server sends: an answer, or a push. */
export interface Reply {
  readonly id?: number;
  readonly error?: { readonly code: number; readonly message: string; readonly temporary: boolean };
  readonly push?: Push;
  readonly connect?: {
    readonly client: string;
    readonly version: string;
    readonly data?: Data;
    readonly expires?: boolean;
    readonly ttl?: number;
    readonly subs?: Readonly<Record<string, SubscribeReply>>;
    readonly ping: number;
    readonly pong: boolean;
  };
  readonly subscribe?: SubscribeReply;
  readonly unsubscribe?: object;
  readonly publish?: object;
  readonly presence?: { readonly presence: Readonly<Record<string, ClientInfo>> };
  readonly presence_stats?: { readonly num_clients: number; readonly num_users: number };
  readonly history?: {
    readonly publications: readonly WirePublication[];
    readonly epoch: string;
    readonly offset: number;
  };
  readonly rpc?: { readonly data?: Data };
  readonly refresh?: {
    readonly client: string;
    readonly version: string;
    readonly expires?: boolean;
    readonly ttl?: number;
  };
  readonly sub_refresh?: { readonly expires?: boolean; readonly ttl?: number };
}
