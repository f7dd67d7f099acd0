import type { BinaryData } from "../base/bytes.ts";
import type { Capabilities, TransportName } from "../transport/transport.ts";
import type { PublishOptions, PublishResult } from "./subscribing.ts";

/** What every server does for connections `C`, whatever class it makes them of. */
export interface AnyServerOf<C> {
  /** The name of the transport. */
  readonly transport: TransportName;
  /** What the transport can do. */
  readonly capabilities: Capabilities;
  /** The address that it listens on, once started. */
  readonly ip: string | undefined;
  /** The port that it listens on, once started. */
  readonly port: number;
  /** Whether it serves TLS. */
  readonly isSsl: boolean;
  /** The open connections. */
  readonly connections: Iterable<C> & { readonly size: number };
  /** Settles when the server has shut down. */
  readonly finished: Promise<void>;
  /** Sends a message to many clients, by default to all that are open; gives to how many. */
  broadcast(data: string | BinaryData, to?: Iterable<C>): number;
  /** Publishes a message to all subscribers of a topic. */
  publish(
    topic: string,
    data: string | Uint8Array,
    options?: PublishOptions & { except?: C | Iterable<C> | undefined },
  ): Promise<PublishResult>;
  /** Counts the subscribers of a topic on this server. */
  subscriberCount(topic: string): number;
  /** Ends a client's connection, or that of a socket; gives whether there is one. */
  disconnect(client: unknown): boolean;
  /** Shuts the server down. */
  shutdown(): Promise<unknown>;
}
