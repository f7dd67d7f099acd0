import type { ExtensionOffer } from "../opening/negotiation.ts";

/**
 * An extension that a server can grant (RFC 6455 §9). It works on whole messages: fragments are put
 * together before {@linkcode ExtensionSession.decode} and control frames never pass through it.
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
   * @returns What does the work for this connection, or undefined to decline them all.
   */
  negotiate(offers: readonly ExtensionOffer[]): ExtensionSession | undefined;
}

/** An extension at work on one connection. */
export interface ExtensionSession {
  /** The one reserved bit that marks the messages that it changed: `RSV1`, `RSV2` or `RSV3`. */
  readonly rsv: number;
  /** The parameters that the server answers with. */
  readonly parameters: readonly [name: string, value: string | undefined][];
  /**
   * Restores a message that came with the bit set.
   *
   * @param payload The whole message as it came; may be changed in place.
   * @param maxSize The most bytes that the result may have; enforce it while decoding.
   * @returns The message as it was before the peer's extension changed it.
   * @throws {ProtocolError} When it cannot be restored (1007, 1002) or is too big (1009).
   */
  decode(payload: Uint8Array, maxSize: number): Uint8Array;
  /**
   * Changes a message that is to be sent.
   *
   * @param payload The message; not to be changed, since it is the caller's.
   * @returns The changed message, to be sent with the bit set, or undefined to send it as it is.
   */
  encode(payload: Uint8Array): Uint8Array | undefined;
  /** Frees what it holds; called once, when the connection has ended. */
  close?(): void;
}

/** An extension that was agreed on, with the session that does its work. */
export interface NegotiatedExtension {
  /** Its name. */
  readonly name: string;
  /** What does the work. */
  readonly session: ExtensionSession;
}

/**
 * Settles which extensions a connection uses: of ours, in our order, those that a client offers and
 * that accept one of its offers.
 *
 * @param extensions Ours, most wanted first.
 * @param offers The client's.
 * @returns Those agreed on.
 * @throws {TypeError} When a session claims none or several of the reserved bits, or one that is
 * taken: two extensions cannot share one.
 *
 * @example
 * ```ts
 * import { negotiateExtensions, parseExtensions, permessageDeflate } from "@duet/websocket/protocol";
 *
 * const agreed = negotiateExtensions([permessageDeflate()], parseExtensions("permessage-deflate"));
 * console.assert(agreed[0].name === "permessage-deflate");
 * ```
 */
export function negotiateExtensions(
  extensions: readonly Extension[],
  offers: readonly ExtensionOffer[],
): NegotiatedExtension[] {
  const agreed: NegotiatedExtension[] = [];
  let taken = 0;
  for (const extension of extensions) {
    const own = offers.filter((offer) => offer.name === extension.name);
    const session = own.length === 0 ? undefined : extension.negotiate(own);
    if (session === undefined) continue;
    const { rsv } = session;
    if ((rsv !== 0x40 && rsv !== 0x20 && rsv !== 0x10) || (taken & rsv) !== 0) {
      throw new TypeError(
        `Cannot use extension "${extension.name}": its rsv must be RSV1, RSV2 or RSV3, and no other extension's`,
      );
    }
    taken |= rsv;
    agreed.push({ name: extension.name, session });
  }
  return agreed;
}
