import type { ExtensionSession } from "./extension.ts";

/**
 * A session that can also change a message once for many connections: for all whose sessions have the same
 * key. Such a message refers to no other (RFC 7692 §7.2.1 leaves that to the sender), so it fits whatever
 * was sent on a connection before. The sessions of permessage-deflate do this.
 *
 * @example
 * ```ts
 * import { permessageDeflate, SharingSession } from "@duet/websocket/protocol";
 *
 * const session = permessageDeflate().negotiate([{ name: "permessage-deflate", parameters: [] }]);
 * console.assert(session instanceof SharingSession);
 * ```
 */
export abstract class SharingSession implements ExtensionSession {
  /** The one reserved bit that marks the messages that it changed. */
  abstract readonly rsv: number;
  /** The parameters that the server answers with. */
  abstract readonly parameters: readonly [name: string, value: string | undefined][];
  /** Sessions with the same key change a shared message in the same way. */
  abstract readonly shareKey: number;

  /**
   * Changes a message of this connection alone, as `ExtensionSession.encode` says.
   *
   * @param payload The message.
   * @returns The changed message, or undefined to send it as it is.
   */
  abstract encode(payload: Uint8Array): Uint8Array | undefined;

  /**
   * Restores a message that came with the bit set, as `ExtensionSession.decode` says.
   *
   * @param payload The message as it came.
   * @param maxSize The most bytes that the result may have.
   * @returns The message as it was before.
   */
  abstract decode(payload: Uint8Array, maxSize: number): Uint8Array;

  /**
   * Changes a message for all connections with this session's key. Leaves the session as it is.
   *
   * @param payload The message.
   * @returns The changed message, or undefined where it is to be sent as it is.
   */
  abstract encodeShared(payload: Uint8Array): Uint8Array | undefined;

  /**
   * Takes note that a message changed by `encodeShared` goes to this session's peer, whose window then
   * ends with it.
   *
   * @param payload The message before it was changed.
   */
  abstract sharedSent(payload: Uint8Array): void;
}
