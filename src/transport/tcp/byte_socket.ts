import type { Peer } from "../transport.ts";

/** One accepted TCP or TLS socket, reduced to what the protocol core needs of it. */
export interface ByteSocket extends Peer {
  /** Told of what happens; may be replaced. */
  sink: ByteSink;
  /** Whether this runtime makes typed arrays so slowly that small messages should share one. */
  readonly sharesBuffers: boolean;
  /** How many bytes of the last write have not been taken by the operating system. */
  readonly unwritten: number;
  /**
   * Writes. When it returns true, the bytes have been taken and may be changed; when false, they
   * must be left alone, and nothing else written, until {@linkcode ByteSink.written}.
   */
  write(bytes: Uint8Array): boolean;
  /** Reads on after {@linkcode ByteSink.data} has returned false. */
  resume(): void;
  /** Closes; what has been written still arrives. Everything must have been written. */
  end(): void;
  /** Says that nothing more will be written; what comes is still read. */
  closeWrite(): void;
  setNoDelay(on: boolean): void;
}

/** Who listens to a {@linkcode ByteSocket}. None of these may throw. */
export interface ByteSink {
  /**
   * Bytes have come. They belong to the sink until it returns true or, after it has returned false,
   * until it calls {@linkcode ByteSocket.resume}; no more are read until then.
   */
  data(chunk: Uint8Array): boolean;
  /** The write that returned false is done. */
  written(): void;
  /** The peer will send nothing more. */
  end(): void;
  /** The socket is gone; nothing follows. */
  closed(): void;
}
