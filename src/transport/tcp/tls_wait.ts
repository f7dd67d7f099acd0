import { cancelDeadline, type Expiring, startDeadline } from "../deadlines.ts";
import type { TransportHost } from "../transport.ts";

/** The peers of one listener whose TLS handshakes are under way: each has a seat, and so much time. */
export class TlsWaits {
  readonly #host: TransportHost;
  readonly #waits = new Set<TlsWait>();

  /** @param host The server, which has the seats. */
  constructor(host: TransportHost) {
    this.#host = host;
  }

  /**
   * Takes a seat for a peer.
   *
   * @param ip Its address.
   * @param socket Destroyed when the handshake takes longer than it may.
   * @returns What is to be told that the wait is over, or undefined when all seats are taken.
   */
  begin(ip: string, socket: { destroy(): void }): TlsWait | undefined {
    const release = this.#host.reserve(ip);
    if (release === undefined) return undefined;
    const wait = new TlsWait(socket, this.#host.limits.handshakeTimeout, () => {
      this.#waits.delete(wait);
      release();
    });
    this.#waits.add(wait);
    return wait;
  }

  /** Drops them all. */
  destroy(): void {
    for (const wait of [...this.#waits]) wait.expired();
  }
}

/** One of them. */
export class TlsWait implements Expiring {
  readonly #socket: { destroy(): void };
  readonly #seconds: number;
  #release: (() => void) | null;

  /**
   * @param socket Destroyed when the time is up.
   * @param seconds How long it may take.
   * @param release Called once when the wait is over.
   */
  constructor(socket: { destroy(): void }, seconds: number, release: () => void) {
    this.#socket = socket;
    this.#seconds = seconds;
    this.#release = release;
    startDeadline(this, seconds);
  }

  /** The handshake is over, or the peer is gone. */
  done(): void {
    cancelDeadline(this, this.#seconds);
    const release = this.#release;
    this.#release = null;
    release?.();
  }

  expired(): void {
    this.done();
    this.#socket.destroy();
  }
}
