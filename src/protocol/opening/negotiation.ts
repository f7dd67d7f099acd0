import type { Extension, ExtensionOffer, NegotiatedExtension } from "../frames/extension.ts";
import { HttpError } from "./http_error.ts";
import { isToken } from "./token.ts";

/**
 * Reads a header field of comma-separated elements with parameters by the grammar of RFC 6455 §9.1.
 * It reads the text once from start to end, so that no input makes it slow.
 */
class Scanner {
  #at = 0;

  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  blanks(): void {
    while (this.text[this.#at] === " " || this.text[this.#at] === "\t") this.#at++;
  }

  get done(): boolean {
    return this.#at >= this.text.length;
  }

  accept(character: string): boolean {
    this.blanks();
    if (this.text[this.#at] !== character) return false;
    this.#at++;
    this.blanks();
    return true;
  }

  token(): string | undefined {
    const start = this.#at;
    while (this.#at < this.text.length && isToken(this.text, this.#at, this.#at + 1)) this.#at++;
    return this.#at > start ? this.text.slice(start, this.#at) : undefined;
  }

  /** A quoted string whose content, once unescaped, is a token, as RFC 6455 §9.1 demands. */
  quoted(): string | undefined {
    let value = "";
    for (this.#at++; this.text[this.#at] !== '"'; this.#at++) {
      if (this.text[this.#at] === "\\") this.#at++;
      if (this.done) return undefined;
      value += this.text[this.#at];
    }
    this.#at++;
    return isToken(value) ? value : undefined;
  }

  value(): string | undefined {
    return this.text[this.#at] === '"' ? this.quoted() : this.token();
  }
}

/**
 * Parses `Sec-WebSocket-Extensions`.
 *
 * @param field The field's value; repeated fields joined with commas.
 * @returns The offers in the client's order of preference.
 * @throws {HttpError} 400 when the field breaks the grammar of RFC 6455 §9.1.
 *
 * @example
 * ```ts
 * import { parseExtensions } from "@duet/websocket/protocol";
 *
 * const [offer] = parseExtensions('permessage-deflate; server_max_window_bits="10"');
 * console.assert(offer.name === "permessage-deflate");
 * console.assert(offer.parameters[0][1] === "10");
 * ```
 */
export function parseExtensions(field: string): ExtensionOffer[] {
  const scanner = new Scanner(field);
  const offers: ExtensionOffer[] = [];
  scanner.blanks();
  while (!scanner.done) {
    if (scanner.accept(",")) continue; // RFC 9110 §5.6.1: empty list elements are ignored.
    const name = scanner.token();
    if (name === undefined) throw malformed("Sec-WebSocket-Extensions");
    const offer: ExtensionOffer = { name, parameters: [] };
    while (scanner.accept(";")) {
      const parameter = scanner.token();
      if (parameter === undefined) throw malformed("Sec-WebSocket-Extensions");
      let value: string | undefined;
      if (scanner.accept("=")) {
        value = scanner.value();
        if (value === undefined) throw malformed("Sec-WebSocket-Extensions");
      }
      offer.parameters.push([parameter, value]);
    }
    offers.push(offer);
    if (!scanner.done && !scanner.accept(",")) throw malformed("Sec-WebSocket-Extensions");
  }
  return offers;
}

/**
 * Decides which extensions a connection uses: of ours, in our order, those that the client offers and
 * that accept one of its offers.
 *
 * @param extensions Ours, most wanted first.
 * @param offers The client's.
 * @returns The extensions agreed on.
 * @throws {TypeError} When a session claims no reserved bit, several, or one that another extension has.
 * What `negotiate` throws is passed on. The sessions made before are closed then.
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
  return agreeOn((agreed) => {
    for (const extension of extensions) {
      const own = offers.filter((offer) => offer.name === extension.name);
      const session = own.length === 0 ? undefined : extension.negotiate(own);
      if (session !== undefined) agreed.push({ name: extension.name, session });
    }
  });
}

/**
 * Agrees on extensions, or on none.
 *
 * @param agree Adds those that are agreed on; what it throws is passed on.
 * @returns The extensions.
 * @throws {TypeError} When a session claims no reserved bit, several, or one that another extension has. The
 * sessions are closed then.
 */
export function agreeOn(agree: (agreed: NegotiatedExtension[]) => void): NegotiatedExtension[] {
  const agreed: NegotiatedExtension[] = [];
  try {
    agree(agreed);
    checkBits(agreed);
  } catch (error) {
    closeSessions(agreed);
    throw error;
  }
  return agreed;
}

function checkBits(agreed: readonly NegotiatedExtension[]): void {
  for (const [i, { name, session: { rsv } }] of agreed.entries()) {
    const taken = agreed.slice(0, i).some((it) => it.session.rsv === rsv);
    if ((rsv !== 0x40 && rsv !== 0x20 && rsv !== 0x10) || taken) {
      throw new TypeError(
        `Cannot use extension "${name}": its rsv must be RSV1, RSV2 or RSV3, and no other extension's`,
      );
    }
  }
}

function closeSessions(agreed: readonly NegotiatedExtension[]): void {
  for (const { session } of agreed) {
    try {
      session.close?.();
    } catch {
      // The error that made them close is the one to tell.
    }
  }
}

/**
 * Writes one element of `Sec-WebSocket-Extensions`.
 *
 * @param extension The extension with its parameters.
 * @returns The text.
 * @throws {TypeError} When the name, or the name or value of a parameter, is not a token
 * (RFC 6455 §9.1).
 *
 * @example
 * ```ts
 * import { formatExtension } from "@duet/websocket/protocol";
 *
 * const text = formatExtension({ name: "x-zip", parameters: [["level", "3"], ["fast", undefined]] });
 * console.assert(text === "x-zip; level=3; fast");
 * ```
 */
export function formatExtension(extension: ExtensionOffer): string {
  return extension.parameters.reduce(
    (text, [name, value]) =>
      `${text}; ${checkToken(name)}${value === undefined ? "" : `=${checkToken(value)}`}`,
    checkToken(extension.name),
  );
}

function checkToken(text: string): string {
  if (typeof text === "string" && isToken(text)) return text;
  throw new TypeError(
    `Cannot put ${JSON.stringify(text)} into Sec-WebSocket-Extensions: use a token (RFC 6455 §9.1)`,
  );
}

/**
 * Parses `Sec-WebSocket-Protocol`.
 *
 * @param field The field's value; repeated fields joined with commas.
 * @returns The subprotocols in the client's order of preference.
 * @throws {HttpError} 400 when one is not a token or comes twice (RFC 6455 §4.1).
 *
 * @example
 * ```ts
 * import { parseSubprotocols } from "@duet/websocket/protocol";
 *
 * console.assert(parseSubprotocols("chat, superchat").length === 2);
 * ```
 */
export function parseSubprotocols(field: string): string[] {
  const subprotocols = field.split(",").map(trimBlanks).filter((it) => it !== "");
  const unique = new Set(subprotocols);
  if (unique.size !== subprotocols.length || !subprotocols.every((it) => isToken(it))) {
    throw malformed("Sec-WebSocket-Protocol");
  }
  return subprotocols;
}

/**
 * Tells whether a comma-separated header field has a certain token, whatever its case, as
 * `Connection` and `Upgrade` are read.
 *
 * @param field The field's value.
 * @param token The token in lower case.
 * @returns Whether it is there.
 *
 * @example
 * ```ts
 * import { hasToken } from "@duet/websocket/protocol";
 *
 * console.assert(hasToken("keep-alive, Upgrade", "upgrade"));
 * ```
 */
export function hasToken(field: string, token: string): boolean {
  if (field.length === token.length) return field.toLowerCase() === token;
  for (const element of field.split(",")) {
    if (trimBlanks(element).toLowerCase() === token) return true;
  }
  return false;
}

/** Unlike `trim()`, it removes spaces and tabs only: HTTP has no other blanks (RFC 9110 §5.6.3). */
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (text[start] === " " || text[start] === "\t") start++;
  while (end > start && (text[end - 1] === " " || text[end - 1] === "\t")) end--;
  return text.slice(start, end);
}

function malformed(name: string): HttpError {
  return new HttpError(400, `Cannot read the header field "${name}"`);
}
