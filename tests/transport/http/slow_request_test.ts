import { assert, assertEquals } from "@std/assert";
import { describe, it } from "node:test";
import { WebSocketServer } from "../../../mod.ts";
import { Journal } from "../../support/journal.ts";
import { runtime } from "../../support/transports.ts";

/** What is looked at of `Bun.serve`. */
interface BunServer {
  timeout(request: Request, seconds: number): void;
  requestIP(request: Request): unknown;
}

interface ServeOptions {
  fetch(request: Request, server: BunServer): Response | Promise<Response>;
}

/** After how long Bun gives up a connection on which nothing happens, unless it is told otherwise. */
const PATIENCE_OF_BUN = 10;

describe("a slow handler of onRequest on bun_http", () => {
  const skip = runtime !== "bun" && "Only Bun gives up a connection while its request is served";
  it("has more time than Bun gives it by itself", { skip }, async () => {
    const told = new Journal<number>();
    const { Bun } = globalThis as unknown as { Bun: { serve(options: ServeOptions): unknown } };
    const { serve } = Bun;
    Bun.serve = (options) =>
      serve({
        ...options,
        fetch: (request, server) =>
          options.fetch(request, {
            requestIP: (request) => server.requestIP(request),
            timeout(request, seconds) {
              told.add(seconds);
              server.timeout(request, seconds);
            },
          }),
      });
    await using server = new WebSocketServer({
      hostname: "127.0.0.1",
      debug: 0,
      onRequest: () => new Response("at last"),
    });
    try {
      await server.start();
    } finally {
      Bun.serve = serve;
    }
    const response = await fetch(`http://127.0.0.1:${server.port}`);
    assertEquals(await response.text(), "at last");
    assert(await told.next() > 6 * PATIENCE_OF_BUN);
  });
});
