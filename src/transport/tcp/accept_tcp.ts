import { WebSocketError } from "../../base/errors.ts";
import { type ProxyHeader, ProxyHeaderParser } from "../../protocol/mod.ts";
import type { ByteSink, ByteSocket } from "./byte_socket.ts";
import { cancelDeadline, type Expiring, startDeadline } from "../deadlines.ts";
import { openTcp } from "./tcp_opening.ts";
import type { Address, ClientAddress, Peer, TransportHost } from "../transport.ts";

/**
 * Takes care of a raw socket from its accept on: of what a proxy says of it, where one is expected to,
 * then of the request.
 *
 * @param socket The socket; nothing has been read from it.
 * @param host The server.
 */
export function acceptTcp(socket: ByteSocket, host: TransportHost): void {
  if (host.proxies === undefined) openTcp(socket, host);
  else new ProxiedSocket(socket, host).begin(host.proxies);
}

/** A socket whose first bytes are a PROXY header. */
class ProxiedSocket implements ByteSink, Expiring {
  readonly #socket: ByteSocket;
  readonly #host: TransportHost;
  readonly #parser: ProxyHeaderParser;
  readonly #seconds: number;
  // Lets go of the seat that the peer has before the server can take it in.
  #release: (() => void) | null = null;

  constructor(socket: ByteSocket, host: TransportHost) {
    this.#socket = socket;
    this.#host = host;
    this.#parser = new ProxyHeaderParser(host.limits.maxHeaderSize);
    this.#seconds = host.limits.handshakeTimeout;
    socket.sink = this;
  }

  begin(proxies: { trusts(peer: ClientAddress): boolean }): void {
    const { remote } = this.#socket;
    const { ip, unix } = remote;
    if (!proxies.trusts(remote)) {
      if (unix) {
        this.#refuse(
          'Cannot take a connection over a Unix socket: trustProxy does not name "unix"',
        );
      } else if (ip !== "") {
        this.#refuse(`Cannot take a connection from ${ip}: trustProxy does not name it`);
      } else {
        // A peer without an address has gone already.
        this.#socket.destroy();
      }
      return;
    }
    const release = this.#host.reserve(ip, this.#socket);
    if (release === undefined) {
      this.#host.refused(this.#socket.remote, 0, "");
      this.#socket.destroy();
      return;
    }
    this.#release = release;
    startDeadline(this, this.#seconds);
  }

  data(chunk: Uint8Array): boolean {
    let header: ProxyHeader | undefined;
    try {
      header = this.#parser.push(chunk);
    } catch (error) {
      this.#refuse((error as Error).message, error);
      return true;
    }
    if (header === undefined) return true;
    this.#letGo();
    const { rest } = this.#parser;
    openTcp(this.#socket, this.#host, new ProxiedPeer(this.#socket, header.source));
    return rest.length === 0 || this.#socket.sink.data(rest);
  }

  written(): void {}

  end(): void {
    this.#socket.destroy();
  }

  closed(): void {
    this.#letGo();
  }

  #letGo(): void {
    cancelDeadline(this, this.#seconds);
    this.#release?.();
    this.#release = null;
  }

  expired(): void {
    this.#socket.destroy();
  }

  /** Ends it without a word, as the PROXY protocol demands. */
  #refuse(why: string, cause?: unknown): void {
    this.#host.report(new WebSocketError("ERR_PROTOCOL", why, cause));
    this.#socket.destroy();
  }
}

/** The peer behind a proxy. */
class ProxiedPeer implements Peer {
  readonly remote: ClientAddress;
  readonly #socket: ByteSocket;

  constructor(socket: ByteSocket, source: Address | undefined) {
    this.#socket = socket;
    this.remote = source ?? socket.remote;
  }

  get secure(): boolean {
    return this.#socket.secure;
  }

  get native(): unknown {
    return this.#socket.native;
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
