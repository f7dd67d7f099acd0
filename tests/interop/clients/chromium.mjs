// Headless Chromium, driven from Deno: arguments are the URL and the browser's file.
import assert from "node:assert/strict";
import process from "node:process";
import { chromium } from "playwright-core";
import { messages } from "./messages.mjs";

const [url, executablePath] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
});
try {
  const page = await browser.newPage();
  const texts = messages.filter((it) => typeof it === "string");
  const answers = await page.evaluate(async ([url, texts]) => {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    const event = (name) =>
      new Promise((resolve) => socket.addEventListener(name, resolve, { once: true }));
    await event("open");
    const answers = [];
    for (const text of texts) {
      for (const message of [text, new TextEncoder().encode(text)]) {
        const answer = event("message");
        socket.send(message);
        const { data } = await answer;
        answers.push(typeof data === "string" ? data : new TextDecoder().decode(data));
      }
    }
    const closed = event("close");
    socket.close(1000);
    await closed;
    return answers;
  }, [url, texts]);
  assert.deepEqual(answers, texts.flatMap((text) => [text, text]));
} finally {
  await browser.close();
}
process.exit(0);
