import { CloseCode } from "./close.ts";
import { type FrameHeader, MAX_CONTROL_PAYLOAD, Opcode } from "./frame.ts";
import { ProtocolError } from "./protocol_error.ts";

/**
 * Checks the header of a peer's frame against the rules of RFC 6455 §5.
 *
 * @param header The header.
 * @param masked Whether it must be masked, as a client's must, or must not be, as a server's.
 * @param rsvAllowed The reserved bits that extensions gave a meaning.
 * @param continuing Whether a message has begun and not ended.
 * @throws {ProtocolError} 1002 naming the rule that it breaks.
 */
export function checkFrame(
  header: FrameHeader,
  masked: boolean,
  rsvAllowed: number,
  continuing: boolean,
): void {
  const { opcode, rsv } = header;
  if (header.masked !== masked) {
    const why = masked ? "a client's frame is not masked" : "a server's frame is masked";
    throw violation(why, "RFC 6455 §5.1");
  }
  if (!header.minimal) {
    throw violation("its length is not in the fewest bytes or over 63 bits", "RFC 6455 §5.2");
  }
  if (opcode > Opcode.PONG || (opcode > Opcode.BINARY && opcode < Opcode.CLOSE)) {
    throw violation(`opcode ${opcode} is reserved`, "RFC 6455 §5.2");
  }
  if (opcode >= Opcode.CLOSE) {
    if (rsv !== 0) throw violation("a reserved bit is set", "RFC 6455 §5.2");
    if (!header.fin) throw violation("a control frame is fragmented", "RFC 6455 §5.5");
    if (header.payloadLength > MAX_CONTROL_PAYLOAD) {
      throw violation("a control frame has over 125 bytes", "RFC 6455 §5.5");
    }
  } else if (rsv !== 0 && ((rsv & ~rsvAllowed) !== 0 || opcode === Opcode.CONTINUATION)) {
    throw violation("a reserved bit is set that no extension gave a meaning", "RFC 6455 §5.2");
  } else if (opcode === Opcode.CONTINUATION && !continuing) {
    throw violation("there is no message to continue", "RFC 6455 §5.4");
  } else if (opcode !== Opcode.CONTINUATION && continuing) {
    throw violation("a message begins within another", "RFC 6455 §5.4");
  }
}

function violation(why: string, rule: string): ProtocolError {
  return new ProtocolError(CloseCode.PROTOCOL_ERROR, `Cannot accept a frame: ${why}`, rule);
}
