import { Buffer } from "node:buffer";
import { WebSocketError } from "../base/errors.ts";
import { checkWellFormed, encodeFrame, encodeTextFrame, FIN, Opcode } from "../protocol/mod.ts";
import type { SharedMessage } from "../transport/channel.ts";

/** A message on its way to several connections. */
export class Broadcast implements SharedMessage {
  readonly data: string | Uint8Array;
  #frame: Uint8Array | undefined;

  /**
   * @param data The message.
   * @param maxSize The most bytes that it may have.
   * @throws {TypeError} When a text has a lone surrogate.
   * @throws {RangeError} When it is larger.
   * @throws {WebSocketError} ERR_INVALID_ARGUMENT for anything else.
   */
  constructor(data: string | Uint8Array, maxSize: number) {
    if (typeof data === "string") checkWellFormed(data);
    else if (!(data instanceof Uint8Array)) {
      throw new WebSocketError(
        "ERR_INVALID_ARGUMENT",
        "Cannot broadcast() this: it takes a string or a Uint8Array",
      );
    }
    const size = typeof data === "string" ? Buffer.byteLength(data) : data.length;
    if (size > maxSize) {
      throw new RangeError(`Cannot send a message of ${size} bytes: maxSendSize is ${maxSize}`);
    }
    this.data = data;
  }

  frame(): Uint8Array {
    return this.#frame ??= typeof this.data === "string"
      ? encodeTextFrame(this.data)
      : encodeFrame(FIN | Opcode.BINARY, this.data);
  }
}
