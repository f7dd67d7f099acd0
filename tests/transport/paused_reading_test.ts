import { assert } from "@std/assert";
import { describe, it } from "node:test";
import { bytePaths, openOver, serveOver } from "../support/byte_paths.ts";
import { clientFrame, concat } from "../support/client_frame.ts";
import { patiently } from "../support/patience.ts";
import { handling } from "../support/transports.ts";

const PIECE = 256 * 1024;
const PUSHED = 192 * 1024 * 1024;
/** Far more than the two systems' buffers and ours hold. */
const HELD = 48 * 1024 * 1024;
/** So often the amount has to be the same for the peer to count as stopped. */
const LOOKS = 20;

for (const path of bytePaths) {
  describe(`a peer of a busy handler over ${path.name}`, () => {
    it("is not read: it cannot push more than the buffers hold, and then all of it comes", async () => {
      const gate = Promise.withResolvers<void>();
      const all = Promise.withResolvers<void>();
      let got = 0;
      await using served = await serveOver(
        path,
        handling({
          async binary(_connection, data) {
            got += data.length;
            if (got === PUSHED) all.resolve();
            await gate.promise;
          },
        }),
      );
      using client = await openOver(path, served.url);
      const frame = clientFrame(2, new Uint8Array(PIECE), { key: [0, 0, 0, 0] });
      const { socket } = client;
      let pushed = 0;
      const push = () => {
        while (pushed < PUSHED) {
          pushed += PIECE;
          if (!socket.write(frame)) return void socket.once("drain", push);
        }
      };
      push();
      for (let same = 0, before = -1; same < LOOKS;) {
        await new Promise((resolve) => setTimeout(resolve, 25));
        const taken = pushed - socket.writableLength;
        same = taken === before ? same + 1 : 0;
        before = taken;
      }
      assert(pushed < HELD, `${pushed} bytes were pushed`);
      gate.resolve();
      await patiently(all.promise, "all that was pushed");
      client.write(concat(clientFrame(8)));
    });
  });
}
