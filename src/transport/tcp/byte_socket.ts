import type { Peer } from "../transport.ts";

/** One accepted TCP or TLS socket, reduced to what the protocol core needs of it. */
export interface ByteSocket extends Peer {
  /** Told of what happens; may be replaced. */
  sink: ByteSink;
  /** Whether this runtime makes typed arrays so slowly that small messages should share one. */
  readonly sharesBuffers: boolean;
  /** Whether chunks of over 4 KiB are the sink's for good: nobody else has their memory. */
  readonly givesChunks: boolean;
  /** How many bytes of the last write have not been taken by the operating system. */
  readonly unwritten: number;
  /**
   * Writes. When it returns true, the bytes have been taken and may be changed; when false, they
   * must be left alone, and nothing else written, until {@linkcode ByteSink.written}. It works until
   * {@linkcode ByteSocket.end}, also when the peer has ended its half.
   */
  write(bytes: Uint8Array): boolean;
  /**
   * Reads on after {@linkcode ByteSink.data} has returned false, but not from inside of that call. The
   * next bytes, and the end, may come before it returns.
   */
  resume(): void;
  /**
   * Ends our half of the stream: what has been written still arrives. Everything must have been written.
   * What comes is still read, since a close with unread bytes would reset the connection, and the socket
   * closes once the peer has ended its half too. How long that may take is up to the caller, who calls
   * {@linkcode ByteSocket.destroy}.
   */
  end(): void;
  /** Closes at once, whatever has not been written or read; tells the sink that it is gone. */
  destroy(): void;
  setNoDelay(on: boolean): void;
}

/** Who listens to a {@linkcode ByteSocket}. None of these may throw. */
export interface ByteSink {
  /**
   * Bytes have come. They belong to the sink until it returns true or, after it has returned false,
   * until it calls {@linkcode ByteSocket.resume}; no more come until then, with one exception. When the
   * socket is lost meanwhile, what had come before that follows at once, and then
   * {@linkcode ByteSink.closed}: bytes for which the sink returns false then are its own for ever.
   */
  data(chunk: Uint8Array): boolean;
  /** The write that returned false is done. */
  written(): void;
  /**
   * The peer will send nothing more; it may still be written to. This comes after all bytes, once the
   * sink is done with them, and not when we have ended our half: then the socket closes.
   */
  end(): void;
  /** The socket is gone. This comes once, and nothing follows. */
  closed(): void;
}
