import { Buffer } from "node:buffer";
import { CloseCode, ProtocolError } from "../../protocol/mod.ts";

/**
 * Tells how many bytes a message has.
 *
 * @param data The message.
 * @returns The size of its payload.
 */
export function sizeOf(data: string | Uint8Array): number {
  return typeof data === "string" ? Buffer.byteLength(data) : data.length;
}

/**
 * Checks a message that an engine has delivered: the engine's own bound holds for all its connections.
 *
 * @param data The message.
 * @param maxSize The most bytes that this connection takes.
 * @returns The error to fail the connection with, when the message is larger.
 */
export function messageTooBig(
  data: string | Uint8Array,
  maxSize: number,
): ProtocolError | undefined {
  const tooBig = typeof data === "string"
    ? data.length * 3 > maxSize && Buffer.byteLength(data) > maxSize
    : data.length > maxSize;
  if (!tooBig) return undefined;
  return new ProtocolError(
    CloseCode.MESSAGE_TOO_BIG,
    `Cannot take a message of over ${maxSize} bytes`,
    "maxRecvSize",
  );
}
