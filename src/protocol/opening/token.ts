/** The characters of a token (RFC 9110 §5.6.2), by code. */
const TOKEN_CODES = new Uint8Array(256);
for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
  TOKEN_CODES[character.charCodeAt(0)] = 1;
  TOKEN_CODES[character.toUpperCase().charCodeAt(0)] = 1;
}

/** Tells by its code whether a character may stand in a token. */
export function isTokenCode(code: number): boolean {
  return code < 256 && TOKEN_CODES[code] === 1;
}

/**
 * Tells whether a piece of a text is a token (RFC 9110 §5.6.2).
 *
 * @param text The text.
 * @param start Where the piece begins.
 * @param end Where it ends.
 * @returns false when it is empty or has another character.
 *
 * @example
 * ```ts
 * import { isToken } from "@duet/websocket/protocol";
 *
 * console.assert(isToken("chat.v2") && !isToken("a b") && !isToken(""));
 * ```
 */
export function isToken(text: string, start = 0, end: number = text.length): boolean {
  for (let i = start; i < end; i++) if (!isTokenCode(text.charCodeAt(i))) return false;
  return end > start;
}
