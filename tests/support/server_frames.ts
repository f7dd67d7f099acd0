import { Buffer } from "node:buffer";

/** A frame as a server sends it. */
export interface SentFrame {
  readonly firstByte: number;
  readonly payload: Uint8Array;
}

/**
 * Takes a server's bytes apart by RFC 6455 §5.2, with nothing of what made them: throws unless they
 * are whole, unmasked frames whose lengths are in the fewest bytes.
 */
export function parseServerFrames(bytes: Uint8Array): SentFrame[] {
  const view = Buffer.from(bytes);
  const frames: SentFrame[] = [];
  for (let at = 0; at < view.length;) {
    const firstByte = view.readUInt8(at);
    const short = view.readUInt8(at + 1);
    if (short > 127) throw new Error(`The frame at ${at} is masked`);
    const size = short === 126 ? 2 : short === 127 ? 8 : 0;
    const length = size === 2
      ? view.readUInt16BE(at + 2)
      : size === 8
      ? Number(view.readBigUInt64BE(at + 2))
      : short;
    if ((size === 2 && length < 126) || (size === 8 && length < 65_536)) {
      throw new Error(`The frame at ${at} has its length ${length} in ${size} bytes`);
    }
    at += 2 + size;
    if (at + length > view.length) throw new Error("The last frame is not whole");
    frames.push({ firstByte, payload: new Uint8Array(view.subarray(at, at + length)) });
    at += length;
  }
  return frames;
}
