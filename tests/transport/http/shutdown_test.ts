import { assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { RawClient } from "../../support/raw_client.ts";
import { serve, variants } from "../../support/transports.ts";

const HALF_HEAD = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ";
const HALF_BODY = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nabc";
const PLAIN = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

for (const variant of variants.filter(({ transport }) => transport === "http")) {
  describe(`shutdown() of ${variant.name}`, () => {
    it("does not wait for a client that has sent half a request head, and drops it", async () => {
      const onRequest = () => new Response("never");
      await using served = await serve(variant, { onRequest });
      // How long the engine itself waits for the rest shows on a server that is not shut down.
      await using beside = await serve(variant, { onRequest });
      using client = await RawClient.connect(served.url);
      using bystander = await RawClient.connect(beside.url);
      for (const it of [client, bystander]) it.write(HALF_HEAD);
      // The server has seen the one before.
      assertEquals((await RawClient.ask(served.url, PLAIN)).status, 200);
      const shutDown = served.server.shutdown();
      const first = await Promise.race([
        client.end().then(() => "the server that is shut down"),
        bystander.end().then(() => "the other one"),
      ]);
      assertEquals(first, "the server that is shut down");
      await shutDown;
      assertEquals([client.received.length, served.errors], [0, []]);
    });

    // Deno keeps a connection for as long as a handler reads its body.
    const then = variant.engine === "Bun.serve" ? ", and drops it" : "";
    it(`waits no longer than closeTimeout for a client that has sent half a body${then}`, async () => {
      const asked = Promise.withResolvers<void>();
      await using served = await serve(variant, {
        closeTimeout: 0.2,
        async onRequest(request) {
          asked.resolve();
          return new Response(await request.text());
        },
      });
      using client = await RawClient.connect(served.url);
      client.write(HALF_BODY);
      await asked.promise;
      await served.server.shutdown();
      if (variant.engine === "Bun.serve") await client.end();
    });

    it("waits for a request under way, whose response goes out whole", async () => {
      const asked = Promise.withResolvers<void>();
      const decided = Promise.withResolvers<void>();
      await using served = await serve(variant, {
        closeTimeout: 15,
        async onRequest() {
          asked.resolve();
          await decided.promise;
          return new Response("x".repeat(3_000_000));
        },
      });
      using client = await RawClient.connect(served.url);
      client.write(PLAIN);
      await asked.promise;
      const down = served.server.shutdown();
      decided.resolve();
      const { status, body } = await client.response();
      assertEquals([status, body.length], [200, 3_000_000]);
      await down;
      await client.end();
      assertEquals(served.errors, []);
    });

    it("drops clients that have gone quiet after their request", async () => {
      await using served = await serve(variant, { onRequest: () => new Response("ok") });
      using client = await RawClient.connect(served.url);
      client.write(PLAIN);
      assertEquals((await client.response()).body, "ok");
      await served.server.shutdown();
      await client.end();
    });
  });
}
