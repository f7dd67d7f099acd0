import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { bytePaths, openOver, serveOver } from "../support/byte_paths.ts";
import { clientFrame } from "../support/client_frame.ts";
import { echo } from "../support/transports.ts";

for (const path of bytePaths) {
  describe(`a WebSocket over ${path.name}`, () => {
    it("opens and echoes", async () => {
      await using served = await serveOver(path, echo);
      using client = await openOver(path, served.url);
      client.write(clientFrame(1, "there and back"));
      assertEquals((await client.frame())?.payload.toString(), "there and back");
      assertEquals(served.errors, []);
    });
  });
}
