import { constants, deflateRawSync } from "node:zlib";
import {
  type ExtensionSession,
  type NegotiatedExtension,
  parseExtensions,
  permessageDeflate,
  type PermessageDeflateOptions,
} from "../../src/protocol/mod.ts";

/** What our side makes of an offer, whose parameters are given as they stand behind the name. */
export function agree(offer = "", options: PermessageDeflateOptions = {}): ExtensionSession {
  const offers = parseExtensions(`permessage-deflate${offer}`);
  const session = permessageDeflate(options).negotiate(offers);
  if (session === undefined) throw new Error(`The offer was declined: ${offer}`);
  return session;
}

/** The session as a sender or receiver takes it. */
export function extensions(session: ExtensionSession = agree()): NegotiatedExtension[] {
  return [{ name: "permessage-deflate", session }];
}

/** Compresses one message as RFC 7692 §7.2.1 says, by zlib alone. */
export function squeeze(data: Uint8Array | string): Uint8Array {
  const flushed = deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH });
  return new Uint8Array(flushed.subarray(0, -4));
}

/** Bytes that do not compress, the same every time. */
export function noise(length: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => (state = (state * 48_271) % 0x7fffffff) >> 8);
}
