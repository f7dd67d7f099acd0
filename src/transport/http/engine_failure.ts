import { CloseCode, ProtocolError } from "../../protocol/mod.ts";

/** How the engines word that a peer is gone, which is nobody's error. */
const LOSS =
  /unexpected eof|os error|connection reset|broken pipe|close_notify|no response from ping|failed to send frame|timed out from inactivity/i;

/** How the engines word that a peer broke a rule: those of Bun, then those of Deno. */
const BROKEN_RULE =
  /^Received |^(?:Invalid (?:fragment|UTF-8|continuation frame|close frame|close code|value)|Reserved bits are not zero|Control frame must not be fragmented|Ping frame too large|Frame too large)/i;

const NOT_UTF8 = /utf-?8/i;
const TOO_BIG = /^frame too large|too big message|does not fit in memory/i;

/**
 * Makes the error for an end that a runtime's own engine has given words to.
 *
 * @param message What the engine says.
 * @returns A {@linkcode ProtocolError} where the words are known to mean that the peer broke a rule, a plain
 * error for unknown words, which may mean the engine's own fault, and undefined where the peer is just gone.
 */
export function engineFailure(message: string): Error | undefined {
  if (LOSS.test(message)) return undefined;
  if (!BROKEN_RULE.test(message)) return new Error(`The runtime's engine has failed: ${message}`);
  const code = NOT_UTF8.test(message)
    ? CloseCode.INVALID_PAYLOAD
    : TOO_BIG.test(message)
    ? CloseCode.MESSAGE_TOO_BIG
    : CloseCode.PROTOCOL_ERROR;
  return new ProtocolError(code, `Cannot accept a frame: ${message}`, "RFC 6455");
}
