import type { NegotiatedExtension } from "./extension.ts";
import type { ProtocolError } from "./protocol_error.ts";

/**
 * What a receiver tells its listener. An error that the listener throws comes out of the call that handed the
 * bytes over, and the receiver has ended then: the rest of the bytes is lost.
 */
export interface ReceiverEvents {
  /** A whole text message. */
  onText(data: string): void;
  /** A whole binary message; the bytes are the listener's own. */
  onBinary(data: Uint8Array): void;
  /** A Ping frame; the bytes are the listener's own. */
  onPing(payload: Uint8Array): void;
  /** A Pong frame; the bytes are the listener's own. */
  onPong(payload: Uint8Array): void;
  /** The peer's Close frame; nothing follows. */
  onClose(code: number, reason: string): void;
  /** The peer broke a rule or a limit, or an extension threw (1011, with the cause); nothing follows. */
  onFailure(error: ProtocolError): void;
  /**
   * {@linkcode ReceiverOptions.framesPerTurn} frames have been handled, and more are here: the receiver
   * has paused and waits for `Receiver.resume`.
   */
  onTurnEnd?(): void;
}

/** The bounds of a receiver, and the extensions that it works with. */
export interface ReceiverOptions {
  /** The most bytes of a message, also after decompression. */
  maxMessageSize: number;
  /** The most frames that one message may come in. */
  maxFragments?: number;
  /** The most bytes set aside for a message before its bytes have come. */
  maxReserve?: number;
  /**
   * The most frames that are handled without a break, so that other connections can be served in between.
   * It needs {@linkcode ReceiverEvents.onTurnEnd}. Default no limit.
   */
  framesPerTurn?: number;
  /**
   * Whether binary messages of up to 1 KiB that came in one read may be views of one buffer of at most
   * 4 KiB, which is faster where buffers are slow to make. Such a message can be kept and changed; to
   * transfer its buffer, make a copy with `slice()` first. A binary message that comes in pieces, of 512 KiB
   * to 1 MiB, is put together in a buffer that is used again, and copied. Default false.
   */
  shareBuffers?: boolean;
  /**
   * Whether chunks are given away when they are pushed. Then a binary message of at least 4 KiB that ends its
   * chunk and fills half of the chunk's buffer or more is a view of it, so that the message's `buffer` is
   * larger than the message; and other large chunks are detached when they have been parsed. Default false.
   */
  ownsChunks?: boolean;
  /** Whether the bytes come from a server, whose frames must not be masked. Default false. */
  fromServer?: boolean;
  /** The extensions agreed on in the opening handshake. */
  extensions?: readonly NegotiatedExtension[];
}
