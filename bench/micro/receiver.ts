// From a client's bytes to messages: one call of the receiver for each read, as a tcp transport makes it.

import { bench, do_not_optimize, run } from "mitata";
import { Receiver } from "../../src/protocol/frames/receiver.ts";
import { maskedFrame } from "./masked_frame.ts";

const TEXT = 0x81;
const BINARY = 0x82;
/** The most bytes that one read brings. */
const READ = 65_536;

function newReceiver(): Receiver {
  const take = (data: unknown) => void do_not_optimize(data);
  return new Receiver({
    onText: take,
    onBinary: take,
    onPing: take,
    onPong: take,
    onClose: take,
    onFailure(error) {
      throw error;
    },
  }, { maxMessageSize: 16 << 20 });
}

function repeated(frame: Uint8Array, times: number): Uint8Array {
  const all = new Uint8Array(frame.length * times);
  for (let i = 0; i < times; i++) all.set(frame, i * frame.length);
  return all;
}

for (const [name, firstByte] of [["text", TEXT], ["binary", BINARY]] as const) {
  const small = maskedFrame(firstByte, new Uint8Array(64).fill(0x61));
  for (const times of [1, 32]) {
    const receiver = newReceiver();
    const chunk = repeated(small, times);
    bench(`receive ${times} x 64 B ${name}`, () => receiver.push(chunk));
  }
  for (const size of [65_536, 1_048_576]) {
    const receiver = newReceiver();
    const frame = maskedFrame(firstByte, new Uint8Array(size).fill(0x61));
    const reads: Uint8Array[] = [];
    for (let at = 0; at < frame.length; at += READ) reads.push(frame.subarray(at, at + READ));
    bench(`receive ${size} B ${name} in ${reads.length} reads`, () => {
      for (const read of reads) receiver.push(read);
    });
  }
}

if (import.meta.main) await run();
