import type { ByteSink, ByteSocket } from "./byte_socket.ts";

/** Stands in for whoever will listen to a socket whose TLS handshake is under way, and bounds that. */
export class TlsWait implements ByteSink {
  readonly #timer: ReturnType<typeof setTimeout>;

  /**
   * @param socket The socket.
   * @param timeout Seconds after which it is dropped.
   */
  constructor(socket: ByteSocket, timeout: number) {
    this.#timer = setTimeout(() => socket.destroy(), timeout * 1000);
  }

  /** The TLS handshake is over. */
  done(): void {
    clearTimeout(this.#timer);
  }

  data(): boolean {
    return true;
  }

  written(): void {}

  end(): void {}

  closed(): void {
    this.done();
  }
}
