import type { Logger } from "../base/logger.ts";
import { Opcode } from "../protocol/mod.ts";
import type { FrameTrace } from "../transport/transport.ts";

const OPCODE_NAMES = new Map<number, string>(
  Object.entries(Opcode).map(([name, code]) => [code, name.toLowerCase()]),
);
/** How much of a payload is shown. */
const CHARACTERS = 60;
const BYTES = 20;

/**
 * Makes what writes frames to a log, a line each.
 *
 * @param log The log.
 * @returns What writes.
 */
export function frameLog(log: Pick<Logger, "debug">): FrameTrace {
  return (peer, direction, opcode, length, payload) => {
    const text = typeof payload === "string";
    const shown = text ? JSON.stringify(payload.slice(0, CHARACTERS)) : hex(payload);
    const more = length > (text ? CHARACTERS : BYTES) ? " …" : "";
    const name = OPCODE_NAMES.get(opcode);
    log.debug(`${peer.ip}:${peer.port} ${direction} ${name} [${length}] ${shown}${more}`);
  };
}

function hex(payload: Uint8Array): string {
  return Array.from(payload.subarray(0, BYTES), (it) => it.toString(16).padStart(2, "0")).join(" ");
}
