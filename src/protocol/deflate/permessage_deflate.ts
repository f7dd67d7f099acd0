import type { Extension, ExtensionOffer, ExtensionSession } from "../frames/extension.ts";
import { extensionMismatch } from "../frames/extension_calls.ts";
import { RSV1 } from "../frames/frame.ts";
import type { ProtocolError } from "../frames/protocol_error.ts";
import { SharingSession } from "../frames/sharing_session.ts";
import { DEFAULT_LEVEL, MessageDeflater } from "./message_deflater.ts";
import { MessageInflater } from "./message_inflater.ts";

/** How {@linkcode permessageDeflate} compresses and what it asks of the peer (RFC 7692 §7). */
export interface PermessageDeflateOptions {
  /**
   * Whether a message may refer to earlier ones: messages become smaller, at up to 104 KiB of memory a
   * connection. Default false.
   */
  contextTakeover?: boolean | undefined;
  /** The largest LZ77 window that the server compresses with, as a power of two: 8 to 15. Default 15. */
  serverMaxWindowBits?: number | undefined;
  /**
   * The largest LZ77 window that clients may compress with, as a power of two: 8 to 15. Default 15.
   * Below 15, offers that do not let the server set it are declined.
   */
  clientMaxWindowBits?: number | undefined;
  /**
   * How hard to try to make a message small, from 1 (fast) to 9 (small). Default 3. At 6, JSON of 1 KiB
   * becomes 1 % smaller and JSON of 64 KiB 5 to 12 %, in twice the time. With context takeover, or with a
   * window of 256 bytes, messages become about as small as at 3, whatever the level.
   */
  level?: number | undefined;
}

/**
 * The extension permessage-deflate (RFC 7692).
 *
 * @param options How to compress and what to ask of clients.
 * @returns The extension, to be given to a server's `extensions`.
 * @throws {RangeError} When an option is out of its range.
 * @throws {TypeError} When an option is unknown, or `contextTakeover` is no boolean. Both errors have the
 * `code` "ERR_INVALID_ARGUMENT".
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
  readonly options: {
    readonly [Name in keyof PermessageDeflateOptions]-?: NonNullable<
      PermessageDeflateOptions[Name]
    >;
  };

  /**
   * Makes the extension.
   *
   * @param options How to compress and what to ask of clients.
   * @throws {RangeError} When an option is out of its range.
   * @throws {TypeError} When an option is unknown, or `contextTakeover` is no boolean.
   */
  constructor(options: PermessageDeflateOptions = {}) {
    checkNames(options);
    const {
      contextTakeover = false,
      serverMaxWindowBits = 15,
      clientMaxWindowBits = 15,
      level = DEFAULT_LEVEL,
    } = options;
    if (typeof contextTakeover !== "boolean") {
      throw invalid(
        TypeError,
        `Cannot use contextTakeover ${String(contextTakeover)}: it takes a boolean`,
      );
    }
    this.options = {
      contextTakeover,
      serverMaxWindowBits: checkRange("serverMaxWindowBits", serverMaxWindowBits, 8, 15),
      clientMaxWindowBits: checkRange("clientMaxWindowBits", clientMaxWindowBits, 8, 15),
      level: checkRange("level", level, 1, 9),
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

  /**
   * Gives a client's offer (RFC 7692 §7.1): what we want of the server, and that it may choose the window
   * that we compress with.
   *
   * @returns One offer.
   */
  offer(): readonly ExtensionOffer[] {
    const { contextTakeover, serverMaxWindowBits, clientMaxWindowBits } = this.options;
    const parameters: [string, string | undefined][] = [];
    if (!contextTakeover) {
      parameters.push(["server_no_context_takeover", undefined]);
      parameters.push(["client_no_context_takeover", undefined]);
    }
    if (serverMaxWindowBits < 15) {
      parameters.push(["server_max_window_bits", String(serverMaxWindowBits)]);
    }
    parameters.push([
      "client_max_window_bits",
      clientMaxWindowBits < 15 ? String(clientMaxWindowBits) : undefined,
    ]);
    return [{ name: this.name, parameters }];
  }

  /**
   * Takes a server's answer to the offer (RFC 7692 §7.1).
   *
   * @param answer The answer.
   * @returns The session of a client.
   * @throws {ProtocolError} 1010 when the answer has a parameter that is unknown, invalid or larger than was
   * offered, or lacks one that the server had to accept.
   */
  accept(answer: ExtensionOffer): ExtensionSession {
    const { options } = this;
    const granted = readParameters(answer);
    const withoutValue = answer.parameters.some(([name, value]) =>
      name === "client_max_window_bits" && value === undefined
    );
    if (granted === undefined || withoutValue) {
      throw this.#mismatch("a parameter of it is unknown or invalid, or comes twice");
    }
    const { serverMaxWindowBits: serverBits = 15, clientMaxWindowBits: clientBits = 15 } = granted;
    if (serverBits > options.serverMaxWindowBits) {
      throw this.#mismatch("its server_max_window_bits is larger than was offered");
    }
    if (!options.contextTakeover && !granted.serverNoContextTakeover) {
      throw this.#mismatch("it lacks server_no_context_takeover, which was offered");
    }
    const takeover = options.contextTakeover && !granted.clientNoContextTakeover;
    return new DeflateSession(
      answer.parameters,
      new MessageDeflater(
        Math.min(clientBits, options.clientMaxWindowBits),
        options.level,
        takeover,
      ),
      new MessageInflater(serverBits, !granted.serverNoContextTakeover),
    );
  }

  #mismatch(why: string): ProtocolError {
    return extensionMismatch(this.name, why, "RFC 7692 §7.1");
  }

  #accept(wanted: DeflateParameters): ExtensionSession | undefined {
    const { options } = this;
    if (options.clientMaxWindowBits < 15 && wanted.clientMaxWindowBits === undefined) {
      return undefined;
    }
    const serverBits = Math.min(wanted.serverMaxWindowBits ?? 15, options.serverMaxWindowBits);
    const clientBits = Math.min(wanted.clientMaxWindowBits ?? 15, options.clientMaxWindowBits);
    const serverTakeover = options.contextTakeover && !wanted.serverNoContextTakeover;
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
      new MessageDeflater(serverBits, options.level, serverTakeover),
      new MessageInflater(clientBits, clientTakeover),
    );
  }
}

const NAMES = ["contextTakeover", "serverMaxWindowBits", "clientMaxWindowBits", "level"];

/** An option that is misspelled would be ignored otherwise. */
function checkNames(options: object): void {
  if (!/^\[object (?:Object|Module)\]$/.test(Object.prototype.toString.call(options))) {
    throw invalid(
      TypeError,
      `Cannot use a ${typeof options} for permessageDeflate: give a plain object`,
    );
  }
  // Inherited ones too, which count as well.
  for (const name in options) {
    if (NAMES.includes(name)) continue;
    throw invalid(
      TypeError,
      `Cannot use option ${
        JSON.stringify(name)
      } of permessageDeflate: there is none of this name; ` +
        `use ${NAMES.join(", ")}`,
    );
  }
}

function checkRange(name: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw invalid(
    RangeError,
    `Cannot use ${name} ${String(value)}: it takes a whole number from ${low} to ${high}`,
  );
}

/** Makes the error for an invalid argument, with the same code as the server's errors. */
function invalid(kind: new (message: string) => Error, message: string): Error {
  return Object.assign(new kind(message), { code: "ERR_INVALID_ARGUMENT" });
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

class DeflateSession extends SharingSession {
  readonly rsv = RSV1;
  readonly parameters: readonly [name: string, value: string | undefined][];
  readonly deflater: MessageDeflater;
  readonly inflater: MessageInflater;

  constructor(
    parameters: readonly [name: string, value: string | undefined][],
    deflater: MessageDeflater,
    inflater: MessageInflater,
  ) {
    super();
    this.parameters = parameters;
    this.deflater = deflater;
    this.inflater = inflater;
  }

  get shareKey(): number {
    return this.deflater.key;
  }

  encode(payload: Uint8Array): Uint8Array | undefined {
    return this.deflater.deflate(payload);
  }

  encodeShared(payload: Uint8Array): Uint8Array | undefined {
    return this.deflater.deflateAlone(payload);
  }

  sharedSent(payload: Uint8Array): void {
    // The peer's window has it, though this deflater has not compressed it.
    this.deflater.skip(payload);
  }

  decode(payload: Uint8Array, maxSize: number): Uint8Array {
    return this.inflater.inflate(payload, maxSize);
  }
}
