import { STATUS_CODES } from "node:http";
import { isToken } from "./token.ts";

/**
 * Writes the head of an HTTP/1.1 response.
 *
 * @param status The status code.
 * @param headers The header fields.
 * @returns The head, its blank line included; every character of it is one byte (Latin-1).
 * @throws {TypeError} When a name is not a token, or a value has a line break, another control
 * character or one beyond Latin-1: a value from outside must not become a second field.
 *
 * @example
 * ```ts
 * import { formatResponseHead } from "@duet/websocket/protocol";
 *
 * const head = formatResponseHead(426, [["Upgrade", "websocket"]]);
 * console.assert(head === "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n\r\n");
 * ```
 */
export function formatResponseHead(
  status: number,
  headers: Iterable<readonly [name: string, value: string]>,
): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Status"}\r\n${formatFields(headers)}\r\n`;
}

/**
 * Writes header fields, each with its line break.
 *
 * @param headers The header fields.
 * @returns The text.
 * @throws {TypeError} As {@linkcode formatResponseHead}.
 *
 * @example
 * ```ts
 * import { formatFields } from "@duet/websocket/protocol";
 *
 * console.assert(formatFields([["Allow", "GET"]]) === "Allow: GET\r\n");
 * ```
 */
export function formatFields(headers: Iterable<readonly [name: string, value: string]>): string {
  let text = "";
  for (const [name, value] of headers) {
    if (!isToken(name)) {
      throw new TypeError(`Cannot send a header field named ${JSON.stringify(name)}: not a token`);
    }
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw new TypeError(
        `Cannot send header field "${name}": its value has a character not allowed`,
      );
    }
    text += `${name}: ${value}\r\n`;
  }
  return text;
}
