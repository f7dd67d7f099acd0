import { assert } from "@std/assert";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { clientFrame } from "../support/client_frame.ts";
import { RawClient } from "../support/raw_client.ts";
import { ServerProcess } from "../support/server_process.ts";
import { runtime } from "../support/transports.ts";

const SENT = 300_000_000;
const MOST = 100 * 1024 * 1024;
/** So often nothing more must have been taken for the server to count as one that does not read. */
const LOOKS = 20;

const pem = (name: string) => fileURLToPath(new URL(`../tls/${name}.pem`, import.meta.url));
const TLS = ["--cert", pem("cert"), "--key", pem("key")];

for (const [name, flags] of [["node:http", []], ["node:https", TLS]] as const) {
  describe(`handleUpgrade() of ${name} on ${runtime}`, () => {
    it("a handler that never settles holds less than 100 MiB, though 300 MB are sent", async () => {
      await using server = await ServerProcess.startMount(runtime, ["--slow", ...flags]);
      using client = await RawClient.open(server.url);
      const before = server.memory ?? 0;
      const frame = clientFrame(2, new Uint8Array(65_536));
      let [sent, peak] = [0, 0];
      for (let [still, last] = [0, -1]; still < LOOKS && sent < SENT;) {
        while (client.socket.writableLength < 1 << 20 && sent < SENT) {
          client.write(frame);
          sent += frame.length;
        }
        await new Promise((resolve) => setTimeout(resolve, 25));
        const taken = sent - client.socket.writableLength;
        still = taken === last ? still + 1 : 0;
        last = taken;
        peak = Math.max(peak, server.memory ?? 0);
      }
      assert(peak - before < MOST, `it grew by ${peak - before} bytes`);
      assert(sent < SENT, "all of it was taken");
      assert(!server.ended);
    });
  });
}
