import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openNative } from "../support/native_client.ts";
import { Example, runtime } from "./start_example.ts";

for (const transport of ["http", "tcp"]) {
  describe(`examples/metrics.ts on ${runtime}_${transport}`, () => {
    test("serves its statistics to Prometheus, and sends them to its page", async () => {
      const flags = ["--port", "0", "--transport", transport];
      await using example = await Example.start(runtime, "metrics.ts", ...flags);
      const { socket, messages, end } = await openNative(example.url.replace("http", "ws"));
      socket.send("echo");
      for (;;) {
        const message = String(await messages.next());
        if (message === "echo") continue;
        const { open, messagesReceived, closed } = JSON.parse(message);
        if (messagesReceived === 0) continue;
        assert.deepEqual([open, messagesReceived, closed], [1, 1, {}]);
        break;
      }
      socket.close(4000);
      await end();
      const text = await metrics(example);
      for (
        const line of [
          "duet_open 0",
          'duet_closed_total{code="4000"} 1',
          "duet_opened_total 1",
          "duet_messages_received_total 1",
          "duet_refused_total 0",
        ]
      ) assert.ok(`\n${text}`.includes(`\n${line}\n`), `${line} is not in\n${text}`);
      for (const line of text.trimEnd().split("\n")) {
        assert.match(
          line,
          /^(?:# TYPE duet_\w+ (?:counter|gauge)|duet_\w+(?:\{code="\d+"\})? \d+)$/,
        );
      }
      await example.stop();
    });

    test("serves its page", async () => {
      const flags = ["--port", "0", "--transport", transport];
      await using example = await Example.start(runtime, "metrics.ts", ...flags);
      const page = await fetch(`${example.url}/`);
      const html = await page.text();
      for (const [, path] of html.matchAll(/ (?:src|href)="(?!data:)([^"]+)"/g)) {
        const response = await fetch(new URL(path, page.url));
        assert.equal(response.status, 200, path);
        await response.body?.cancel();
      }
      await example.stop();
    });
  });
}

/** Asks until the end of the connection is counted. */
async function metrics({ url }: Example): Promise<string> {
  for (;;) {
    const response = await fetch(`${url}/metrics`);
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain;\s?charset=utf-8$/i);
    const text = await response.text();
    if (text.includes("duet_closed_total{")) return text;
  }
}
