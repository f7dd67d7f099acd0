import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import { constants, inflateRawSync } from "node:zlib";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type ExtensionSession,
  OutputQueue,
  parseExtensions,
  type PermessageDeflateOptions,
  Sender,
} from "../../../src/protocol/mod.ts";
import { clientFrame, concat } from "../../support/client_frame.ts";
import { agree, extensions, noise } from "../../support/deflate.ts";
import { DeflatePeer } from "../../support/deflate_peer.ts";
import { bytes } from "../../support/notation.ts";
import { receive, record } from "../../support/recorder.ts";
import { parseServerFrames } from "../../support/server_frames.ts";
import { everySplit } from "../../support/splits.ts";

const RSV1 = 0x40;
const utf8 = new TextEncoder();

/** The client that believes an offer and the answer to it. */
function peerOf(offer: string, session: ExtensionSession): DeflatePeer {
  const offered = new Map(parseExtensions(`permessage-deflate${offer}`)[0].parameters);
  const answered = new Map(session.parameters);
  return new DeflatePeer({
    serverTakeover: !answered.has("server_no_context_takeover"),
    clientTakeover: !answered.has("client_no_context_takeover") &&
      !offered.has("client_no_context_takeover"),
    serverBits: Number(answered.get("server_max_window_bits") ?? 15),
    clientBits: Number(answered.get("client_max_window_bits") ?? 15),
  });
}

/** Sends each message both ways and checks that it arrives. */
async function exchange(
  offer: string,
  options: PermessageDeflateOptions,
  messages: readonly Uint8Array[],
): Promise<void> {
  const session = agree(offer, options);
  using peer = peerOf(offer, session);
  const output = new OutputQueue();
  const sender = new Sender(output, extensions(session), 0);
  const { receiver, recorder } = record({ extensions: extensions(session) });
  for (const message of messages) {
    const what = `${message.length} bytes, ${offer} ${JSON.stringify(options)}`;

    sender.binary(message);
    const pieces: Uint8Array[] = [];
    for (let it = output.next(); it !== undefined; it = output.next()) pieces.push(it.slice());
    output.done();
    const [{ firstByte, payload }] = parseServerFrames(concat(...pieces));
    const arrived = firstByte & RSV1 ? await peer.decompress(payload) : payload;
    assertEquals(Buffer.compare(arrived, message), 0, `to the client: ${what}`);

    receiver.push(clientFrame(2, await peer.compress(message), { rsv: RSV1 }));
    const [kind, data] = recorder.events.pop()!;
    assertEquals(kind, "binary", `from the client: ${what}`);
    assertEquals(Buffer.compare(data as Uint8Array, message), 0, `from the client: ${what}`);
  }
}

const json = (i: number) =>
  utf8.encode(JSON.stringify({ id: i, name: "duet", tags: ["a", "b", "c"] }));
const MESSAGES: readonly Uint8Array[] = [
  new Uint8Array(),
  utf8.encode("Hello"),
  utf8.encode("Hello"),
  json(1),
  json(2),
  noise(300),
  noise(300),
  new Uint8Array(),
  new Uint8Array(3000).fill(0x61),
  noise(700, 3),
  concat(noise(700, 3), json(3), noise(700, 3)),
];

describe("permessage-deflate: messages to and from a client made of zlib's streams", () => {
  const serverBits = ["", ..."8 9 10 15".split(" ").map((it) => `; server_max_window_bits=${it}`)];
  const clientBits = [
    "",
    ...["", "=8", "=9", "=12", "=15"].map((it) => `; client_max_window_bits${it}`),
  ];
  for (const contextTakeover of [false, true]) {
    for (const serverNo of ["", "; server_no_context_takeover"]) {
      for (const clientNo of ["", "; client_no_context_takeover"]) {
        it(`arrive: contextTakeover ${contextTakeover}${serverNo}${clientNo}, any windows`, async () => {
          for (const server of serverBits) {
            for (const client of clientBits) {
              const offer = serverNo + clientNo + server + client;
              await exchange(offer, { contextTakeover }, MESSAGES);
            }
          }
        });
      }
    }
  }

  for (let bits = 8; bits <= 15; bits++) {
    it(`arrive through windows of 2^${bits} that the server asks for, large ones too`, async () => {
      // What repeats at distances below and above every window's size.
      const block = noise(2 ** bits, bits);
      const large = concat(block, json(1), block, block.subarray(100), noise(40_000), block);
      for (const contextTakeover of [false, true]) {
        const options = { contextTakeover, serverMaxWindowBits: bits, clientMaxWindowBits: bits };
        const messages = [large, json(1), large, new Uint8Array(200_000), new Uint8Array(), block];
        await exchange("; client_max_window_bits", options, messages);
      }
    });
  }

  it("arrive at every level", async () => {
    for (let level = 1; level <= 9; level++) {
      await exchange("", { level, contextTakeover: true }, MESSAGES);
    }
  });

  it("arrive, whatever they are", async () => {
    const message = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.nat(2000)).map(([it, times]) =>
        concat(...Array.from({ length: times }, () => it))
      ),
      fc.nat(70_000).map((length) => noise(length, length + 1)),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        fc.integer({ min: 8, max: 15 }),
        fc.integer({ min: 8, max: 15 }),
        async (messages, contextTakeover, server, client) => {
          const offer = `; server_max_window_bits=${server}; client_max_window_bits=${client}`;
          await exchange(offer, { contextTakeover }, messages);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("permessage-deflate: the examples of RFC 7692 §7.2.3", () => {
  const examples: [section: string, sent: string, told: string][] = [
    ["§7.2.3.1 one block", "c1 87 00000000 f248cdc9c90700", "text Hello"],
    ["§7.2.3.1 two fragments", "41 83 00000000 f248cd 80 84 00000000 c9c90700", "text Hello"],
    ["§7.2.3.3 a stored block", 'c1 8b 00000000 000500faff "Hello" 00', "text Hello"],
    ["§7.2.3.4 BFINAL set", "c1 88 00000000 f348cdc9c9070000", "text Hello"],
    ["§7.2.3.5 two blocks", "c1 8d 00000000 f248050000 00ffff ca c9c90700", "text Hello"],
    ["§7.2.3.6 an empty message", "c1 81 00000000 00", "text"],
  ];
  for (const [section, sent, told] of examples) {
    it(section, () => {
      for (const pieces of everySplit(bytes(sent))) {
        assertEquals(receive(pieces, { extensions: extensions() }).lines, [told]);
      }
    });
  }
});

describe("permessage-deflate, sent (RFC 7692 §7.2.1)", () => {
  it("makes a message of its own for each, without the tail", () => {
    const encoded = agree().encode(new Uint8Array(1000))!;
    const restored = inflateRawSync(concat(encoded, bytes("00 00 ff ff")), {
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    assertEquals(restored.length, 1000);
    assert(!encoded.subarray(-4).every((it, i) => it === [0, 0, 0xff, 0xff][i]));
  });

  it("leaves a message alone that would not become smaller", () => {
    for (const data of [new Uint8Array(), bytes('"Hello"'), noise(10_000)]) {
      assertEquals(agree().encode(data), undefined);
    }
  });

  it("keeps a message that it left alone out of the window", async () => {
    await exchange("", { contextTakeover: true }, [noise(500), noise(500), json(1), noise(500)]);
  });

  it("refers to nothing beyond the window agreed on (§7.1.2.1)", () => {
    // zlib checks a distance against its window only beyond what it still has in its output buffer.
    const strict = (payload: Uint8Array, windowBits: number) =>
      inflateRawSync(concat(payload, bytes("00 00 ff ff")), {
        windowBits,
        chunkSize: 64,
        finishFlush: constants.Z_SYNC_FLUSH,
      });
    for (let bits = 8; bits <= 15; bits++) {
      const block = noise(2 ** bits - 300 * Number(bits > 8), bits);
      const far = noise(2 ** bits + 300, bits);
      for (const data of [concat(block, block), concat(far, far), concat(far, json(1), json(1))]) {
        const encoded = agree(`; server_max_window_bits=${bits}`).encode(data);
        if (encoded !== undefined) assertEquals(Buffer.compare(strict(encoded, bits), data), 0);
      }
    }
    const far = noise(2000);
    const wide = agree().encode(concat(far, far))!;
    assertThrows(() => strict(wide, 9), Error, "distance");
  });

  it("uses the window agreed on: the larger, the smaller the message", () => {
    const data = concat(noise(3000), noise(3000));
    const sizes = [9, 13].map((bits) =>
      agree(`; server_max_window_bits=${bits}`).encode(data)?.length ?? data.length
    );
    assertEquals(sizes[0], data.length);
    assert(sizes[1] < 3500, `it takes ${sizes[1]} bytes`);
  });

  it("makes the second of two like messages smaller where takeover was agreed on", () => {
    const session = agree("", { contextTakeover: true });
    assertEquals(session.parameters, []);
    for (const message of [concat(noise(300), new Uint8Array(300)), noise(500), noise(20_000)]) {
      const [first, second] = [1, 2].map(() => session.encode(message)!.length);
      assert(second < first / 2, `${second} bytes after ${first}`);
    }
    // An empty message has nothing that later ones could refer to.
    assertEquals(session.encode(new Uint8Array()), undefined);
  });

  it("makes messages of all sizes smaller at the levels above the default", () => {
    for (const count of [60, 1000]) {
      const message = concat(...Array.from({ length: count }, (_, i) => json(i * i * 977 % 4001)));
      const [usual, hard] = [3, 9].map((level) => agree("", { level }).encode(message)!.length);
      assert(hard < usual, `${hard} bytes instead of ${usual}`);
    }
  });

  it("leaves what it is given as it is, and keeps none of it", async () => {
    const session = agree("", { contextTakeover: true });
    using peer = peerOf("", session);
    for (const size of [100, 40_000]) {
      for (const value of [1, 0xff]) {
        const data = Buffer.from(concat(json(value), new Uint8Array(size).fill(value), json(2)));
        const copy = new Uint8Array(data);
        const encoded = session.encode(data)!;
        assertEquals(Buffer.compare(data, copy), 0);
        // The caller is free to use it for something else, as here for what the next one repeats.
        data.fill(0xff);
        assertEquals(Buffer.compare(await peer.decompress(encoded), copy), 0);
      }
    }
  });
});
