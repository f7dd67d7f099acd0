import { Traffic } from "../transport/traffic.ts";

/**
 * What `server.statistics` gives: counts since the server was made, as they are when it is read.
 *
 * @example
 * ```ts
 * import { WebSocketServer } from "@duet/websocket";
 *
 * const server = new WebSocketServer();
 * const { open, opened, closed } = server.statistics;
 * console.assert(open === 0 && opened === 0 && Object.keys(closed).length === 0);
 * ```
 */
export interface ServerStatistics {
  /** How many WebSockets are open now. */
  readonly open: number;
  /** How many were opened. */
  readonly opened: number;
  /** How many peers were turned away: answered otherwise than with 101, or dropped before their request. */
  readonly refused: number;
  /** How many connections this server gave up, since their peers read too slowly or had gone silent. */
  readonly dropped: number;
  /** How many WebSockets have ended, by the close code that `disconnect` was given (RFC 6455 §7.1.5). */
  readonly closed: Readonly<Record<number, number>>;
  /** How many messages have come. */
  readonly messagesReceived: number;
  /** How many messages were sent; one that goes to many counts for each. */
  readonly messagesSent: number;
  /**
   * How many bytes have come. On "tcp" those of all frames as they came; on "http" those of the messages, since
   * the engines tell no more.
   */
  readonly bytesReceived: number;
  /** How many bytes were sent: on "tcp" from the answer to the opening handshake on, on "http" those of messages. */
  readonly bytesSent: number;
}

/** The counts of one server. */
export class Counts {
  readonly traffic = new Traffic();
  opened = 0;
  refused = 0;
  dropped = 0;
  readonly #closed = new Map<number, number>();

  /** A WebSocket has ended with this code. */
  closed(code: number): void {
    this.#closed.set(code, (this.#closed.get(code) ?? 0) + 1);
  }

  /** All of them as they are now. */
  snapshot(open: number): ServerStatistics {
    const { opened, refused, dropped, traffic } = this;
    const closed = Object.fromEntries(this.#closed);
    return { open, opened, refused, dropped, closed, ...traffic };
  }
}
