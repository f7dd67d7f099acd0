import type { Socket } from "node:net";
import { unmapped } from "../../protocol/mod.ts";
import { cancelDeadline, type Expiring, startDeadline } from "../deadlines.ts";
import type { TransportHost } from "../transport.ts";

/** A peer whose TLS handshake is under way: it has a seat, and so much time. */
export class TlsWait implements Expiring {
  readonly #socket: { destroy(): void };
  readonly #seconds: number;
  #release: (() => void) | null;

  /**
   * Takes a seat for a peer.
   *
   * @param host The server, which has the seats.
   * @param ip The peer's address.
   * @param socket Destroyed when the handshake takes longer than it may, and when the server shuts down.
   * @returns What is to be told that the wait is over, or undefined when all seats are taken.
   */
  static begin(
    host: TransportHost,
    ip: string,
    socket: { destroy(): void },
  ): TlsWait | undefined {
    const peer = { destroy: () => wait.expired() };
    const release = host.reserve(ip, peer);
    if (release === undefined) {
      host.refused({ ip, port: 0 }, 0, "");
      return undefined;
    }
    const wait = new TlsWait(socket, host.limits.handshakeTimeout, release);
    return wait;
  }

  private constructor(socket: { destroy(): void }, seconds: number, release: () => void) {
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

/** Those whose TLS handshake with a server of `node:tls` or `node:https` is under way. */
export class TlsWaits {
  readonly #host: TransportHost;
  // By the raw socket under the TLS socket; under Bun those are one.
  readonly #waiting = new WeakMap<object, TlsWait>();

  /** @param host The server, which has the seats. */
  constructor(host: TransportHost) {
    this.#host = host;
  }

  /** A raw socket has come. Where all seats are taken, it is dropped. */
  readonly begin = (socket: Socket): void => {
    const wait = TlsWait.begin(this.#host, unmapped(socket.remoteAddress ?? ""), socket);
    if (wait === undefined) {
      socket.destroy();
      return;
    }
    this.#waiting.set(socket, wait);
    socket.once("close", () => wait.done());
  };

  /** The handshake that has given this socket is over. */
  readonly end = (socket: Socket): void => {
    const raw = (socket as { _parent?: object })._parent ?? socket;
    const wait = this.#waiting.get(raw) ?? this.#waiting.get(socket);
    this.#waiting.delete(raw);
    wait?.done();
  };
}
