import { once } from "node:events";
import { constants, createDeflateRaw, createInflateRaw } from "node:zlib";
import type { Transform } from "node:stream";
import { concat } from "./client_frame.ts";

/** What both sides agreed on, as the client sees it. */
export interface PeerOptions {
  /** Whether the server's messages refer to earlier ones. */
  serverTakeover?: boolean;
  /** Whether the client's messages refer to earlier ones. */
  clientTakeover?: boolean;
  serverBits?: number;
  clientBits?: number;
}

const TAIL = Uint8Array.of(0x00, 0x00, 0xff, 0xff);

/** The flushing streams of `node:zlib`. */
type Flushing = Transform & { flush(kind: number, flushed: () => void): void };

/**
 * The client's side of permessage-deflate (RFC 7692 §7.2), made of zlib's streams and of nothing
 * that the server's side is made of.
 */
export class DeflatePeer {
  readonly #options: Required<PeerOptions>;
  #deflate: Flushing | undefined;
  #inflate: Flushing | undefined;

  constructor(options: PeerOptions = {}) {
    this.#options = {
      serverTakeover: false,
      clientTakeover: false,
      serverBits: 15,
      clientBits: 15,
      ...options,
    };
  }

  /** Compresses a message, as §7.2.1 says. */
  async compress(message: Uint8Array): Promise<Uint8Array> {
    const { clientBits, clientTakeover } = this.#options;
    this.#deflate ??= createDeflateRaw({ windowBits: clientBits }) as unknown as Flushing;
    const flushed = await through(this.#deflate, message);
    if (!clientTakeover) this.#deflate = void this.#deflate.destroy();
    // zlib has nothing to flush for an empty message behind another: §7.2.3.6 has the byte for it.
    return flushed.length === 0 ? Uint8Array.of(0) : flushed.subarray(0, -TAIL.length);
  }

  /** Decompresses a message, as §7.2.2 says. */
  async decompress(payload: Uint8Array): Promise<Uint8Array> {
    const { serverBits, serverTakeover } = this.#options;
    this.#inflate ??= createInflateRaw({ windowBits: serverBits }) as unknown as Flushing;
    const message = await through(this.#inflate, concat(payload, TAIL));
    if (!serverTakeover) this.#inflate = void this.#inflate.destroy();
    return message;
  }

  [Symbol.dispose](): void {
    this.#deflate?.destroy();
    this.#inflate?.destroy();
  }
}

/** Sends bytes through a stream up to a flush. */
async function through(stream: Flushing, data: Uint8Array): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const collect = (piece: Uint8Array) => void pieces.push(piece);
  stream.on("data", collect);
  const failed = new AbortController();
  const failure = once(stream, "error", { signal: failed.signal }).then(([error]) => {
    throw error;
  });
  const flushed = new Promise<void>((resolve) => {
    stream.write(data);
    stream.flush(constants.Z_SYNC_FLUSH, resolve);
  });
  try {
    await Promise.race([flushed, failure]);
  } finally {
    failure.catch(() => {});
    failed.abort();
    stream.off("data", collect);
  }
  return concat(...pieces);
}
