import { type Channel, channel } from "node:diagnostics_channel";
import { sessionOf, type WebSocketConnection } from "../connection/connection.ts";
import type { Address } from "../transport/transport.ts";
import { Counts } from "./statistics.ts";

/**
 * What is published on the channels of `node:diagnostics_channel`, by the name of the channel. The server that
 * it is about is always there, so that one program can tell its servers apart.
 *
 * @example
 * ```ts
 * import { subscribe } from "node:diagnostics_channel";
 * import type { DiagnosticEvents } from "@duet/websocket";
 *
 * subscribe("duet.closed", (message) => {
 *   const { connection, code } = message as DiagnosticEvents["duet.closed"];
 *   console.log(connection.ip, "left with", code);
 * });
 * ```
 */
export interface DiagnosticEvents {
  /** A WebSocket is open. */
  "duet.opened": { server: unknown; connection: WebSocketConnection };
  /** A WebSocket has ended, with what `disconnect` is given. */
  "duet.closed": {
    server: unknown;
    connection: WebSocketConnection;
    code: number;
    reason: string;
  };
  /**
   * A peer was turned away. `status` is what it was answered, or 0 when it was dropped without an answer;
   * `reason` is what it was told, if anything.
   */
  "duet.refused": { server: unknown; ip: string; port: number; status: number; reason: string };
  /**
   * Over `highWaterMark` bytes wait for a peer, told once until all have gone out. With `dropped`, the peer was
   * given up: since more than `maxBufferedAmount` wait, or for its silence.
   */
  "duet.slow": {
    server: unknown;
    connection: WebSocketConnection;
    bufferedAmount: number;
    dropped: boolean;
  };
  /** Something has failed; what `onError` is told. */
  "duet.error": { server: unknown; error: Error; connection: WebSocketConnection | undefined };
}

type Name = keyof DiagnosticEvents;

const channels: { readonly [N in Name]: Channel } = {
  "duet.opened": channel("duet.opened"),
  "duet.closed": channel("duet.closed"),
  "duet.refused": channel("duet.refused"),
  "duet.slow": channel("duet.slow"),
  "duet.error": channel("duet.error"),
};

/** Counts what happens to a server, and publishes it where somebody listens. */
export class Diagnostics {
  readonly counts = new Counts();
  readonly #server: unknown;

  constructor(server: unknown) {
    this.#server = server;
  }

  opened(connection: WebSocketConnection): void {
    this.counts.opened++;
    const { "duet.opened": channel } = channels;
    if (channel.hasSubscribers) channel.publish({ server: this.#server, connection });
  }

  closed(connection: WebSocketConnection, code: number, reason: string): void {
    this.counts.closed(code);
    const { "duet.closed": channel } = channels;
    if (channel.hasSubscribers) channel.publish({ server: this.#server, connection, code, reason });
  }

  refused({ ip, port }: Address, status: number, reason: string): void {
    this.counts.refused++;
    const { "duet.refused": channel } = channels;
    if (!channel.hasSubscribers) return;
    channel.publish({ server: this.#server, ip, port, status, reason });
  }

  slow(connection: WebSocketConnection, dropped: boolean): void {
    if (dropped) this.counts.dropped++;
    const { "duet.slow": channel } = channels;
    if (!channel.hasSubscribers) return;
    const { bufferedAmount } = sessionOf(connection);
    channel.publish({ server: this.#server, connection, bufferedAmount, dropped });
  }

  error(error: Error, connection: WebSocketConnection | undefined): void {
    const { "duet.error": channel } = channels;
    if (channel.hasSubscribers) channel.publish({ server: this.#server, error, connection });
  }
}
