/**
 * The chat example in a real browser, over every transport of both runtimes: `deno test -A`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { chromiumFile, noChromium } from "../support/chromium.ts";
import { Example, type Runtime } from "../examples/start_example.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const output = `${root}tests/.output`;
const cert = `${root}tests/tls/cert.pem`;
const key = `${root}tests/tls/key.pem`;

interface Variant {
  runtime: Runtime;
  transport: "http" | "tcp";
  tls: boolean;
}

const variants: Variant[] = [
  { runtime: "deno", transport: "http", tls: false },
  { runtime: "deno", transport: "tcp", tls: false },
  { runtime: "bun", transport: "http", tls: false },
  { runtime: "bun", transport: "tcp", tls: false },
  { runtime: "deno", transport: "tcp", tls: true },
  { runtime: "bun", transport: "tcp", tls: true },
];

describe("the chat example in a browser", { skip: noChromium }, () => {
  let browser: Browser;
  before(async () => {
    mkdirSync(output, { recursive: true });
    browser = await chromium.launch({
      executablePath: chromiumFile,
      args: [
        "--no-sandbox", // needed where tests run as root; the only pages are our own
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  });
  after(() => browser.close());

  for (const { runtime, transport, tls } of variants) {
    const name = `${runtime}_${transport}${tls ? "_tls" : ""}`;
    const noCertificate = tls && !existsSync(cert) && "no certificate in tests/tls";
    test(name, { skip: noCertificate, timeout: 90_000 }, async () => {
      const flags = ["--transport", transport];
      if (tls) flags.push("--cert", cert, "--key", key);
      await using server = await Example.start(runtime, "chat.ts", ...flags, "--port", "0");
      await using visitors = new Visitors(browser, server.url);
      const ada = await visitors.come("Ada");
      const grace = await visitors.come("<b>Grace</b>", "phone");

      await sees(ada, "#log .note", "<b>Grace</b> joined");
      await sees(ada, "#people-title", "Here now: 2");
      await sees(grace, "#people-toggle", "2 people");

      await say(ada, "Good morning, and a long line to see how it wraps on a small screen.");
      await sees(grace, "#log .text", "Good morning");
      await say(grace, "<img src=x onerror='document.title=\"broken in\"'>");
      await sees(ada, "#log .text", "<img src=x");
      await sees(ada, "#log .who", "<b>Grace</b>");
      assert.equal(await ada.locator("#log img").count(), 0, "a message became HTML");
      assert.equal(await ada.locator("#log b b, #members b").count(), 0, "a name became HTML");
      assert.doesNotMatch(await ada.title(), /broken in/);

      const taken = await visitors.come("ADA", "phone", "stays at the door");
      await sees(taken, "#door-note[data-error]", "Somebody here is called Ada already.");

      const newcomer = await visitors.come("Katherine");
      await sees(newcomer, "#log .text", "Good morning");
      await sees(newcomer, "#log .text", "<img src=x");
      await sees(newcomer, "#people-title", "Here now: 3");
      await newcomer.click("#leave");
      await sees(ada, "#log .note", "Katherine left");
      await sees(ada, "#people-title", "Here now: 2");

      await ada.screenshot({ path: `${output}/chat_${name}_desk.png` });
      await grace.screenshot({ path: `${output}/chat_${name}_phone.png` });

      await server.stop();
      await sees(ada, "#banner:not([hidden])", "Connection lost.");
      await sees(grace, "#banner:not([hidden])", "Connection lost.");
      await ada.fill("#text", "Written while nobody listened");
      await ada.press("#text", "Enter");
      await sees(ada, "#unsent .state", "Waiting for the connection");
      await ada.screenshot({ path: `${output}/chat_${name}_lost.png` });

      const port = String(server.port);
      await using again = await Example.start(runtime, "chat.ts", ...flags, "--port", port);
      await sees(ada, "#status", "Connected");
      await sees(grace, "#status", "Connected");
      // Grace may be back only after it was said; then she finds it in the history.
      await sees(grace, "#log .text", "Written while nobody listened");
      await say(grace, "We are back");
      await sees(ada, "#log .text", "We are back");
      for (const page of [ada, grace]) {
        const line = page.locator("#log .text", { hasText: "Written while nobody listened" });
        assert.equal(await line.count(), 1, "a message was sent twice");
      }
      assert.equal(await ada.locator("#unsent li").count(), 0);
      await again.stop();
      assert.deepEqual(visitors.complaints, []);
    });
  }
});

/** The pages of one test, each with storage of its own. */
class Visitors {
  readonly browser: Browser;
  readonly url: string;
  /** What pages wrote to their consoles as errors, a lost connection aside. */
  readonly complaints: string[] = [];
  readonly #pages: Page[] = [];

  constructor(browser: Browser, url: string) {
    this.browser = browser;
    this.url = url;
  }

  async come(
    nickname: string,
    screen: "desk" | "phone" = "desk",
    expected: "joins" | "stays at the door" = "joins",
  ): Promise<Page> {
    const context = await this.browser.newContext({
      ignoreHTTPSErrors: true,
      ...(screen === "desk"
        ? { viewport: { width: 1280, height: 800 }, colorScheme: "light" }
        : { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true }),
    });
    const page = await context.newPage();
    this.#pages.push(page);
    page.setDefaultTimeout(20_000);
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      const text = message.text();
      if (message.type() === "error" && !/^WebSocket connection to .* failed/.test(text)) {
        this.complaints.push(text);
      }
    });
    await page.goto(`${this.url}/#the garden`);
    await page.fill("#nickname-input", nickname);
    await page.press("#nickname-input", "Enter");
    if (expected === "joins") await sees(page, "#room-name", "#the garden");
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const page of this.#pages) await page.context().close();
  }
}

async function say(page: Page, text: string): Promise<void> {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
  await sees(page, "#log .mine .text", text);
}

/** Waits until an element that the selector finds shows the text. */
async function sees(page: Page, selector: string, text: string): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).first().waitFor();
}
