import { messageOf, WebSocketError } from "../base/errors.ts";
import { isRecord, readMembers, show, strangersIn } from "../base/option_values.ts";
import { formatFields } from "../protocol/mod.ts";
import type { Prepared } from "../transport/transport.ts";

/** What an application that has looked at a request says of its WebSocket beforehand. */
export interface PreparedUpgrade<Data = unknown> {
  /** What `connection.data` is, from `onConnect` on. */
  readonly data?: Data | undefined;
  /** Header fields for the response that opens the WebSocket, `Set-Cookie` among them. */
  readonly headers?:
    | Headers
    | Readonly<Record<string, string>>
    | readonly (readonly [name: string, value: string])[]
    | undefined;
  /** The subprotocol, of those that the client offers, in place of the server's own choice. */
  readonly subprotocol?: string | undefined;
}

const KEYS: readonly string[] = ["data", "headers", "subprotocol"];
/** What only the protocol says, in a response of 101. */
const PROTOCOLS_OWN = /^(?:upgrade|connection|content-length|transfer-encoding|sec-websocket-.*)$/i;

/**
 * Reads what `upgrade()` is given beside the request.
 *
 * @param prepared What it is given.
 * @returns The same, in one form.
 * @throws {WebSocketError} ERR_INVALID_ARGUMENT for an unknown key, for a header field that cannot be sent or is
 * the protocol's own, and for a subprotocol that is no text.
 */
export function readPrepared(prepared: PreparedUpgrade): Prepared {
  if (!isRecord(prepared)) {
    throw cannotPrepare(show(prepared), "give an object with data, headers, subprotocol");
  }
  const [unknown] = strangersIn(prepared, KEYS);
  if (unknown !== undefined) throw cannotPrepare(show(unknown), "use data, headers, subprotocol");
  const { data, headers, subprotocol }: PreparedUpgrade = readMembers(prepared, KEYS);
  if (subprotocol !== undefined && typeof subprotocol !== "string") {
    throw cannotPrepare(`the subprotocol ${show(subprotocol)}`, "give one that the client offers");
  }
  return { data, headers: headers === undefined ? [] : readFields(headers), subprotocol };
}

function readFields(headers: NonNullable<PreparedUpgrade["headers"]>): [string, string][] {
  try {
    const fields = [...new Headers(headers as [string, string][])];
    checkAdded(fields);
    return fields;
  } catch (error) {
    throw cannotPrepare("these headers", messageOf(error), error);
  }
}

/**
 * Checks header fields that are to be added to a response of 101.
 *
 * @param fields The fields.
 * @throws {TypeError} For one that cannot be sent, or is the protocol's own.
 */
export function checkAdded(fields: Iterable<readonly [name: string, value: string]>): void {
  // `Headers` lets control characters pass, and not every engine refuses them: this throws.
  formatFields(fields);
  for (const [name] of fields) {
    if (PROTOCOLS_OWN.test(name)) {
      throw new TypeError(`Cannot add the header field "${name}": it is the protocol's own`);
    }
  }
}

function cannotPrepare(what: string, why: string, cause?: unknown): WebSocketError {
  return new WebSocketError(
    "ERR_INVALID_ARGUMENT",
    `Cannot upgrade this request with ${what}: ${why}`,
    cause,
  );
}
