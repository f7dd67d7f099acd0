import { Buffer } from "node:buffer";

/** How the text messages begin, by which they can be told from others. */
const MARK = "broadcast";

function text(index: number, size: number): string {
  return `${MARK} ${index} `.padEnd(size, "Everybody gets this. ");
}

/**
 * What the server broadcasts, in order. Both sides make it, and no byte of it is where another
 * message has the same one for long, so that pieces cannot be mixed up unseen.
 */
export const MESSAGES: readonly (string | Uint8Array)[] = [
  text(0, 128),
  Uint8Array.from({ length: 4096 }, (_, i) => (i * 31 + (i >> 8)) & 0xff),
  text(2, 16_000),
  text(3, 20),
];

/** A message as a client is to get it. */
export interface ExpectedMessage {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** The same messages as frames have them. */
export const EXPECTED: readonly ExpectedMessage[] = MESSAGES.map((message) =>
  typeof message === "string"
    ? { opcode: 1, payload: Buffer.from(message) }
    : { opcode: 2, payload: Buffer.from(message) }
);

/** Whether a client that is answered meanwhile was sent this as one of all. */
export function isBroadcast(payload: Uint8Array): boolean {
  return EXPECTED.some((it) => it.payload.equals(payload));
}
