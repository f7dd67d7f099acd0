/**
 * The chat example in a real browser, over every transport of both runtimes: `deno test -A`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";

const root = fileURLToPath(new URL("../../", import.meta.url));
const output = `${root}tests/.output`;
const cert = `${root}tests/tls/cert.pem`;
const key = `${root}tests/tls/key.pem`;

const browsers = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];
const executablePath = browsers.find((path) => path !== undefined && existsSync(path));
const noBrowser = executablePath === undefined &&
  "no Chromium here: install it, or name its file in the environment variable CHROMIUM";

interface Variant {
  runtime: "deno" | "bun";
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

describe("the chat example in a browser", { skip: noBrowser }, () => {
  let browser: Browser;
  before(async () => {
    mkdirSync(output, { recursive: true });
    browser = await chromium.launch({
      executablePath,
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

  for (const variant of variants) {
    const { runtime, transport, tls } = variant;
    const name = `${runtime}_${transport}${tls ? "_tls" : ""}`;
    const noCertificate = tls && !existsSync(cert) && "no certificate in tests/tls";
    test(name, { skip: noCertificate, timeout: 90_000 }, async () => {
      await using server = await ChatServer.start(variant, 0);
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

      await using again = await ChatServer.start(variant, server.port);
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

/** `examples/chat.ts` as a process of its own. */
class ChatServer {
  readonly url: string;
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
    this.port = Number(new URL(url).port);
  }

  static async start({ runtime, transport, tls }: Variant, port: number): Promise<ChatServer> {
    const flags = ["--port", String(port), "--transport", transport];
    if (tls) flags.push("--cert", cert, "--key", key);
    const chat = `${root}examples/chat.ts`;
    const child = runtime === "deno"
      ? spawn(process.execPath, [
        "run",
        "--no-prompt",
        "--allow-net",
        "--allow-read",
        chat,
        ...flags,
      ], {
        stdio: ["ignore", "pipe", "inherit"],
      })
      : spawn(`${root}node_modules/.bin/bun`, ["run", chat, ...flags], {
        stdio: ["ignore", "pipe", "inherit"],
      });
    const lines = createInterface({ input: child.stdout });
    for await (const line of lines) {
      const url = /^open (\S+) in a browser$/.exec(line)?.[1];
      if (url !== undefined) return new ChatServer(child, url);
    }
    throw new Error(`examples/chat.ts ended before it listened (${runtime}, ${transport})`);
  }

  /** Stops it as a terminal or a service manager would, and checks that it ends in order. */
  async stop(): Promise<void> {
    const exit = once(this.#child, "exit");
    // Not `kill()` of the process object: after it, Deno says that the signal was what ended it.
    process.kill(this.#child.pid ?? assert.fail("no process was started"), "SIGTERM");
    assert.deepEqual(await exit, [0, null]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }
}

/** The pages of one test, each with storage of its own. */
class Visitors {
  /** What pages wrote to their consoles as errors, a lost connection aside. */
  readonly complaints: string[] = [];
  readonly #pages: Page[] = [];

  constructor(readonly browser: Browser, readonly url: string) {}

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
    await page.goto(`${this.url}#the garden`);
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
