import { assertEquals } from "@std/assert";
import { networkInterfaces } from "node:os";
import { describe, it } from "node:test";
import { TrustedProxies } from "../../src/server/trusted_proxies.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { serve, transports, variants } from "../support/transports.ts";

const LONG = `${"a".repeat(63)}.`.repeat(4);
const X_FOR = { "x-forwarded-for": "8.8.8.8, 203.0.113.7, 10.0.0.2" };

/** What a proxy at 10.0.0.1 says, and the scheme and host that are believed. */
const ASKED: [what: string, fields: Record<string, string>, asked: string][] = [
  ["nothing", {}, "? ?"],
  ["an address alone", X_FOR, "? ?"],
  ["a scheme and a host", {
    "x-forwarded-proto": "HTTPS",
    "x-forwarded-host": "a.example:8443",
  }, "true a.example:8443"],
  ["a WebSocket's scheme", { "x-forwarded-proto": "wss" }, "true ?"],
  ["a scheme without TLS", { "x-forwarded-proto": "http" }, "false ?"],
  [
    "both in Forwarded",
    { forwarded: 'for=203.0.113.7;proto=https;host="a.example:1"' },
    "true a.example:1",
  ],
  ["one value for each address", {
    ...X_FOR,
    "x-forwarded-proto": "ftp, https, http",
    "x-forwarded-host": "evil.example, a.example, inner",
  }, "true a.example"],
  ["a client's invention before it", {
    ...X_FOR,
    "x-forwarded-proto": "http, https",
    "x-forwarded-host": "evil.example, a.example",
  }, "true a.example"],
  ["a client's invention before it", {
    forwarded:
      "for=8.8.8.8;proto=http;host=evil.example, for=203.0.113.7;proto=https;host=a.example",
  }, "true a.example"],
  ["what a proxy behind the client's says too", {
    forwarded: "for=203.0.113.7;proto=https;host=a.example, for=10.0.0.2;proto=http;host=inner",
  }, "true a.example"],
  ["the same in both ways", {
    forwarded: "for=203.0.113.7;proto=https;host=a.example",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "a.example",
  }, "true a.example"],
  ["two schemes and hosts", {
    forwarded: "for=203.0.113.7;proto=http;host=a.example",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "evil.example",
  }, "? ?"],
  ["in one way what the other leaves out", {
    forwarded: "for=203.0.113.7",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "evil.example",
  }, "? ?"],
  ["two clients", {
    forwarded: "for=203.0.113.7;proto=https;host=a.example",
    "x-forwarded-for": "8.8.8.8",
  }, "? ?"],
  ["a broken Forwarded beside it", {
    forwarded: "for",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "a.example",
  }, "? ?"],
  ["no scheme", { "x-forwarded-proto": "javascript", "x-forwarded-host": "" }, "? ?"],
  ["a host with a path", { "x-forwarded-host": "a.example/x" }, "? ?"],
  ["a host with a user", { "x-forwarded-host": "u@a.example" }, "? ?"],
  ["a host with a port that is none", { "x-forwarded-host": "a.example:99999" }, "? ?"],
  ["a host that is too long", { "x-forwarded-host": LONG + "example" }, "? ?"],
  ["an IPv6 host", { "x-forwarded-host": "[2001:db8::7]:8080" }, "? [2001:db8::7]:8080"],
  ["very much", { ...X_FOR, "x-forwarded-proto": "https,".repeat(2000) + "https" }, "true ?"],
];

describe("trustProxy believes the scheme and the host", () => {
  const proxies = new TrustedProxies(["10.0.0.0/8"]);
  for (const [what, fields, asked] of ASKED) {
    it(`of ${what} makes ${asked}: ${JSON.stringify(fields).slice(0, 120)}`, () => {
      const get = (name: string) => fields[name] ?? null;
      const { secure = "?", host = "?" } = proxies.clientOf({ get }, { ip: "10.0.0.1", port: 9 });
      assertEquals(`${secure} ${host}`, asked);
    });
  }
});

for (const variant of variants) {
  describe(`the client's scheme and host over ${variant.name}`, () => {
    const fields = {
      Host: "backend:8080",
      "X-Forwarded-For": "203.0.113.7",
      "X-Forwarded-Proto": "https",
      "X-Forwarded-Host": "chat.example",
    };
    const own = variant.secure ? "wss" : "ws";

    for (
      const [who, trustProxy, expected] of [
        ["a proxy tells", ["127.0.0.1"], ["203.0.113.7", true, "wss://chat.example/x?y=1"]],
        ["anybody else tells", ["10.0.0.1"], [
          "127.0.0.1",
          variant.secure,
          `${own}://backend:8080/x?y=1`,
        ]],
        ["nobody is believed", undefined, [
          "127.0.0.1",
          variant.secure,
          `${own}://backend:8080/x?y=1`,
        ]],
      ] as const
    ) {
      it(`are in isSecure and uri what they are when ${who}`, async () => {
        const seen: unknown[] = [];
        await using served = await serve(variant, {
          trustProxy: trustProxy && [...trustProxy],
          onConnect: (_server, connection) =>
            void connection.on({
              handshake: ({ ip }, { request }) =>
                void seen.push(ip, request.isSecure, request.uri.href, request.host),
            }),
        });
        const request = upgradeRequest(fields, "/x?y=1");
        assertEquals((await RawClient.ask(served.url, request)).status, 101);
        assertEquals(seen, [...expected, "backend:8080"]);
      });
    }

    it("http is believed too, where the proxy speaks TLS to us", async () => {
      const seen: unknown[] = [];
      await using served = await serve(variant, {
        trustProxy: ["127.0.0.1"],
        onConnect: (_server, connection) =>
          void connection.on({
            handshake: (_connection, { request }) =>
              void seen.push(request.isSecure, request.uri.href),
          }),
      });
      const request = upgradeRequest({ Host: "a", Forwarded: "for=203.0.113.7;proto=http" }, "/");
      assertEquals((await RawClient.ask(served.url, request)).status, 101);
      assertEquals(seen, [false, "ws://a/"]);
    });
  });
}

const hasIpv6 = Object.values(networkInterfaces()).flat().some((it) => it?.address === "::1");
for (const variant of transports) {
  describe(`an IPv4 client of an IPv6 listener over ${variant.name}`, { skip: !hasIpv6 }, () => {
    it("has its IPv4 address as ip, also for onRequest", async () => {
      const ips: string[] = [];
      await using served = await serve(variant, {
        hostname: "::",
        onConnect: (_server, connection) => void ips.push(connection.ip),
        onRequest: (_request, { remote }) => new Response(remote.ip),
      });
      assertEquals((await RawClient.ask(served.url, upgradeRequest())).status, 101);
      const plain = upgradeRequest({ Upgrade: "", Connection: "close" });
      assertEquals((await RawClient.ask(served.url, plain)).body, "127.0.0.1");
      assertEquals(new Set(ips), new Set(["127.0.0.1"]));
    });
  });
}
