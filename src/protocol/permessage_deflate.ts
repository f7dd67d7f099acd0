import { constants, deflateRawSync, inflateRawSync, type ZlibOptions } from "node:zlib";
import { CloseCode } from "./close.ts";
import type { Extension, ExtensionSession } from "./extension.ts";
import { RSV1 } from "./frame.ts";
import type { ExtensionOffer } from "./negotiation.ts";
import { ProtocolError } from "./protocol_error.ts";

/** How {@linkcode permessageDeflate} compresses and what it asks of clients (RFC 7692 §7). */
export interface PermessageDeflateOptions {
  /**
   * Whether a message may refer to those before it: better ratios, at up to 64 KiB of memory a
   * connection. Default false.
   */
  contextTakeover?: boolean;
  /** The largest LZ77 window that we compress with, as a power of two: 8 to 15. Default 15. */
  serverMaxWindowBits?: number;
  /**
   * The largest LZ77 window that clients may compress with, as a power of two: 8 to 15. Default 15.
   * Below 15, offers that do not let the server set it are declined.
   */
  clientMaxWindowBits?: number;
  /** How hard zlib tries, from 1 (fast) to 9 (small). Default 6. */
  level?: number;
}

/** What follows the last byte of a message on its way through DEFLATE (RFC 7692 §7.2.1, §7.2.2). */
const TAIL = Uint8Array.of(0x00, 0x00, 0xff, 0xff);
/** A stored block takes 65,535 bytes, so a history of 32 KiB fits in one. */
const STORED_BLOCK_HEADER = 5;
/** How often a message may end its DEFLATE stream and begin another: more is only ever an attack. */
const MAX_STREAMS = 8;

/**
 * The extension permessage-deflate (RFC 7692).
 *
 * @param options How to compress and what to ask of clients.
 * @returns The extension, to be given to a server's `extensions`.
 * @throws {RangeError} When an option is out of its range.
 *
 * @example
 * ```ts
 * import { permessageDeflate } from "@duet/websocket/protocol";
 *
 * const extension = permessageDeflate({ contextTakeover: true });
 * const session = extension.negotiate([{ name: "permessage-deflate", parameters: [] }])!;
 * const message = new TextEncoder().encode("again and again and again and again");
 * const compressed = session.encode(message)!;
 * console.assert(compressed.length < message.length);
 * ```
 */
export function permessageDeflate(options: PermessageDeflateOptions = {}): PermessageDeflate {
  return new PermessageDeflate(options);
}

/** The extension that {@linkcode permessageDeflate} makes. */
export class PermessageDeflate implements Extension {
  /** Its registered name. */
  readonly name = "permessage-deflate";
  /** The options, with their defaults filled in. */
  readonly options: Readonly<Required<PermessageDeflateOptions>>;

  /**
   * Makes the extension.
   *
   * @param options How to compress and what to ask of clients.
   * @throws {RangeError} When an option is out of its range.
   */
  constructor(options: PermessageDeflateOptions = {}) {
    this.options = {
      contextTakeover: options.contextTakeover ?? false,
      serverMaxWindowBits: checkRange(
        "serverMaxWindowBits",
        options.serverMaxWindowBits ?? 15,
        8,
        15,
      ),
      clientMaxWindowBits: checkRange(
        "clientMaxWindowBits",
        options.clientMaxWindowBits ?? 15,
        8,
        15,
      ),
      level: checkRange("level", options.level ?? 6, 1, 9),
    };
  }

  /**
   * Takes the first offer that it can serve (RFC 7692 §5.1, §7.1).
   *
   * @param offers A client's offers.
   * @returns The session, or undefined when none can be served.
   */
  negotiate(offers: readonly ExtensionOffer[]): ExtensionSession | undefined {
    for (const offer of offers) {
      const wanted = readParameters(offer);
      const session = wanted === undefined ? undefined : this.#accept(wanted);
      if (session !== undefined) return session;
    }
    return undefined;
  }

  #accept(wanted: DeflateParameters): ExtensionSession | undefined {
    const { options } = this;
    if (options.clientMaxWindowBits < 15 && wanted.clientMaxWindowBits === undefined) {
      return undefined;
    }
    const serverBits = Math.min(wanted.serverMaxWindowBits ?? 15, options.serverMaxWindowBits);
    const clientBits = Math.min(wanted.clientMaxWindowBits ?? 15, options.clientMaxWindowBits);
    const serverTakeover = options.contextTakeover && !wanted.serverNoContextTakeover &&
      serverBits > 8 && dictionaryIsHonored();
    const clientTakeover = options.contextTakeover && !wanted.clientNoContextTakeover;
    const parameters: [string, string | undefined][] = [];
    if (!serverTakeover) parameters.push(["server_no_context_takeover", undefined]);
    if (!clientTakeover) parameters.push(["client_no_context_takeover", undefined]);
    if (wanted.serverMaxWindowBits !== undefined || serverBits < 15) {
      parameters.push(["server_max_window_bits", String(serverBits)]);
    }
    if (wanted.clientMaxWindowBits !== undefined && clientBits < 15) {
      parameters.push(["client_max_window_bits", String(clientBits)]);
    }
    return new DeflateSession(
      parameters,
      new Deflater(serverBits, options.level, serverTakeover),
      new Inflater(clientBits, clientTakeover),
    );
  }
}

function checkRange(name: string, value: number, low: number, high: number): number {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(
      `Cannot use ${name} ${value}: it takes a whole number from ${low} to ${high}`,
    );
  }
  return value;
}

/** The parameters of one offer (RFC 7692 §7.1). */
interface DeflateParameters {
  serverNoContextTakeover: boolean;
  clientNoContextTakeover: boolean;
  serverMaxWindowBits: number | undefined;
  clientMaxWindowBits: number | undefined;
}

/** Reads an offer; undefined when RFC 7692 §7.1 says to decline it. */
function readParameters(offer: ExtensionOffer): DeflateParameters | undefined {
  const seen = new Map(offer.parameters);
  if (seen.size !== offer.parameters.length) return undefined;
  const wanted: DeflateParameters = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: undefined,
    clientMaxWindowBits: undefined,
  };
  for (const [name, value] of seen) {
    const bits = value !== undefined && /^(?:[89]|1[0-5])$/.test(value) ? Number(value) : undefined;
    if (name === "server_no_context_takeover" && value === undefined) {
      wanted.serverNoContextTakeover = true;
    } else if (name === "client_no_context_takeover" && value === undefined) {
      wanted.clientNoContextTakeover = true;
    } else if (name === "server_max_window_bits" && bits !== undefined) {
      wanted.serverMaxWindowBits = bits;
    } else if (name === "client_max_window_bits" && (value === undefined || bits !== undefined)) {
      wanted.clientMaxWindowBits = bits ?? 15;
    } else {
      return undefined;
    }
  }
  return wanted;
}

class DeflateSession implements ExtensionSession {
  readonly rsv = RSV1;

  constructor(
    readonly parameters: readonly [name: string, value: string | undefined][],
    readonly deflater: Deflater,
    readonly inflater: Inflater,
  ) {}

  encode(payload: Uint8Array): Uint8Array | undefined {
    return this.deflater.deflate(payload);
  }

  decode(payload: Uint8Array, maxSize: number): Uint8Array {
    return this.inflater.inflate(payload, maxSize);
  }
}

/**
 * The last bytes that went through, which the next message may refer to. Keeping them instead of a
 * zlib stream lets every message be worked on in one synchronous call, and takes less memory.
 */
class History {
  bytes: Uint8Array = new Uint8Array(0);
  readonly #size: number;

  constructor(windowBits: number) {
    this.#size = 1 << windowBits;
  }

  add(message: Uint8Array): void {
    if (message.length >= this.#size) {
      // Not slice(), which shares memory where the message is the user's Buffer.
      this.bytes = new Uint8Array(message.subarray(message.length - this.#size));
      return;
    }
    const kept = this.bytes.subarray(Math.max(0, this.bytes.length + message.length - this.#size));
    const joined = new Uint8Array(kept.length + message.length);
    joined.set(kept);
    joined.set(message, kept.length);
    this.bytes = joined;
  }
}

class Deflater {
  readonly #history: History | null;
  readonly #options: ZlibOptions;
  readonly #maxLength: number;

  constructor(windowBits: number, level: number, takeover: boolean) {
    this.#history = takeover ? new History(windowBits) : null;
    // zlib has no raw window of 256 bytes and uses one of 512; in a message of at most 256 bytes
    // no reference can reach further than the peer's window either way.
    this.#maxLength = windowBits === 8 ? 256 : Infinity;
    this.#options = {
      windowBits: Math.max(windowBits, 9),
      level,
      finishFlush: constants.Z_SYNC_FLUSH,
    };
  }

  deflate(payload: Uint8Array): Uint8Array | undefined {
    if (payload.length > this.#maxLength) return undefined;
    const dictionary = this.#history?.bytes;
    const options = dictionary !== undefined && dictionary.length > 0
      ? { ...this.#options, dictionary }
      : this.#options;
    const flushed = deflateRawSync(payload, options);
    if (flushed.length - TAIL.length >= payload.length) return undefined;
    this.#history?.add(payload);
    return flushed.subarray(0, flushed.length - TAIL.length);
  }
}

class Inflater {
  readonly #history: History | null;

  constructor(windowBits: number, takeover: boolean) {
    this.#history = takeover ? new History(windowBits) : null;
  }

  inflate(payload: Uint8Array, maxSize: number): Uint8Array {
    let message = inflateStream(payload, this.#history?.bytes, maxSize);
    let { output } = message;
    // RFC 7692 §7.2.3.5: a block with BFINAL set ends the stream, but not the message.
    for (let streams = 1; message.rest.length > TAIL.length; streams++) {
      if (streams > MAX_STREAMS) throw corrupt(`it has over ${MAX_STREAMS} final blocks`);
      message = inflateStream(
        message.rest.subarray(0, -TAIL.length),
        output,
        maxSize - output.length,
      );
      const joined = new Uint8Array(output.length + message.output.length);
      joined.set(output);
      joined.set(message.output, output.length);
      output = joined;
    }
    this.#history?.add(output);
    return output;
  }
}

/** Inflates up to the end of the payload or of a final block; `rest` is what is left, tail included. */
function inflateStream(
  payload: Uint8Array,
  history: Uint8Array | undefined,
  maxSize: number,
): { output: Uint8Array; rest: Uint8Array } {
  const known = history?.subarray(-0x8000) ?? new Uint8Array(0);
  const prefix = known.length > 0 ? STORED_BLOCK_HEADER + known.length : 0;
  const input = new Uint8Array(prefix + payload.length + TAIL.length);
  if (prefix > 0) {
    // Not every runtime's zlib takes a dictionary; a stored block in front does the same.
    const { length } = known;
    input.set([0, length, length >>> 8, ~length, ~length >>> 8]);
    input.set(known, STORED_BLOCK_HEADER);
  }
  input.set(payload, prefix);
  input.set(TAIL, prefix + payload.length);
  let result: { buffer: Uint8Array; engine: { bytesWritten: number } };
  try {
    result = inflateRawSync(input, {
      finishFlush: constants.Z_SYNC_FLUSH,
      // zlib must not stop short of the last byte that is allowed, and takes no limit below 1.
      maxOutputLength: Math.max(1, known.length + maxSize),
      info: true,
    }) as unknown as typeof result;
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") throw tooBig(maxSize);
    throw corrupt((error as Error).message);
  }
  const { buffer } = result;
  if (buffer.length - known.length > maxSize) throw tooBig(maxSize);
  return {
    // A copy where there is more in the buffer, which the message must not keep in memory: a history
    // in front, or what zlib has set aside and not filled.
    output: buffer.length - known.length < buffer.buffer.byteLength
      ? new Uint8Array(buffer.subarray(known.length))
      : new Uint8Array(buffer.buffer),
    rest: input.subarray(result.engine.bytesWritten),
  };
}

function tooBig(maxSize: number): ProtocolError {
  return new ProtocolError(
    CloseCode.MESSAGE_TOO_BIG,
    `Cannot take a message that inflates to over ${maxSize} bytes`,
    "maxRecvSize",
  );
}

function corrupt(why: string): ProtocolError {
  return new ProtocolError(
    CloseCode.INVALID_PAYLOAD,
    `Cannot inflate a message: ${why}`,
    "RFC 7692 §7.2.2",
  );
}

let honored: boolean | undefined;

/** Whether this runtime's raw deflate uses a dictionary; one that does not ignores the option. */
function dictionaryIsHonored(): boolean {
  if (honored === undefined) {
    const sample = Uint8Array.from({ length: 64 }, (_, i) => (i * 89) & 0xff);
    honored = deflateRawSync(sample, { dictionary: sample }).length < sample.length / 2;
  }
  return honored;
}
