import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type PermessageDeflateOptions, SharingSession } from "../../../src/protocol/mod.ts";
import { agree, noise } from "../../support/deflate.ts";
import { DeflatePeer } from "../../support/deflate_peer.ts";

const utf8 = new TextEncoder();
const json = (i: number) =>
  utf8.encode(
    JSON.stringify({ id: i, name: "duet", tags: ["a", "b", "c"], note: "again and again" }),
  );

function sharing(offer: string, options: PermessageDeflateOptions): SharingSession {
  const session = agree(offer, options);
  assert(session instanceof SharingSession);
  return session;
}

/** What goes to one client: messages of its own, and messages that others are sent too. */
interface Step {
  readonly shared: boolean;
  readonly payload: Uint8Array;
}

/** Sends the steps, and checks that the client restores each. */
async function check(bits: number, takeover: boolean, steps: readonly Step[]): Promise<void> {
  const session = sharing("", { contextTakeover: takeover, serverMaxWindowBits: bits });
  using peer = new DeflatePeer({ serverTakeover: takeover, serverBits: Math.max(bits, 9) });
  for (const { shared, payload } of steps) {
    const encoded = shared ? session.encodeShared(payload) : session.encode(payload);
    // What is sent as it is leaves the client's window as it was.
    if (encoded === undefined) continue;
    if (shared) session.sharedSent(payload);
    const restored = await peer.decompress(encoded);
    assertEquals(Buffer.compare(restored, payload), 0, `${payload.length} bytes, shared ${shared}`);
  }
}

describe("permessage-deflate: a message for many connections (RFC 7692 §7.2.1)", () => {
  for (const takeover of [false, true]) {
    for (const bits of [8, 9, 12, 15]) {
      it(`is restored among others, with a window of 2^${bits}, takeover ${takeover}`, async () => {
        const pool = [
          json(1),
          json(2),
          new Uint8Array(0),
          new Uint8Array(1000).fill(97),
          noise(300),
          new Uint8Array(40_000).map((_, i) => (i * i >> 7) % 61),
          new Uint8Array(70_000).map((_, i) => (i * 7 >> 3) % 91),
        ];
        const step = fc.record({ shared: fc.boolean(), payload: fc.constantFrom(...pool) });
        await fc.assert(
          fc.asyncProperty(
            fc.array(step, { maxLength: 30 }),
            (steps) => check(bits, takeover, steps),
          ),
          { numRuns: 25 },
        );
      });
    }
  }

  it("lets a later message refer past it to earlier ones of its own connection", () => {
    const session = sharing("", { contextTakeover: true });
    const first = session.encode(json(1))!.length;
    session.encodeShared(json(7));
    session.sharedSent(json(7));
    assert(session.encode(json(1))!.length < first / 3);
  });

  it("puts a window out of reach that it is larger than", async () => {
    const whole = new Uint8Array(33_000).fill(98);
    await check(15, true, [
      { shared: false, payload: json(1) },
      { shared: true, payload: whole },
      { shared: false, payload: json(1) },
      { shared: false, payload: json(1) },
    ]);
  });

  it("is the same for all sessions with the same key, whatever they have sent", () => {
    const one = sharing("", { contextTakeover: true });
    const other = sharing("; server_no_context_takeover", { contextTakeover: true });
    one.encode(json(2));
    assertEquals(one.shareKey, other.shareKey);
    assertEquals(one.encodeShared(json(1)), other.encodeShared(json(1)));
  });

  it("has a key of its own for each window and level", () => {
    const keys = new Set<number>();
    for (let serverMaxWindowBits = 8; serverMaxWindowBits <= 15; serverMaxWindowBits++) {
      for (let level = 1; level <= 9; level++) {
        keys.add(sharing("", { serverMaxWindowBits, level }).shareKey);
      }
    }
    assertEquals(keys.size, 8 * 9);
  });

  it("goes as it is where compression gains nothing", () => {
    assertEquals(sharing("", {}).encodeShared(noise(200)), undefined);
    assertEquals(sharing("", { contextTakeover: true }).encodeShared(noise(200)), undefined);
    assertEquals(sharing("", {}).encodeShared(new Uint8Array()), undefined);
  });
});
