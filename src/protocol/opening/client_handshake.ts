import { randomBytes } from "node:crypto";
import { CloseCode } from "../frames/close.ts";
import type { Extension, ExtensionOffer, NegotiatedExtension } from "../frames/extension.ts";
import { extensionMismatch } from "../frames/extension_calls.ts";
import { ProtocolError } from "../frames/protocol_error.ts";
import { acceptKey } from "./handshake.ts";
import { agreeOn, formatExtension, hasToken, parseExtensions } from "./negotiation.ts";
import { formatFields } from "./response_head.ts";
import type { ResponseHead } from "./response_head_parser.ts";

const RULE = "RFC 6455 §4.1";

/**
 * Makes a `Sec-WebSocket-Key` (RFC 6455 §4.1): 16 random bytes in base64.
 *
 * @returns The key.
 *
 * @example
 * ```ts
 * import { makeKey } from "@duet/websocket/protocol";
 *
 * console.assert(makeKey().length === 24 && makeKey() !== makeKey());
 * ```
 */
export function makeKey(): string {
  return randomBytes(16).toString("base64");
}

/** What a client asks for in its opening handshake (RFC 6455 §4.1). */
export interface OpeningRequest {
  /** The path and query. */
  readonly target: string;
  /** The server's name, with its port where that is not the usual one. */
  readonly host: string;
  /** `Sec-WebSocket-Key`, from {@linkcode makeKey}. */
  readonly key: string;
  /** The subprotocols offered, most wanted first. */
  readonly subprotocols: readonly string[];
  /** The extensions offered, most wanted first; each has {@linkcode Extension.offer}. */
  readonly extensions: readonly Extension[];
  /** Further header fields. */
  readonly headers: Iterable<readonly [name: string, value: string]>;
}

/**
 * Gives the header fields of a client's opening handshake (RFC 6455 §4.1).
 *
 * @param request What is asked for.
 * @returns The fields, each with a line break before it, as `RequestHead` takes them. Every character is one
 * byte (Latin-1).
 * @throws {TypeError} When a field has a character that must not be in one.
 *
 * @example
 * ```ts
 * import { makeKey, openingFields } from "@duet/websocket/protocol";
 *
 * const key = makeKey();
 * const fields = openingFields({
 *   target: "/chat",
 *   host: "example.com",
 *   key,
 *   subprotocols: ["chat"],
 *   extensions: [],
 *   headers: [],
 * });
 * console.assert(fields.includes("\r\nSec-WebSocket-Protocol: chat"));
 * ```
 */
export function openingFields(request: OpeningRequest): string {
  const { host, key, subprotocols, extensions, headers } = request;
  const fields: [string, string][] = [
    ["Host", host],
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Key", key],
    ["Sec-WebSocket-Version", "13"],
  ];
  if (subprotocols.length > 0) fields.push(["Sec-WebSocket-Protocol", subprotocols.join(", ")]);
  const offers = extensions.flatMap((extension) => extension.offer!().map(formatExtension));
  if (offers.length > 0) fields.push(["Sec-WebSocket-Extensions", offers.join(", ")]);
  return `\r\n${formatFields([...fields, ...headers])}`.slice(0, -"\r\n".length);
}

/** What a server's answer has agreed to. */
export interface OpeningAgreement {
  /** The subprotocol, if there is one. */
  readonly subprotocol: string | undefined;
  /** The extensions. */
  readonly extensions: readonly NegotiatedExtension[];
}

/**
 * Checks the answer that opens a WebSocket against what RFC 6455 §4.1 demands of it, and against what was
 * asked for.
 *
 * @param head The head of the answer, of status 101.
 * @param request What was asked for.
 * @returns What was agreed on.
 * @throws {ProtocolError} When the answer breaks a rule: the connection must be dropped. 1010 where an
 * extension was answered in a way that was not offered, else 1002. What an extension throws is passed on.
 *
 * @example
 * ```ts
 * import { acceptKey, checkOpeningResponse, makeKey, ResponseHead } from "@duet/websocket/protocol";
 *
 * const key = makeKey();
 * const head = new ResponseHead(
 *   101,
 *   1,
 *   `\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}`,
 * );
 * const agreed = checkOpeningResponse(head, { key, subprotocols: [], extensions: [] });
 * console.assert(agreed.subprotocol === undefined);
 * ```
 */
export function checkOpeningResponse(
  head: ResponseHead,
  request: Pick<OpeningRequest, "key" | "subprotocols" | "extensions">,
): OpeningAgreement {
  if (head.status !== 101 || head.minorVersion < 1) {
    throw violation("its status line is not that of HTTP/1.1 101");
  }
  // Unlike a request's, this Upgrade field has one value, whatever its case.
  if (head.get("upgrade")?.toLowerCase() !== "websocket") {
    throw violation("its Upgrade field is not websocket");
  }
  if (!hasToken(head.get("connection") ?? "", "upgrade")) {
    throw violation("its Connection field has no Upgrade");
  }
  if (head.get("sec-websocket-accept") !== acceptKey(request.key)) {
    throw violation("its Sec-WebSocket-Accept does not match the key");
  }
  const subprotocol = head.get("sec-websocket-protocol") ?? undefined;
  if (subprotocol !== undefined && !request.subprotocols.includes(subprotocol)) {
    throw violation("its subprotocol was not offered");
  }
  const extensions = head.get("sec-websocket-extensions");
  return {
    subprotocol,
    extensions: extensions === null
      ? []
      : acceptExtensions(request.extensions, readExtensions(extensions)),
  };
}

function readExtensions(field: string): ExtensionOffer[] {
  try {
    return parseExtensions(field);
  } catch {
    throw violation("its Sec-WebSocket-Extensions cannot be read");
  }
}

/** In the order of the answer, which is that in which the server applies them (RFC 6455 §9.1). */
function acceptExtensions(
  extensions: readonly Extension[],
  answers: readonly ExtensionOffer[],
): NegotiatedExtension[] {
  return agreeOn((agreed) => {
    for (const answer of answers) {
      const { name } = answer;
      const extension = extensions.find((it) => it.name === name);
      if (extension === undefined) throw extensionMismatch(name, "it was not offered", RULE);
      if (agreed.some((it) => it.name === name)) {
        throw extensionMismatch(name, "it was answered twice", RULE);
      }
      agreed.push({ name, session: extension.accept!(answer) });
    }
  });
}

function violation(why: string): ProtocolError {
  return new ProtocolError(
    CloseCode.PROTOCOL_ERROR,
    `Cannot open a WebSocket with this response: ${why}`,
    RULE,
  );
}
