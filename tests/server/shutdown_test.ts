import { assert, assertEquals } from "@std/assert";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type ConnectionHandlers, WebSocketConnection, WebSocketError } from "../../mod.ts";
import { allPaths } from "../support/all_paths.ts";
import { connectOver, openOver, serveOver } from "../support/byte_paths.ts";
import { clientFrame, closeBytes } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { upgradeRequest } from "../support/raw_client.ts";
import { handling, runtime } from "../support/transports.ts";

const run = promisify(execFile);
const PLAIN = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";

for (const path of allPaths) {
  describe(`shutdown over ${path.name}`, () => {
    it("nobody is let in once it has begun: onConnect does not run after an onAccept that comes late", async () => {
      const asked = Promise.withResolvers<void>();
      const decided = Promise.withResolvers<undefined>();
      let connects = 0;
      await using served = await serveOver(path, {
        onAccept() {
          asked.resolve();
          return decided.promise;
        },
        onConnect: () => void connects++,
      });
      using client = await connectOver(path, served.url);
      client.write(upgradeRequest());
      await asked.promise;
      await patiently(served.server.shutdown(), "shutdown");
      decided.resolve(undefined);
      await client.end();
      assertEquals([connects, served.errors], [0, []]);
    });

    const openings: Record<string, (asked: () => void) => ConnectionHandlers<WebSocketConnection>> =
      {
        origin: (asked) => ({
          origin() {
            asked();
            return new Promise<boolean>(() => {});
          },
        }),
        handshake: (asked) => ({
          handshake() {
            asked();
            return new Promise(() => {});
          },
        }),
      };
    for (const [event, handlers] of Object.entries(openings)) {
      it(`a handler for ${event} that never settles is not waited for`, async () => {
        const asked = Promise.withResolvers<void>();
        const ends = new Journal<number>();
        await using served = await serveOver(path, {
          ...handling({
            ...handlers(asked.resolve),
            disconnect: (_connection, code) => ends.add(code),
          }),
          closeTimeout: 60,
        });
        using client = await connectOver(path, served.url);
        client.write(upgradeRequest());
        await asked.promise;
        await patiently(served.server.shutdown(), "shutdown");
        assertEquals(ends.entries, [1006]);
        await client.end();
      });
    }

    it("an onConnect that never settles is not waited for; one that fails late is told of", async () => {
      const asked = new Journal<true>();
      const decided = Promise.withResolvers<void>();
      const told = new Journal<string>();
      await using served = await serveOver(path, {
        onConnect() {
          asked.add(true);
          return decided.promise;
        },
        onError: (_server, error) => told.add(error.message),
        closeTimeout: 60,
      });
      using client = await connectOver(path, served.url);
      client.write(upgradeRequest());
      await asked.next();
      await patiently(served.server.shutdown(), "shutdown");
      decided.reject(new Error("too late"));
      assertEquals(await told.next(), "The handler onConnect failed: too late");
    });

    for (const how of ["throws", "rejects"]) {
      it(`a disconnect of a subclass that ${how} keeps nobody from the 1001, and is told once`, async () => {
        class Stubborn extends WebSocketConnection {
          override disconnect(code?: number, reason?: string): void | Promise<void> {
            if (how === "throws") throw new Error("not me");
            super.disconnect(code, reason);
            return Promise.reject(new Error("not me"));
          }
        }
        await using served = await serveOver(path, { connectionClass: Stubborn });
        const clients = [
          await openOver(path, served.url),
          await openOver(path, served.url),
          await openOver(path, served.url),
        ];
        const finished = served.server.shutdown();
        for (const client of clients) {
          assertEquals(await client.closeCode(), 1001);
          client.write(clientFrame(8, closeBytes(1001)));
        }
        await patiently(finished, "shutdown");
        assertEquals(
          served.errors.map((it) => [(it as WebSocketError).code, it.message]),
          clients.map(() => ["ERR_HANDLER", "The handler disconnect failed: not me"]),
        );
        for (const it of clients) it[Symbol.dispose]();
      });
    }

    it("a request under way is served to its end", async () => {
      const asked = Promise.withResolvers<void>();
      const decided = Promise.withResolvers<Response>();
      await using served = await serveOver(path, {
        onRequest() {
          asked.resolve();
          return decided.promise;
        },
      });
      using client = await connectOver(path, served.url);
      client.write(PLAIN);
      await asked.promise;
      let done = false;
      const finished = served.server.shutdown().then(() => done = true);
      await new Promise((resolve) => setImmediate(resolve));
      assertEquals(done, false);
      decided.resolve(new Response("x".repeat(100_000)));
      const { status } = await client.response(true);
      await client.end();
      // It may come in chunks, between which stand their lengths.
      const body = client.received.toString().replaceAll(/[^x]/g, "");
      assertEquals([status, body.length], [200, 100_000]);
      await patiently(finished, "shutdown");
      assertEquals(served.errors, []);
    });

    it("an onConnect that waits for the shutdown it has ordered is not waited for", async () => {
      await using served = await serveOver(path, {
        closeTimeout: 60,
        onConnect: (server) => server.shutdown().then(() => false),
      });
      using client = await connectOver(path, served.url);
      client.write(upgradeRequest());
      await patiently(served.server.shutdown(), "shutdown");
      assertEquals(served.errors, []);
    });

    it("a request that is never answered is waited for no longer than closeTimeout", async () => {
      const asked = Promise.withResolvers<void>();
      await using served = await serveOver(path, {
        closeTimeout: 0.2,
        onRequest() {
          asked.resolve();
          return new Promise<Response>(() => {});
        },
      });
      using client = await connectOver(path, served.url);
      client.write(PLAIN);
      await asked.promise;
      await patiently(served.server.shutdown(), "shutdown");
    });
  });
}

if (runtime === "deno") {
  describe("what outlives a server", () => {
    it("nothing: deno test, whose sanitizers look for timers and sockets, finds no leak", async () => {
      const folder = mkdtempSync(join(tmpdir(), "duet-leaks-"));
      try {
        const mod = new URL("../../mod.ts", import.meta.url).href;
        const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
        const file = join(folder, "leaks_test.ts");
        writeFileSync(file, program(mod));
        const args = ["test", "-A", "--no-check", "--config", config, file];
        const env = { ...process.env, NO_COLOR: "1" };
        const { stdout } = await run(process.execPath, args, { env, timeout: 60_000 })
          .catch((error) => error as { stdout: string });
        assert(stdout.includes("ok | 6 passed"), stdout);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
}

function program(mod: string): string {
  return `
    import { WebSocketServer } from ${JSON.stringify(mod)};
    for (const transport of ["http", "tcp"]) {
      const options = { transport, hostname: "127.0.0.1", tickPeriod: 60, debug: 0, closeTimeout: 1 };
      Deno.test(transport + ": started and shut down", async () => {
        const server = new WebSocketServer(options);
        const stream = new ReadableStream();
        server.watchReadable(stream, () => {});
        await server.start();
        await server.shutdown();
      });
      Deno.test(transport + ": a start that failed", async () => {
        const blocker = Deno.listen({ port: 0, hostname: "127.0.0.1" });
        const server = new WebSocketServer({ ...options, port: blocker.addr.port });
        await server.start().catch(() => {});
        await server.shutdown();
        blocker.close();
      });
      Deno.test(transport + ": an origin that is never decided on", async () => {
        const asked = Promise.withResolvers();
        const server = new WebSocketServer({
          ...options,
          onConnect: (_server, connection) => void connection.on({
            origin() {
              asked.resolve();
              return new Promise(() => {});
            },
          }),
        });
        await server.start();
        const client = await Deno.connect({ port: server.port, hostname: "127.0.0.1" });
        await client.write(new TextEncoder().encode(${JSON.stringify(upgradeRequest())}));
        await asked.promise;
        await server.shutdown();
        client.close();
      });
    }
  `;
}
