import { encodeFrame, encodeTextFrame, FIN, Opcode } from "./protocol/mod.ts";
import type { SharedMessage } from "./transport/transport.ts";

/** A message on its way to several connections. */
export class Broadcast implements SharedMessage {
  readonly data: string | Uint8Array;
  #frame: Uint8Array | undefined;

  constructor(data: string | Uint8Array) {
    this.data = data;
  }

  frame(): Uint8Array {
    return this.#frame ??= typeof this.data === "string"
      ? encodeTextFrame(this.data)
      : encodeFrame(FIN | Opcode.BINARY, this.data);
  }
}
