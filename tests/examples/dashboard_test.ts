import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Gauge } from "../../examples/dashboard_gauge.ts";
import { openNative } from "../support/native_client.ts";
import { Example, runtime } from "./start_example.ts";
import { upgradeStatus } from "./upgrade_status.ts";

for (const transport of ["http", "tcp"]) {
  describe(`examples/dashboard.ts on ${runtime}_${transport}`, () => {
    test("sends every viewer the updates of 25 gauges, and what became of them", async () => {
      const flags = ["--port", "0", "--transport", transport];
      await using dashboard = await Example.start(runtime, "dashboard.ts", ...flags);
      const { messages, socket, end } = await openNative(dashboard.url.replace("http", "ws"));
      const gauges = new Set<number>();
      let counts: { viewers: number; published: number; leftOut: number } | undefined;
      while (gauges.size < 25 || counts === undefined || counts.published === 0) {
        const message = JSON.parse(await messages.next() as string);
        if (!Array.isArray(message)) counts = message;
        else {
          const [gauge, time, values] = message;
          gauges.add(gauge);
          assert.ok(Math.abs(Date.now() - time) < 60_000);
          assert.equal(values.length, 320);
        }
      }
      assert.equal(counts.viewers, 1);
      // How many a busy machine leaves out is no matter; that it is a part of what was published is.
      assert.ok(counts.leftOut >= 0 && counts.leftOut < counts.published);
      socket.close();
      await end();
      await dashboard.stop();
    });

    test("serves its page, which may load nothing else, and lets no other page in", async () => {
      const flags = ["--port", "0", "--transport", transport];
      await using dashboard = await Example.start(runtime, "dashboard.ts", ...flags);
      const page = await fetch(`${dashboard.url}/`);
      const policy = page.headers.get("content-security-policy") ?? "";
      assert.match(policy, /default-src 'none'.*trusted-types dashboard$/);
      assert.doesNotMatch(policy, /unsafe|\*/);
      const html = await page.text();
      for (const [, path] of html.matchAll(/ (?:src|href)="(?!data:)([^"]+)"/g)) {
        assert.equal((await fetch(new URL(path, page.url))).status, 200, path);
      }
      assert.equal(await upgradeStatus(dashboard.url, { origin: "http://evil.example" }), 403);
      assert.equal(await upgradeStatus(dashboard.url, { origin: dashboard.url }), 101);
      await dashboard.stop();
    });
  });
}

test("a gauge measures values from 0 to 999, and its newest update has the last of them", () => {
  const gauge = new Gauge(3, 0.025);
  let before: number[] | undefined;
  for (let i = 0; i < 1000; i++) {
    const [number, , values] = JSON.parse(gauge.measure()) as [number, number, number[]];
    assert.deepEqual([number, values.length], [3, 320]);
    assert.ok(values.every((it) => Number.isInteger(it) && it >= 0 && it <= 999));
    if (before !== undefined) assert.deepEqual(values.slice(0, -1), before.slice(1));
    before = values;
  }
});
