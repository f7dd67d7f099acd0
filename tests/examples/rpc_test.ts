import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { connect } from "../../client/mod.ts";
import { transports } from "../support/transports.ts";
import { RunningExample } from "./run_example.ts";

for (const { name, transport } of transports) {
  describe(`examples/rpc.ts on ${name}`, () => {
    it("answers calls, and calls back while one is under way (JSON-RPC 2.0)", async () => {
      const flags = ["--port", "0", "--transport", transport];
      await using example = RunningExample.start("rpc.ts", flags);
      const client = await connect(await example.url(), { debug: 0 });
      const send = (message: object) =>
        void client.send(JSON.stringify({ jsonrpc: "2.0", ...message }));
      const next = async () => {
        const { jsonrpc, ...message } = JSON.parse(await client.recv() as string);
        assertEquals(jsonrpc, "2.0");
        return message;
      };

      send({ id: "a", method: "add", params: [2, 3] });
      assertEquals(await next(), { id: "a", result: 5 });

      send({ id: 7, method: "remove", params: ["it"] });
      assertEquals(await next(), { id: 1, method: "confirm", params: ["it"] });
      send({ id: 8, method: "add", params: [1, 1] });
      assertEquals(await next(), { id: 8, result: 2 });
      send({ id: 1, result: true });
      assertEquals(await next(), { id: 7, result: "removed" });

      send({ id: 9, method: "remove", params: ["it"] });
      assertEquals(await next(), { id: 2, method: "confirm", params: ["it"] });
      send({ id: 2, error: { code: 5, message: "busy" } });
      assertEquals(await next(), { id: 9, error: { code: 5, message: "busy" } });

      send({ method: "add", params: [1, 1] }); // a notification is not answered
      send({ id: 10, method: "constructor" });
      assertEquals(await next(), { id: 10, error: { code: -32601, message: "Method not found" } });
      client.send("no JSON");
      assertEquals(await client.recv(), null);
      assertEquals(await example.stop(), 0);
      assertEquals(example.errors.entries, []);
    });
  });
}
