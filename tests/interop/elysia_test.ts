import { describe, it } from "node:test";
import { runtime } from "../support/transports.ts";

// Not by its name, since Deno would look at its types.
const file = "./elysia.bun.ts";
if (runtime === "bun") await import(file);
else {
  describe("Elysia", () => {
    it("has WebSockets", { skip: "Elysia serves WebSockets under Bun only" }, () => {});
  });
}
