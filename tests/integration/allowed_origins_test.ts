import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import { WebSocketError, WebSocketServer } from "../../mod.ts";
import { AllowedOrigins } from "../../src/server/allowed_origins.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { serve, variants } from "../support/transports.ts";

const LIST = [
  "https://example.com",
  "HTTPS://Shop.Example.com:443",
  "http://localhost:8080",
  "https://*.example.org",
  "https://*.example.net:8443",
  "https://[::1]",
  "https://bücher.example",
  "chrome-extension://abcdefghijklmnop",
];

const ORIGINS: [origin: string, allowed: boolean][] = [
  ["https://example.com", true],
  ["https://EXAMPLE.com", true],
  ["https://example.com:443", true],
  ["https://shop.example.com", true],
  ["http://localhost:8080", true],
  ["https://[::1]", true],
  ["https://xn--bcher-kva.example", true],
  ["chrome-extension://abcdefghijklmnop", true],
  ["https://a.example.org", true],
  ["https://a.b.example.org", true],
  ["https://a.example.net:8443", true],
  // Another scheme, host or port.
  ["http://example.com", false],
  ["https://example.com:8443", false],
  ["https://www.example.com", false],
  ["https://example.com.evil.example", false],
  ["https://notexample.com", false],
  ["http://localhost", false],
  ["chrome-extension://other", false],
  // A wildcard stands for whole labels, at least one, and not for a scheme or a port.
  ["https://example.org", false],
  ["https://.example.org", false],
  ["https://notexample.org", false],
  ["http://a.example.org", false],
  ["https://a.example.org:8443", false],
  ["https://a.example.net", false],
  ["https://evil.example/.example.org", false],
  ["https://evil.example#.example.org", false],
  ["https://evil.example?.example.org", false],
  ["https://evil.example\\.example.org", false],
  ["https://evil.example:80@a.example.org", false],
  // No origin at all.
  ["null", false],
  ["", false],
  ["*", false],
  ["example.com", false],
  ["https://example.com/", false],
  ["https://example.com, https://example.com", false],
  ["https://example.com https://evil.example", false],
];

describe("allowedOrigins", () => {
  const origins = new AllowedOrigins(LIST);
  for (const [origin, allowed] of ORIGINS) {
    it(`${allowed ? "allows" : "refuses"} ${JSON.stringify(origin)}`, () => {
      assertEquals(origins.allow(origin), allowed);
    });
  }

  it("lets those through that send no Origin: they are no browsers (RFC 6455 §10.2)", () => {
    assertEquals(origins.allow(null), true);
    assertEquals(new AllowedOrigins([]).allow(null), true);
  });

  it("allows no page when it is empty", () => {
    assertEquals(new AllowedOrigins([]).allow("https://example.com"), false);
  });

  const wrong: unknown[] = [
    "https://example.com",
    ["example.com"],
    ["*"],
    ["https://*"],
    ["https://*.*.example.com"],
    ["https://a.*.example.com"],
    ["https://*example.com"],
    ["https://example.com/"],
    ["https://example.com/chat"],
    ["https://user@example.com"],
    ["https://example.com:99999"],
    [""],
    [null],
    [/example/],
  ];
  for (const allowedOrigins of wrong) {
    it(`cannot be ${JSON.stringify(allowedOrigins)}`, () => {
      const make = () => new WebSocketServer({ allowedOrigins: allowedOrigins as string[] });
      const error = assertThrows(make, WebSocketError, "Cannot use allowedOrigins");
      assertEquals(error.code, "ERR_INVALID_ARGUMENT");
    });
  }
});

for (const variant of variants) {
  describe(`allowedOrigins over ${variant.name}`, () => {
    it("answers 403 to other pages, before the origin event", async () => {
      const asked: (string | undefined)[] = [];
      await using served = await serve(variant, {
        allowedOrigins: ["https://example.com", "https://*.example.org"],
        onConnect(_server, connection) {
          connection.on({ origin: (_connection, origin) => void asked.push(origin?.origin) });
        },
      });
      const ask = async (headers: Record<string, string>) =>
        (await RawClient.ask(served.url, upgradeRequest(headers))).status;
      assertEquals(await ask({ Origin: "https://example.com" }), 101);
      assertEquals(await ask({ Origin: "https://a.example.org" }), 101);
      assertEquals(await ask({ Origin: "https://evil.example" }), 403);
      assertEquals(await ask({ Origin: "null" }), 403);
      assertEquals(await ask({}), 101);
      assertEquals(asked, ["https://example.com", "https://a.example.org", undefined]);
      assertEquals(served.errors, []);
    });
  });
}

it("allowedOrigins looks at Sec-WebSocket-Origin of the drafts", async () => {
  const [variant] = variants;
  const allowedOrigins = ["https://example.com"];
  await using served = await serve(variant, { allowedOrigins, versions: [13, 8] });
  const ask = async (origin: string) => {
    const headers = { "Sec-WebSocket-Version": "8", "Sec-WebSocket-Origin": origin };
    return (await RawClient.ask(served.url, upgradeRequest(headers))).status;
  };
  assertEquals(await ask("https://example.com"), 101);
  assertEquals(await ask("https://evil.example"), 403);
});
