import type { Socket } from "node:net";
import { unmapped } from "../../protocol/mod.ts";
import { cancelDeadline, type Expiring, startDeadline } from "../deadlines.ts";
import { type ClientAddress, type TransportHost, UNIX_CLIENT } from "../transport.ts";
import type { ByteSink, ByteSocket } from "./byte_socket.ts";

/** The handle under a TLS socket's own, as far as it is looked at. */
interface TcpHandle {
  readStop(): unknown;
  readStart(): unknown;
}

/** The most that is written at once: Node tells only when all of it is, and so how far the peer has read. */
const PIECE = 256 * 1024;
/** How often a paused TLS socket that may be read on is looked at. */
const LOOK_SECONDS = 1;
/** What a runtime may read of a paused TLS socket. */
const MAX_READ_ON = 16 * 1024 * 1024;

/**
 * Under Deno a paused TLS socket is read on for as long as its peer sends. What stops that is to stop the
 * TCP handle under it, which Node's API does not show.
 *
 * @returns The handle; undefined where there is none.
 */
function tcpHandleOf(socket: Socket): TcpHandle | undefined {
  const { _handle: own } = socket as { _handle?: { _parent?: Partial<TcpHandle> } | null };
  const handle = own?._parent;
  return typeof handle?.readStop === "function" && typeof handle.readStart === "function"
    ? handle as TcpHandle
    : undefined;
}

/**
 * Tells where a socket of `node:net` or `node:tls` came from.
 *
 * @param socket The socket.
 * @returns Its client's address.
 */
export function remoteOf(socket: Socket): ClientAddress {
  const { remoteAddress, remotePort = 0 } = socket;
  if (remoteAddress !== undefined) return { ip: unmapped(remoteAddress), port: remotePort };
  // The socket of a TCP client that has gone has no address either; only its server tells which it was.
  const { server } = socket as { server?: { address?(): unknown } | null };
  return typeof server?.address?.() === "string" ? UNIX_CLIENT : { ip: "", port: 0 };
}

/** A socket of `node:net` or `node:tls`, accepted or connected. */
export class NodeByteSocket implements ByteSocket, Expiring {
  readonly native: Socket;
  readonly remote: ClientAddress;
  readonly secure: boolean;
  readonly sharesBuffers = false;
  readonly givesChunks = false;
  sink!: ByteSink;
  unwritten = 0;
  readonly #tcp: TcpHandle | undefined;
  readonly #host: Pick<TransportHost, "report">;
  #paused = false;
  // How much had been read when it was paused.
  #bytesRead = 0;
  #peerEnded = false;
  #ended = false;
  #closed = false;

  /**
   * @param socket The socket.
   * @param secure Whether it speaks TLS.
   * @param host Told of what fails.
   */
  constructor(socket: Socket, secure: boolean, host: Pick<TransportHost, "report">) {
    this.native = socket;
    this.remote = remoteOf(socket);
    this.secure = secure;
    this.#host = host;
    this.#tcp = secure ? tcpHandleOf(socket) : undefined;
    // Whatever the server was made with: a peer that has ended its half is still sent what it asked for.
    socket.allowHalfOpen = true;
    this.setNoDelay(true);
    socket.on("data", (chunk: Uint8Array) => this.take(chunk));
    socket.on("end", () => this.peerEnds());
    // Node tells of the end of the socket with "close" right after.
    socket.on("error", () => {});
    socket.on("close", () => this.#lost());
  }

  /** Hands over what has been read. */
  take(chunk: Uint8Array): void {
    if (!this.#hand(chunk)) this.#pause();
  }

  #hand(chunk: Uint8Array): boolean {
    try {
      return this.#closed || this.sink.data(chunk);
    } catch (error) {
      // Out of here it would end the process.
      this.#host.report(error);
      this.destroy();
      return true;
    }
  }

  #pause(): void {
    this.#paused = true;
    this.native.pause();
    if (this.#tcp !== undefined) {
      this.#tcp.readStop();
    } else if (this.secure) {
      this.#bytesRead = this.native.bytesRead;
      startDeadline(this, LOOK_SECONDS);
    }
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#closed) return;
    if (this.#tcp !== undefined) this.#tcp.readStart();
    else if (this.secure) cancelDeadline(this, LOOK_SECONDS);
    this.native.resume();
    if (this.#peerEnded) this.#tellEnd();
  }

  /** The peer has ended its half. */
  peerEnds(): void {
    this.#peerEnded = true;
    if (!this.#paused) this.#tellEnd();
  }

  /** A paused TLS socket is looked at: one that is read on all the same ends before memory does. */
  expired(): void {
    if (this.native.bytesRead - this.#bytesRead > MAX_READ_ON) this.destroy();
    else startDeadline(this, LOOK_SECONDS);
  }

  #tellEnd(): void {
    if (!this.#ended && !this.#closed) this.sink.end();
  }

  write(bytes: Uint8Array): boolean {
    this.unwritten = bytes.length;
    this.native.write(bytes.length > PIECE ? bytes.subarray(0, PIECE) : bytes, (error) => {
      if (error || this.#closed) this.unwritten = 0;
      else if (bytes.length > PIECE) this.write(bytes.subarray(PIECE));
      else {
        this.unwritten = 0;
        this.sink.written();
      }
    });
    return false;
  }

  end(): void {
    this.#ended = true;
    this.native.end();
  }

  destroy(): void {
    this.#gone();
    this.native.destroy();
  }

  /** The socket has closed; what it had read before that is still to be had. */
  #lost(): void {
    for (;;) {
      const chunk: Uint8Array | null = this.#closed ? null : this.native.read();
      if (chunk === null) break;
      // A socket that is not paused has told of it.
      if (this.#paused) this.#hand(chunk);
    }
    this.#gone();
  }

  #gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.unwritten = 0;
    if (this.#paused) cancelDeadline(this, LOOK_SECONDS);
    this.sink.closed();
  }

  setNoDelay(on: boolean): void {
    // A stream that is no socket, as one within a tunnel, has none.
    this.native.setNoDelay?.(on);
  }
}
