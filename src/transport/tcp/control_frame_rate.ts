import { CloseCode, ProtocolError } from "../../protocol/mod.ts";

/** Counts the pings and pongs of one peer, second by second. */
export class ControlFrameRate {
  #second = 0;
  #count = 0;

  /**
   * Counts one.
   *
   * @param most How many may come in a second.
   * @returns The error to fail the connection with, when there are more.
   */
  take(most: number): ProtocolError | undefined {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
    }
    if (++this.#count <= most) return undefined;
    return new ProtocolError(
      CloseCode.POLICY_VIOLATION,
      `Cannot take over ${most} pings and pongs a second`,
      "maxControlFrames",
    );
  }
}
