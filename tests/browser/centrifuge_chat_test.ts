/**
 * The chat of clients that come back in a real browser, which runs npm `centrifuge` as it is: `deno test -A`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { chromiumFile, noChromium } from "../support/chromium.ts";
import { Example, type Runtime } from "../examples/start_example.ts";

const SEEN = 20_000;

async function enter(browser: Browser, url: string, name: string): Promise<Page> {
  const page = await browser.newPage();
  page.setDefaultTimeout(SEEN);
  await page.goto(`${url}/`);
  await page.fill("#enter input", name);
  await page.click("#enter button");
  await page.getByText("connected", { exact: true }).waitFor();
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.fill("#say input", text);
  await page.click("#say button");
}

describe("the chat of clients that come back, in a browser", { skip: noChromium }, () => {
  let browser: Browser;
  before(async () => {
    browser = await chromium.launch({
      executablePath: chromiumFile,
      // Needed where tests run as root; the only pages are our own.
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    });
  });
  after(() => browser?.close());

  for (const on of ["deno", "bun"] as Runtime[]) {
    test(`${on}: who comes later sees what was said, and all come back after a restart`, async () => {
      let example = await Example.start(on, "centrifuge_chat.ts", "--port", "0");
      const { url, port } = example;
      try {
        const ada = await enter(browser, url, "Ada");
        await say(ada, "hello");
        await ada.getByText("Ada: hello").waitFor();
        const grace = await enter(browser, url, "Grace");
        await grace.getByText("Ada: hello").waitFor();
        await ada.getByText("Ada, Grace").waitFor();
        await example.stop();
        await ada.getByText("connecting").waitFor();
        example = await Example.start(on, "centrifuge_chat.ts", "--port", `${port}`);
        for (const page of [ada, grace]) {
          await page.getByText("connected", { exact: true }).waitFor();
        }
        await say(grace, "again");
        for (const page of [ada, grace]) await page.getByText("Grace: again").waitFor();
        assert.equal(await ada.getByText("Ada: hello").count(), 1);
        for (const page of [ada, grace]) await page.close();
      } finally {
        await example.stop();
      }
    });
  }
});
