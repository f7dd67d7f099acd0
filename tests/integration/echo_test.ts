import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "node:test";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { clientFrame, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { openNative } from "../support/native_client.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { echo, handling, serve, type Variant, variants } from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

/** Both sides of each step in how a frame's length is written (RFC 6455 §5.2), and a large message. */
const SIZES = [0, 125, 126, 65_535, 65_536, 8 * 1024 * 1024];

/** Bytes without a period that a misplaced mask or fragment could hide in. */
function bytesOf(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let i = 0, state = size + 1; i < size; i++) {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

/** A text that takes so many bytes of UTF-8, with characters of two, three and four bytes. */
function textOf(size: number): string {
  const pattern = "Zwölf Boxkämpfer € 🥊 ";
  const length = new TextEncoder().encode(pattern).length;
  return pattern.repeat(size / length) + "x".repeat(size % length);
}

/** Compares without printing megabytes when they differ. */
function assertSame(actual: string | Uint8Array, expected: string | Uint8Array): void {
  assertEquals(typeof actual, typeof expected);
  assertEquals(actual.length, expected.length);
  let first = 0;
  while (first < actual.length && actual[first] === expected[first]) first++;
  assertEquals(first, actual.length, "they differ there");
}

/** Cuts bytes in three, the first piece not of a length that a word or a character ends at. */
function cut(bytes: Uint8Array): Uint8Array[] {
  const third = Math.floor(bytes.length / 3) | 1;
  return [bytes.subarray(0, third), bytes.subarray(third, third * 2), bytes.subarray(third * 2)];
}

/** Deno.serve has no compression (its capabilities say so, and start_test checks what it says). */
const compresses = ({ name }: Variant) => !name.startsWith("deno_http");

/** RFC 7692 §7.2.1: the empty block that ends a flush is left out. */
function deflate(text: string): Uint8Array {
  return deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

function inflate(payload: Uint8Array): string {
  const whole = concat(payload, Uint8Array.of(0, 0, 0xff, 0xff));
  return inflateRawSync(whole, { finishFlush: constants.Z_SYNC_FLUSH }).toString();
}

for (const variant of variants) {
  describe(`echo over ${variant.name}`, () => {
    for (const size of SIZES) {
      it(`${size} bytes of text and binary come back to ws (RFC 6455 §5.6)`, async () => {
        await using served = await serve(variant, echo);
        const { socket, messages, end } = await openWs(served.url);
        socket.send(textOf(size));
        socket.send(bytesOf(size));
        assertSame(await messages.next(), textOf(size));
        assertSame(await messages.next(), bytesOf(size));
        socket.close(1000);
        assertEquals((await end()).code, 1000);
      });

      it(`${size} bytes in fragments with pings between them come back whole (§5.4)`, async () => {
        await using served = await serve(variant, echo);
        const { socket, messages, pongs, end } = await openWs(served.url);
        for (
          const [message, binary] of [[new TextEncoder().encode(textOf(size)), false], [
            bytesOf(size),
            true,
          ]] as const
        ) {
          const [first, second, third] = cut(message);
          socket.send(first, { binary, fin: false });
          socket.ping("one");
          socket.send(second, { binary, fin: false });
          socket.ping("two");
          socket.send(third, { binary, fin: true });
        }
        assertSame(await messages.next(), textOf(size));
        assertSame(await messages.next(), bytesOf(size));
        assertEquals(await pongs.first(4), ["one", "two", "one", "two"]);
        socket.close();
        await end();
      });

      it(`${size} bytes come back to the runtime's own WebSocket`, async () => {
        await using served = await serve(variant, echo);
        const { socket, messages, end } = await openNative(served.url);
        socket.send(textOf(size));
        socket.send(bytesOf(size));
        assertSame(await messages.next(), textOf(size));
        assertSame(await messages.next(), bytesOf(size));
        socket.close(1000);
        assertEquals((await end()).wasClean, true);
      });
    }

    if (compresses(variant)) {
      it("permessage-deflate: RSV1 is set, and less goes over the wire (RFC 7692 §6)", async () => {
        await using served = await serve(variant, { ...echo, extensions: "permessage-deflate" });
        using client = await RawClient.connect(served.url);
        const offer = { "Sec-WebSocket-Extensions": "permessage-deflate" };
        client.write(upgradeRequest(offer));
        const { headers } = await client.response(true);
        assertMatch(headers.get("sec-websocket-extensions") ?? "", /^permessage-deflate\b/);
        const text = "the same again, ".repeat(4096);
        client.write(clientFrame(1, deflate(text), { rsv: 0x40 }));
        const frame = await client.frame();
        assertEquals([frame?.opcode, frame?.rsv], [1, 0x40]);
        assert(frame!.payload.length < text.length / 20, `${frame!.payload.length} bytes`);
        assertEquals(inflate(frame!.payload), text);
      });

      it("permessage-deflate: clients may send some messages uncompressed (§6)", async () => {
        await using served = await serve(variant, { ...echo, extensions: "permessage-deflate" });
        const { socket, messages, end } = await openWs(served.url);
        assertEquals(socket.extensions, "permessage-deflate");
        const text = textOf(1_000_000);
        for (const compress of [true, false, true]) socket.send(text, { compress });
        for (let i = 0; i < 3; i++) assertSame(await messages.next(), text);
        socket.close();
        await end();
      });

      it("permessage-deflate: conn.extensions says what the response does (RFC 7692 §5.1)", async () => {
        const agreed = new Journal<readonly string[]>();
        await using served = await serve(variant, {
          ...handling({ ready: ({ extensions }) => agreed.add(extensions) }),
          extensions: "permessage-deflate",
        });
        for (const more of ["", "; client_max_window_bits", "; server_max_window_bits=10", "; x"]) {
          using client = await RawClient.connect(served.url);
          client.write(
            upgradeRequest({ "Sec-WebSocket-Extensions": `permessage-deflate${more}` }),
          );
          const { headers } = await client.response(true);
          const names = headers.has("sec-websocket-extensions") ? ["permessage-deflate"] : [];
          assertEquals(await agreed.next(), names, more);
          // Bun.serve has windows of 32 KiB only; "x" is no parameter of it.
          const declined = more === "; x" || (/10$/.test(more) && variant.engine !== "tcp");
          assertEquals(names.length, declined ? 0 : 1, more);
        }
      });

      it("permessage-deflate: messages below compressionThreshold go as they are", async () => {
        await using served = await serve(variant, {
          ...echo,
          extensions: "permessage-deflate",
          compressionThreshold: 500,
        });
        using client = await RawClient.open(served.url, {
          "Sec-WebSocket-Extensions": "permessage-deflate",
        });
        for (const [size, rsv] of [[499, 0], [500, 0x40]]) {
          client.write(clientFrame(2, new Uint8Array(size)));
          const frame = await client.frame();
          assertEquals(frame?.rsv, rsv, `${size} bytes`);
          assert(rsv === 0 || frame!.payload.length < size);
        }
      });
    }

    it("without permessage-deflate an offer of it is left unanswered (RFC 6455 §9.1)", async () => {
      await using served = await serve(variant, echo);
      using client = await RawClient.connect(served.url);
      client.write(upgradeRequest({ "Sec-WebSocket-Extensions": "permessage-deflate" }));
      const { status, headers } = await client.response(true);
      assertEquals([status, headers.get("sec-websocket-extensions")], [101, null]);
      client.write(clientFrame(2, new Uint8Array(5000)));
      const frame = await client.frame();
      assertEquals([frame?.rsv, frame?.payload.length, frame?.masked], [0, 5000, false]);
    });
  });
}
