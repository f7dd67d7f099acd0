import { assert, assertEquals } from "@std/assert";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  cancelDeadline,
  type Expiring,
  startDeadline,
  tidyDeadlines,
} from "../../src/transport/deadlines.ts";
import { Journal } from "../support/journal.ts";
import { patiently } from "../support/patience.ts";
import { runtime } from "../support/transports.ts";

describe("deadlines", () => {
  it("expire in the order in which their time is up, later when they are begun anew", async () => {
    const journal = new Journal<string>();
    const item = (name: string): Expiring => ({ expired: () => journal.add(name) });
    const [a, b, c] = ["a", "b", "c"].map(item);
    for (const it of [a, b, c, a]) startDeadline(it, 0.02);
    cancelDeadline(b, 0.02);
    assertEquals(await journal.first(2), ["c", "a"]);
  });

  it("of equal length look at the clock once or twice each, however often they are begun anew", async () => {
    const rounds = 40;
    const items = 25;
    const { now } = performance;
    let looks = 0;
    let expired = 0;
    const all = Promise.withResolvers<void>();
    performance.now = () => {
      looks++;
      return now.call(performance);
    };
    try {
      for (let i = 0; i < items; i++) {
        let left = rounds;
        const item: Expiring = {
          expired() {
            expired++;
            if (--left > 0) startDeadline(item, 0.005);
            else if (expired === rounds * items) all.resolve();
          },
        };
        startDeadline(item, 0.005);
        // So that not all of them expire in the same turn.
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await patiently(all.promise, "the end of all deadlines");
    } finally {
      performance.now = now;
    }
    assert(looks <= expired * 4, `${looks} looks at the clock for ${expired} deadlines`);
  });

  it("leave no timer once nobody waits and they are tidied", () => {
    const item: Expiring = { expired: () => assert(false, "it was cancelled") };
    startDeadline(item, 3600);
    cancelDeadline(item, 3600);
    tidyDeadlines();
    startDeadline(item, 3600);
    tidyDeadlines();
    cancelDeadline(item, 3600);
    tidyDeadlines();
  });

  const skip = runtime !== "deno" && "its test runner does not look for timers that are left";
  it(
    "leave nothing behind after shutdown() that deno test would call a leak",
    { skip },
    async () => {
      const root = new URL("../../", import.meta.url);
      const folder = mkdtempSync(join(tmpdir(), "duet-leak-"));
      const file = join(folder, "leak_test.ts");
      writeFileSync(file, leakTest(root.href));
      try {
        await promisify(execFile)(process.execPath, ["test", "-A", "--no-check", file], {
          cwd: fileURLToPath(root),
          env: { ...process.env, NO_COLOR: "1" },
        });
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});

/** A test of a user's, over every byte path, with the sanitizers that `deno test` has by default. */
function leakTest(root: string): string {
  return `
    import { bytePaths, openOver, serveOver } from "${root}tests/support/byte_paths.ts";
    import { clientFrame } from "${root}tests/support/client_frame.ts";
    for (const path of bytePaths) {
      Deno.test(path.name, async () => {
        const { server, url } = await serveOver(path, { silenceMax: 30 });
        const client = await openOver(path, url);
        client.write(clientFrame(8, Uint8Array.of(3, 232)));
        await client.end();
        client.socket.destroy();
        await new Promise((resolve) => client.socket.closed ? resolve() : client.socket.once("close", resolve));
        await server.shutdown();
      });
    }
  `;
}
