import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { describe, it } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import type { WebSocketConnection, WebSocketError, WebSocketServerOptions } from "../../mod.ts";
import { clientFrame, closeBytes, concat } from "../support/client_frame.ts";
import { inTime } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import {
  echo,
  serve,
  type Served,
  transports,
  type Variant,
  variants,
} from "../support/transports.ts";
import { openWs } from "../support/ws_client.ts";

const MIB = 1024 * 1024;

/** A server under attack, with a healthy client that is served before, meanwhile and afterwards. */
interface Besieged extends Served<WebSocketConnection> {
  /** How many connections have reached `connect` and how many have had their `disconnect`. */
  readonly counts: { connect: number; disconnect: number };
  /** Has the healthy client be answered. */
  check(): Promise<void>;
}

async function besiege(
  variant: Variant,
  options: WebSocketServerOptions = {},
): Promise<Besieged> {
  const counts = { connect: 0, disconnect: 0 };
  const served = await serve(variant, {
    onConnect(server, connection) {
      counts.connect++;
      void echo.onConnect!(server, connection);
      connection.onDisconnect = () => void counts.disconnect++;
    },
    ...options,
  });
  const { socket, messages } = await openWs(served.url);
  let count = 0;
  const check = async () => {
    socket.send(`${++count}`);
    assertEquals(await messages.next(), `${count}`);
  };
  return {
    ...served,
    counts,
    check,
    async [Symbol.asyncDispose]() {
      await check();
      await served.server.shutdown();
      assertEquals(counts.disconnect, counts.connect, "every connect has its disconnect");
    },
  };
}

/** Bytes at random, the same ones in every run. */
class Randomness {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  next(): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#state / 2 ** 32;
  }

  bytes(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, () => Math.floor(this.next() * 256));
  }
}

for (const variant of variants) {
  describe(`garbage sent to ${variant.name}`, () => {
    it("in place of a request ends that connection", async () => {
      await using besieged = await besiege(variant);
      const random = new Randomness(1);
      for (let round = 0; round < 50; round++) {
        using client = await RawClient.connect(besieged.url);
        client.write(random.bytes(1 + Math.floor(random.next() * 300)));
        // The engines wait for more of what may become a request.
        if (variant.engine === "tcp") assertEquals((await client.response()).status, 400);
        else client.socket.end();
        await client.end();
      }
      assertEquals(besieged.errors, []);
    });

    it("in place of frames ends that connection", async () => {
      await using besieged = await besiege(variant);
      const random = new Randomness(2);
      for (let round = 0; round < 50; round++) {
        using client = await RawClient.open(besieged.url);
        client.write(random.bytes(1 + Math.floor(random.next() * 300)));
        client.socket.end();
        const code = await client.closeCode();
        assert(code === null || [1002, 1005, 1007, 1009].includes(code), `${code}`);
      }
      for (const error of besieged.errors) {
        assertEquals((error as WebSocketError).code, "ERR_PROTOCOL");
      }
      await besieged.check();
    });
  });
}

for (const variant of transports) {
  describe(`TLS and plain text mixed up, at ${variant.name}`, () => {
    it("a TLS ClientHello to the plain port is answered 400 (RFC 9112 §3)", async () => {
      await using besieged = await besiege(variant);
      using client = await RawClient.connect(besieged.url);
      const hello = Uint8Array.of(0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3, ...new Uint8Array(190));
      client.write(hello);
      assertEquals((await client.response()).status, 400);
      await client.end();
      assertEquals(besieged.errors, []);
    });

    it("plain text to the TLS port ends that connection, and is no error", async () => {
      await using besieged = await besiege({ ...variant, secure: true });
      for (const text of [upgradeRequest(), "x", new Randomness(3).bytes(500)]) {
        using client = await RawClient.connect(besieged.url.replace("wss:", "ws:"));
        client.write(text);
        client.socket.end();
        await client.end();
      }
      await besieged.check();
      assertEquals(besieged.errors, []);
    });

    // The engines of Deno.serve and Bun.serve set no bound that could be waited for here.
    if (variant.engine === "tcp") {
      const kept = variant.name === "deno_tcp" ? "given up (Deno keeps its socket)" : "dropped";
      it(`a peer that stalls in the TLS handshake is ${kept} after handshakeTimeout`, () =>
        inTime(0.2, async (seconds) => {
          const options = { handshakeTimeout: seconds, closeTimeout: 0.2 };
          await using besieged = await besiege({ ...variant, secure: true }, options);
          for (const begun of [new Uint8Array(0), Uint8Array.of(0x16, 3, 1, 0, 200, 1, 0)]) {
            using client = await RawClient.connect(besieged.url.replace("wss:", "ws:"));
            client.write(begun);
            if (variant.name !== "deno_tcp") await client.end();
            else {
              while (besieged.counts.disconnect === besieged.counts.connect - 1) {
                await new Promise((resolve) => setTimeout(resolve, 20));
              }
            }
            await besieged.check();
          }
          assertEquals(besieged.errors, []);
        }));
    }
  });

  describe(`floods at ${variant.name}`, () => {
    it("a hundred request heads that never end hold up nobody", () =>
      inTime(0.5, async (seconds) => {
        await using besieged = await besiege(variant, { handshakeTimeout: seconds });
        const clients = await Promise.all(
          Array.from({ length: 100 }, () => RawClient.connect(besieged.url)),
        );
        for (const client of clients) client.write(upgradeRequest().slice(0, -2));
        using silent = await RawClient.connect(besieged.url);
        await besieged.check();
        for (const client of clients) client.write("X-More: 1\r\n");
        await besieged.check();
        if (variant.engine === "tcp") {
          for (const client of clients) assertEquals((await client.response()).status, 408);
          await silent.end();
        }
        for (const client of clients) client[Symbol.dispose]();
      }));

    it("a claim of a huge message costs no memory before its bytes have come", async () => {
      await using besieged = await besiege(variant, { maxRecvSize: 1024 * MIB });
      // What the engines make of claims over their own limits is in hostile_frames_test.ts.
      const claim = variant.engine === "tcp" ? 1000n : 50n;
      const start = clientFrame(2, new Uint8Array(10), { claim: claim * BigInt(MIB) });
      const before = process.memoryUsage().rss;
      const clients = await Promise.all(
        Array.from({ length: 50 }, () => RawClient.open(besieged.url)),
      );
      for (const client of clients) client.write(start);
      await besieged.check();
      await besieged.check();
      const grown = process.memoryUsage().rss - before;
      assert(grown < 100 * MIB, `${Math.round(grown / MIB)} MiB for 50 claims`);
      for (const client of clients) client.reset();
    });

    if (variant.engine !== "Deno.serve") {
      it("a decompression bomb is stopped at maxRecvSize: 1009, with flat memory (RFC 7692 §8)", async () => {
        const block = deflateRawSync(new Uint8Array(MIB), {
          finishFlush: constants.Z_SYNC_FLUSH,
        });
        // 1 GiB of zeros in 1 MiB.
        const bomb = concat(...Array(1024).fill(block)).subarray(0, -4);
        assert(bomb.length < 2 * MIB);
        await using besieged = await besiege(variant, {
          extensions: "permessage-deflate",
          maxRecvSize: 2 * MIB,
        });
        const before = process.memoryUsage().rss;
        for (let round = 0; round < 10; round++) {
          using client = await RawClient.open(besieged.url, {
            "Sec-WebSocket-Extensions": "permessage-deflate",
          });
          client.write(clientFrame(2, bomb, { rsv: 0x40 }));
          assertEquals(await client.closeCode(), 1009);
        }
        const grown = process.memoryUsage().rss - before;
        assert(grown < 100 * MIB, `${Math.round(grown / MIB)} MiB after 10 bombs`);
        assertEquals(
          besieged.errors.map((it) => (it as WebSocketError).code),
          Array(10).fill("ERR_PROTOCOL"),
        );
      });

      it("what cannot be inflated fails the connection with 1007 (RFC 7692 §7.2.2)", async () => {
        await using besieged = await besiege(variant, { extensions: "permessage-deflate" });
        const random = new Randomness(4);
        // The first byte says that a stored block follows, whose length is then wrong.
        const broken = concat(Uint8Array.of(1, 2, 3, 4, 5), random.bytes(100));
        using client = await RawClient.open(besieged.url, {
          "Sec-WebSocket-Extensions": "permessage-deflate",
        });
        client.write(clientFrame(1, broken, { rsv: 0x40 }));
        assertEquals(await client.closeCode(), 1007);
      });
    }
  });

  describe(`abrupt ends at ${variant.name}`, () => {
    it("a reset at any byte of the handshake, and behind it, leaves nothing behind", () =>
      inTime(1, async (seconds) => {
        await using besieged = await besiege(variant, {
          handshakeTimeout: seconds,
          closeTimeout: 0.5,
        });
        const request = upgradeRequest();
        for (let cut = 0; cut <= request.length; cut += 7) {
          const client = await RawClient.connect(besieged.url);
          client.socket.write(request.slice(0, cut), () => client.reset());
          await client.end();
        }
        for (let round = 0; round < 20; round++) {
          const client = await RawClient.connect(besieged.url);
          client.write(concat(request, clientFrame(1, "x".repeat(round * 100))));
          if (round % 2) await client.response(true);
          client.reset();
          await client.end();
        }
        await besieged.check();
        assertEquals(besieged.errors, []);
      }));

    it("an end right behind the request is answered or dropped, never left hanging", () =>
      inTime(1, async (seconds) => {
        await using besieged = await besiege(variant, {
          handshakeTimeout: seconds,
          closeTimeout: 0.5,
        });
        for (let round = 0; round < 20; round++) {
          using client = await RawClient.connect(besieged.url);
          client.socket.end(concat(upgradeRequest(), clientFrame(8, closeBytes(1000))));
          await client.end();
        }
        await besieged.check();
        assertEquals(besieged.errors, []);
      }));

    it("frames behind a Close, at length, are read and dropped (RFC 6455 §5.5.1)", async () => {
      await using besieged = await besiege(variant);
      for (let round = 0; round < 5; round++) {
        using client = await RawClient.open(besieged.url);
        client.write(clientFrame(8, closeBytes(1000)));
        client.write(new Uint8Array(MIB));
        assertEquals(await client.closeCode(), 1000);
      }
      assertEquals(besieged.errors, []);
    });
  });
}
