import assert from "node:assert/strict";
import { test } from "node:test";
import { Example, runtime } from "./start_example.ts";
import { upgradeStatus } from "./upgrade_status.ts";

test(`examples/http_app.ts on ${runtime}`, async () => {
  await using app = await Example.start(runtime, "http_app.ts", "--port", "0");
  const get = (path: string, init?: RequestInit) => fetch(`${app.url}${path}`, init);

  const page = await get("/");
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<script type="module" src="app.js">/);
  const etag = page.headers.get("etag") ?? "";
  assert.equal((await get("/", { headers: { "if-none-match": etag } })).status, 304);
  assert.equal((await get("/", { headers: { "if-none-match": '"another"' } })).status, 200);
  assert.equal(
    (await get("/app.js")).headers.get("content-type"),
    "text/javascript; charset=utf-8",
  );
  const missing = await get("/missing");
  assert.deepEqual([missing.status, await missing.text()], [404, "Not Found\n"]);
  assert.equal((await get("/", { method: "POST" })).status, 405);
  assert.equal((await get("/ws")).status, 426);

  const socket = new WebSocket(`${app.url.replace("http", "ws")}/ws`);
  const told = await new Promise((resolve, reject) => {
    socket.addEventListener("message", ({ data }) => resolve(data));
    socket.addEventListener("error", reject);
  });
  assert.equal(told, '{"visitors":1}');
  assert.deepEqual(await (await get("/api/visitors")).json(), { visitors: 1 });
  const closed = new Promise((resolve) => {
    socket.addEventListener("close", ({ code }) => resolve(code));
  });
  await app.stop();
  assert.equal(await closed, 1001);
});

test(`examples/http_app.ts on ${runtime} lets pages of its own host in, or those of --origin`, async () => {
  const origin = "https://app.example.com";
  await using app = await Example.start(runtime, "http_app.ts", "--port", "0");
  assert.equal(await upgradeStatus(`${app.url}/ws`, { origin: app.url }), 101);
  assert.equal(await upgradeStatus(`${app.url}/ws`, { origin }), 403);
  const flags = ["--port", "0", "--origin", origin];
  await using behindProxy = await Example.start(runtime, "http_app.ts", ...flags);
  assert.equal(await upgradeStatus(`${behindProxy.url}/ws`, { origin }), 101);
  assert.equal(await upgradeStatus(`${behindProxy.url}/ws`, { origin: behindProxy.url }), 403);
  assert.equal(await upgradeStatus(`${behindProxy.url}/ws`, {}), 101);
});
