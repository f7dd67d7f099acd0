import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import { clientFrame, concat } from "../support/client_frame.ts";
import { ServerProcess } from "../support/server_process.ts";
import { RawClient } from "../support/raw_client.ts";
import { transports } from "../support/transports.ts";
import { FLAT } from "./flood.ts";
import { assertAnswers } from "./healthy.ts";
import { HANG_MS } from "../support/hang.ts";

const OFFER = { "Sec-WebSocket-Extensions": "permessage-deflate" };

/** 10 MB that inflate to 10 GiB of zeros: a block of 16 MiB that refers to nothing before it, 640 times. */
function bomb(): Uint8Array {
  const block = deflateRawSync(new Uint8Array(16 << 20), { finishFlush: constants.Z_FULL_FLUSH });
  return concat(...new Array<Uint8Array>(640).fill(block));
}

for (const { name, transport } of transports) {
  const skip = name === "deno_http" && "deno_http: its engine has no compression";
  describe(`hostile compression over ${name}`, { skip }, () => {
    it("decompression bombs: 10 GiB in 10 MB is 1009, and memory stays flat", async () => {
      await using server = await ServerProcess.start({ transport, flags: ["--deflate"] });
      using healthy = await RawClient.open(server.url);
      const frame = clientFrame(2, bomb(), { rsv: 0x40 });
      const before = server.memory ?? 0;
      for (let i = 0; i < 3; i++) {
        using client = await RawClient.open(server.url, OFFER);
        client.write(frame);
        assertEquals(await client.closeCode(), 1009);
      }
      // The 10 MB as they came, and maxRecvSize, 16 MiB, of what was in them.
      const growth = (server.memory ?? 0) - before;
      assert(growth < 3 * FLAT, `${growth} bytes`);
      await assertAnswers(healthy);
    });

    it("decompression bombs in many fragments are the same", async () => {
      await using server = await ServerProcess.start({ transport, flags: ["--deflate"] });
      const whole = bomb();
      const before = server.memory ?? 0;
      using client = await RawClient.open(server.url, OFFER);
      const size = 10_000;
      for (let at = 0; at < whole.length; at += size) {
        const fin = at + size >= whole.length;
        const rsv = at === 0 ? 0x40 : 0;
        client.write(clientFrame(at === 0 ? 2 : 0, whole.subarray(at, at + size), { fin, rsv }));
      }
      assertEquals(await client.closeCode(), 1009);
      const growth = (server.memory ?? 0) - before;
      assert(growth < 3 * FLAT, `${growth} bytes`);
    });

    it("many small messages that inflate to nearly the limit take turns with others", async () => {
      const flags = ["--deflate", "--max-size", String(1 << 20)];
      await using server = await ServerProcess.start({ transport, flags });
      const block = deflateRawSync(new Uint8Array(1 << 20), {
        finishFlush: constants.Z_SYNC_FLUSH,
      });
      const frame = clientFrame(2, block.subarray(0, -4), { rsv: 0x40 });
      using healthy = await RawClient.open(server.url);
      using client = await RawClient.open(server.url, OFFER);
      const before = server.memory ?? 0;
      // 1 GiB of messages; each echo is as small again.
      client.write(concat(...new Array<Uint8Array>(1024).fill(frame)));
      let slowest = 0;
      for (let i = 0; i < 1024; i++) {
        const began = performance.now();
        if (i % 100 === 0) await assertAnswers(healthy);
        slowest = Math.max(slowest, performance.now() - began);
        assertEquals((await client.frame())?.opcode, 2);
      }
      if (transport === "tcp") assert(slowest < HANG_MS, `somebody else waited ${slowest} ms`);
      const growth = (server.memory ?? 0) - before;
      // They are let go of one by one; how soon the collector takes them is its own affair.
      assert(growth < 8 * FLAT, `${growth} bytes`);
      await assertAnswers(healthy);
    });
  });
}
