/**
 * The dashboard example in a real browser, over every transport of both runtimes: `deno test -A`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { Example } from "../examples/start_example.ts";
import { chromiumFile, noChromium } from "../support/chromium.ts";

const output = fileURLToPath(new URL("../../tests/.output", import.meta.url));

/** Waits until the number that an element shows is as it should be. */
async function shows(page: Page, id: string, what: "positive" | "none"): Promise<void> {
  const hasText = what === "positive" ? /[1-9]/ : /^0$/;
  await page.locator(`#${id}`).filter({ hasText }).waitFor();
}

describe("the dashboard example in a browser", { skip: noChromium }, () => {
  let browser: Browser;
  before(async () => {
    mkdirSync(output, { recursive: true });
    browser = await chromium.launch({
      executablePath: chromiumFile,
      // It is needed where tests run as root; the only pages are our own.
      args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
    });
  });
  after(() => browser.close());

  for (const runtime of ["deno", "bun"] as const) {
    for (const transport of ["http", "tcp"]) {
      const name = `${runtime}_${transport}`;
      test(name, { timeout: 500_000 }, async () => {
        const flags = ["--transport", transport, "--port", "0"];
        await using server = await Example.start(runtime, "dashboard.ts", ...flags);
        const complaints: string[] = [];
        const open = async (colorScheme: "light" | "dark") => {
          const context = await browser.newContext({
            viewport: { width: 1280, height: 800 },
            colorScheme,
          });
          const page = await context.newPage();
          page.setDefaultTimeout(300_000);
          page.on("pageerror", (error) => complaints.push(String(error)));
          page.on("console", (message) => {
            if (message.type() === "error") complaints.push(message.text());
          });
          await page.goto(`${server.url}/`);
          await shows(page, "rate", "positive");
          return page;
        };
        const page = await open("light");
        const drawn = await page.locator("#plot").evaluate((canvas) => {
          const plot = canvas as unknown as {
            width: number;
            height: number;
            getContext(kind: "2d"): {
              getImageData(x: number, y: number, w: number, h: number): { data: Uint8ClampedArray };
            };
          };
          return plot.getContext("2d").getImageData(0, 0, plot.width, plot.height).data
            .some((it) => it > 0);
        });
        assert.ok(drawn, "nothing was drawn");
        await page.screenshot({ path: `${output}/dashboard_${name}.png` });
        await page.context().close();

        const slow = await open("dark");

        await slow.click("#slow");
        await shows(slow, "left-out", "positive");
        await slow.screenshot({ path: `${output}/dashboard_${name}_slow.png` });
        await slow.click("#slow");
        await shows(slow, "waiting", "none");

        await server.stop();
        await slow.locator("#status", { hasText: "Connection lost" }).waitFor();
        assert.deepEqual(
          complaints.filter((it) => !/^WebSocket connection to .* failed/.test(it)),
          [],
        );
      });
    }
  }
});
