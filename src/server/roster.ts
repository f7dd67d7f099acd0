import type { WebSocketConnection } from "../connection/connection.ts";
import type { Peer } from "../transport/transport.ts";
import { AddressCounts } from "./address_counts.ts";
import type { TrustedProxies } from "./trusted_proxies.ts";

/** How many may be here. */
export interface RosterLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly trustProxy: TrustedProxies | undefined;
}

/** A peer that has not come far enough to ask for anything. */
export interface Reserving {
  destroy(): void;
}

/**
 * Who is here. Every peer takes a seat before anything is awaited for it: first in its own name, then in
 * that of its connection. Those for whom there is no seat are told so, in a queue with as many places.
 */
export class Roster<C extends WebSocketConnection> {
  /** The connections that are open. */
  readonly ready = new Set<C>();
  /** All connections that have a seat, from their accept to their end. */
  readonly seated = new Set<C>();
  /** Connections that are only there to be told that there is no seat. */
  readonly queue = new Set<WebSocketConnection>();
  // Those that have a seat and no connection: peers for which `onAccept` is at work, and reservations.
  readonly #coming = new Set<object>();
  // Reservations of places in the queue.
  readonly #queueing = new Set<object>();
  // Whom reservations were made for.
  readonly #reserved = new Map<object, Reserving>();
  readonly #serving = new Set<object>();
  readonly #limits: RosterLimits;
  // Where limits for an address are kept: those who have a seat, and those in the queue.
  readonly #seats: AddressCounts | null;
  readonly #places: AddressCounts | null;
  #emptied: (() => void) | null = null;

  constructor(limits: RosterLimits) {
    this.#limits = limits;
    const limited = limits.maxConnectionsPerAddress < Number.MAX_SAFE_INTEGER;
    this.#seats = limited ? new AddressCounts() : null;
    this.#places = limited ? new AddressCounts() : null;
  }

  /**
   * Takes a seat, before anything is awaited.
   *
   * @param holder Whose it is from now on: a peer, or what stands for one.
   * @param ip Its address. Through a proxy come many clients: whose a connection is, its request tells.
   * @returns Whether there was one.
   */
  join(holder: object, ip: string): boolean {
    if (this.seated.size + this.#coming.size >= this.#limits.maxConnections) return false;
    if (!this.#isProxy(ip) && !this.#count(this.#seats, holder, ip)) return false;
    this.#coming.add(holder);
    return true;
  }

  /** Takes a seat, or a place in the queue, for a peer that cannot ask yet; gives what lets go of it. */
  reserve(ip: string, peer: Reserving): (() => void) | undefined {
    const holder = {};
    if (!this.join(holder, ip)) {
      if (!this.#hasPlace(holder, ip)) return undefined;
      this.#queueing.add(holder);
    }
    this.#reserved.set(holder, peer);
    return () => this.leave(holder);
  }

  /** Drops all peers that cannot ask yet. */
  dismiss(): void {
    for (const peer of [...this.#reserved.values()]) peer.destroy();
  }

  /** The peer's seat is now its connection's. */
  seat(peer: Peer, connection: C): void {
    this.#coming.delete(peer);
    this.seated.add(connection);
    this.#seats?.move(peer, connection);
  }

  /**
   * Takes a place in the queue.
   *
   * @returns Whether there was one: far beyond the limits not even an answer is worth its cost.
   */
  wait(connection: WebSocketConnection, ip: string): boolean {
    if (!this.#hasPlace(connection, ip)) return false;
    this.queue.add(connection);
    return true;
  }

  #hasPlace(holder: object, ip: string): boolean {
    if (this.queue.size + this.#queueing.size >= this.#limits.maxConnections) return false;
    return this.#isProxy(ip) || this.#count(this.#places, holder, ip);
  }

  /**
   * The client of a connection through a proxy is known.
   *
   * @returns Whether there may be one more from its address.
   */
  locate(connection: object, ip: string): boolean {
    return this.#count(this.#seats, connection, ip);
  }

  /** The connection's socket is used for a plain HTTP request, and is left to it. */
  serve(connection: object): void {
    this.#serving.add(connection);
  }

  /** Whoever it was is gone, with the seat. */
  leave(holder: object): void {
    const connection = holder as C;
    this.#coming.delete(holder);
    this.#queueing.delete(holder);
    this.#reserved.delete(holder);
    this.ready.delete(connection);
    this.seated.delete(connection);
    this.queue.delete(connection);
    this.#serving.delete(connection);
    this.#seats?.remove(holder);
    this.#places?.remove(holder);
    if (this.#isEmpty) this.#emptied?.();
  }

  /** All connections, in a list of their own. */
  everyone(): WebSocketConnection[] {
    return [...this.seated, ...this.queue];
  }

  /** All connections but those whose requests are being served, in a list of their own. */
  idle(): WebSocketConnection[] {
    return this.everyone().filter((it) => !this.#serving.has(it));
  }

  /** Settles when no connection is left. */
  emptied(): Promise<void> {
    return this.#isEmpty
      ? Promise.resolve()
      : new Promise((resolve) => this.#emptied = () => resolve());
  }

  get #isEmpty(): boolean {
    return this.seated.size === 0 && this.queue.size === 0;
  }

  #isProxy(ip: string): boolean {
    return this.#limits.trustProxy?.has(ip) === true;
  }

  #count(counts: AddressCounts | null, holder: object, ip: string): boolean {
    if (counts === null) return true;
    if (counts.from(ip) >= this.#limits.maxConnectionsPerAddress) return false;
    counts.add(holder, ip);
    return true;
  }
}
