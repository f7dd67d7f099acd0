import { CloseCode } from "./close.ts";
import type { NegotiatedExtension } from "./extension.ts";
import { ProtocolError } from "./protocol_error.ts";

/**
 * Has an extension restore a message. An extension may be anybody's code, so its errors and its results
 * are checked.
 *
 * @param extension The extension.
 * @param payload The message as it came.
 * @param maxSize The most bytes that the result may have.
 * @returns The message as the peer's extension got it.
 * @throws {ProtocolError} What the extension says of the message; 1009 when the result is too big; 1011
 * when the extension throws anything else, or gives no bytes.
 */
export function decodeBy(
  extension: NegotiatedExtension,
  payload: Uint8Array,
  maxSize: number,
): Uint8Array {
  let decoded: Uint8Array;
  try {
    decoded = checkBytes(extension.session.decode(payload, maxSize), "decode");
  } catch (error) {
    throw error instanceof ProtocolError
      ? error
      : extensionFailed(extension, "take a message", error);
  }
  if (decoded.length > maxSize) throw messageTooBig(maxSize);
  return decoded;
}

/**
 * Has an extension change a message that is to be sent.
 *
 * @param extension The extension.
 * @param payload The message.
 * @returns The changed message, or undefined to send it as it is.
 * @throws {ProtocolError} 1011 when the extension throws, or gives something else than bytes.
 */
export function encodeBy(
  extension: NegotiatedExtension,
  payload: Uint8Array,
): Uint8Array | undefined {
  try {
    const encoded = extension.session.encode(payload);
    return encoded === undefined ? undefined : checkBytes(encoded, "encode");
  } catch (error) {
    throw extensionFailed(extension, "send a message", error);
  }
}

/**
 * Has an extension let go of what it holds.
 *
 * @param extension The extension.
 * @returns 1011 when the extension throws.
 */
export function closeBy(extension: NegotiatedExtension): ProtocolError | undefined {
  try {
    extension.session.close?.();
    return undefined;
  } catch (error) {
    return extensionFailed(extension, "close the connection in order", error);
  }
}

function checkBytes(result: unknown, method: string): Uint8Array {
  if (result instanceof Uint8Array) return result;
  throw new TypeError(`${method}() gave no Uint8Array but ${String(result)}`);
}

function extensionFailed(
  { name }: NegotiatedExtension,
  what: string,
  cause: unknown,
): ProtocolError {
  return new ProtocolError(
    CloseCode.INTERNAL_ERROR,
    `Cannot ${what}: the extension ${JSON.stringify(name)} failed`,
    "RFC 6455 §7.4.1",
    cause,
  );
}

/**
 * Makes the error for a message over the limit.
 *
 * @param maxSize The limit, in bytes.
 * @returns The error.
 */
export function messageTooBig(maxSize: number): ProtocolError {
  return new ProtocolError(
    CloseCode.MESSAGE_TOO_BIG,
    `Cannot take a message of over ${maxSize} bytes`,
    "maxRecvSize",
  );
}

/**
 * Makes the error for an extension that a server has answered in a way that was not offered.
 *
 * @param name The extension.
 * @param why What is wrong.
 * @param rule The rule that the answer breaks.
 * @returns The error: 1010.
 */
export function extensionMismatch(name: string, why: string, rule: string): ProtocolError {
  return new ProtocolError(
    CloseCode.MANDATORY_EXTENSION,
    `Cannot use the extension ${JSON.stringify(name)} of the response: ${why}`,
    rule,
  );
}
