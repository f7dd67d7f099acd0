import { CloseCode, ProtocolError } from "../../protocol/mod.ts";

/**
 * Makes the error for what a runtime's own engine has refused.
 *
 * @param message What the engine says of it.
 * @returns The error, with the close code that such a thing calls for.
 */
export function engineFailure(message: string): ProtocolError {
  const code = /utf-?8/i.test(message)
    ? CloseCode.INVALID_PAYLOAD
    : /^frame too large|too big message/i.test(message)
    ? CloseCode.MESSAGE_TOO_BIG
    : CloseCode.PROTOCOL_ERROR;
  return new ProtocolError(code, `Cannot accept a frame: ${message}`, "RFC 6455");
}
