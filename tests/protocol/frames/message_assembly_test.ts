import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { MessageAssembly } from "../../../src/protocol/frames/message_assembly.ts";

const MAX_RESERVE = 4096;
const BINARY = 2;

/** How many bytes are set aside for a binary message of which this has come. */
function setAside(come: number, claimed: number, maxReserve = MAX_RESERVE): number {
  const assembly = new MessageAssembly(BINARY, 0);
  assembly.reserve(come, claimed, true, maxReserve);
  return assembly.bytes.buffer.byteLength;
}

describe("the memory for a message before its bytes have come", () => {
  it("is what the peer claims, up to maxReserve", () => {
    for (const claimed of [1, 100, MAX_RESERVE - 1, MAX_RESERVE]) {
      assertEquals(setAside(1, claimed), claimed);
    }
  });

  it("is maxReserve for any claim above it, be it by a byte", () => {
    for (const claimed of [MAX_RESERVE + 1, 1e6, 2 ** 33, Number.MAX_SAFE_INTEGER]) {
      assertEquals(setAside(1, claimed), MAX_RESERVE);
    }
  });

  it("is at most four times what has come, once that is more", () => {
    for (const come of [MAX_RESERVE / 4 + 1, MAX_RESERVE, 100_000]) {
      assertEquals(setAside(come, 2 ** 33), come * 4);
      assertEquals(setAside(come, come + 1), come + 1);
    }
  });
});
