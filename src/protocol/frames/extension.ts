/** One extension that a client offers, or that a server accepted (RFC 6455 §9.1). */
export interface ExtensionOffer {
  /** The registered name, such as "permessage-deflate". */
  name: string;
  /** Each parameter with its value, undefined where it has none, in the order given. */
  parameters: [name: string, value: string | undefined][];
}

/**
 * An extension that a server can grant, and a client ask for (RFC 6455 §9). It works on whole messages: fragments are put
 * together before {@linkcode ExtensionSession.decode}, and control frames are left alone.
 *
 * @example An extension that reverses every message whose RSV2 bit is set
 * ```ts
 * import { type Extension, RSV2 } from "@duet/websocket/protocol";
 *
 * const reverse: Extension = {
 *   name: "x-reverse",
 *   negotiate: () => ({
 *     rsv: RSV2,
 *     parameters: [],
 *     decode: (payload) => payload.reverse(),
 *     encode: (payload) => payload.slice().reverse(),
 *   }),
 * };
 * console.assert(reverse.negotiate([]) !== undefined);
 * ```
 */
export interface Extension {
  /** The name by which clients offer it: a token. */
  readonly name: string;
  /**
   * Chooses among a client's offers.
   *
   * @param offers The offers that have this name, most wanted first; at least one.
   * @returns What does the work for this connection, or undefined to decline them all. What it throws
   * refuses the handshake with status 500.
   */
  negotiate(offers: readonly ExtensionOffer[]): ExtensionSession | undefined;
  /**
   * Gives what a client offers: an extension without it is for servers only.
   *
   * @returns The offers, most wanted first; they have this name.
   */
  offer?(): readonly ExtensionOffer[];
  /**
   * Takes a server's answer to {@linkcode Extension.offer}.
   *
   * @param answer What the server has accepted.
   * @returns What does the work for this connection. What it throws fails the opening handshake, as it must
   * where the answer does not match the offer.
   */
  accept?(answer: ExtensionOffer): ExtensionSession;
}

/** An extension at work on one connection. */
export interface ExtensionSession {
  /** The one reserved bit that marks the messages that it changed: `RSV1`, `RSV2` or `RSV3`. */
  readonly rsv: number;
  /** The parameters that the server answers with. */
  readonly parameters: readonly [name: string, value: string | undefined][];
  /**
   * Restores a message that came with the bit set. What it throws fails the connection: with its own
   * close code when it is a `ProtocolError`, with 1011 otherwise.
   *
   * @param payload The whole message as it came; may be changed in place.
   * @param maxSize The most bytes that the result may have; enforce it while decoding.
   * @returns The message as it was before the peer's extension changed it.
   * @throws {ProtocolError} When the message cannot be restored (1007, 1002) or is too big (1009).
   */
  decode(payload: Uint8Array, maxSize: number): Uint8Array;
  /**
   * Changes a message that is to be sent. What it throws fails the connection with 1011; nothing of the
   * message is sent.
   *
   * @param payload The message. It belongs to the caller and must not be changed.
   * @returns The changed message, to be sent with the bit set, or undefined to send it as it is.
   */
  encode(payload: Uint8Array): Uint8Array | undefined;
  /** Frees what the session holds; called once, when the connection has ended. */
  close?(): void;
}

/** An extension that both sides agreed on. */
export interface NegotiatedExtension {
  /** Its name. */
  readonly name: string;
  /** What does the work. */
  readonly session: ExtensionSession;
}
