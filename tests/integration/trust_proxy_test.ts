import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import { WebSocketError, WebSocketServer } from "../../mod.ts";
import { TrustedProxies } from "../../src/server/trusted_proxies.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { serve, variants } from "../support/transports.ts";

const PROXIES = ["10.0.0.0/8", "192.0.2.1", "fd00::/8", "::1", "::ffff:172.16.0.0/108"];
const PEER = { ip: "10.1.2.3", port: 999 };

/** What a proxy at 10.1.2.3 says, and the client as it is then known. */
const CLIENTS: [what: string, fields: Record<string, string>, client: string][] = [
  ["nothing", {}, "10.1.2.3 999"],
  ["one client", { "x-forwarded-for": "203.0.113.7" }, "203.0.113.7 0"],
  ["one client", { forwarded: 'for="203.0.113.7:4711"' }, "203.0.113.7 4711"],
  [
    "a client's invention before it",
    { "x-forwarded-for": "8.8.8.8, 203.0.113.7" },
    "203.0.113.7 0",
  ],
  ["a client's invention before it", { forwarded: "for=8.8.8.8,for=203.0.113.7" }, "203.0.113.7 0"],
  ["rubbish before it", { "x-forwarded-for": '<x>", 203.0.113.7' }, "203.0.113.7 0"],
  [
    "more proxies behind it",
    { "x-forwarded-for": "8.8.8.8, 203.0.113.7, 192.0.2.1, fd00::1, ::ffff:10.0.0.1" },
    "203.0.113.7 0",
  ],
  ["proxies alone", { "x-forwarded-for": "10.0.0.9, 192.0.2.1" }, "10.0.0.9 0"],
  [
    "the same twice",
    { "x-forwarded-for": "203.0.113.7", forwarded: "for=203.0.113.7" },
    "203.0.113.7 0",
  ],
  ["two clients", { "x-forwarded-for": "203.0.113.7", forwarded: "for=8.8.8.8" }, "10.1.2.3 999"],
  ["one client in two ways, one of them broken", {
    "x-forwarded-for": "203.0.113.7",
    forwarded: "for",
  }, "10.1.2.3 999"],
  ["nobody", { forwarded: "for=unknown" }, "10.1.2.3 999"],
  ["nobody last", { forwarded: "for=203.0.113.7, for=_hidden" }, "10.1.2.3 999"],
  [
    "nobody behind a proxy",
    { forwarded: "for=203.0.113.7, for=_hidden, for=10.0.0.1" },
    "10.1.2.3 999",
  ],
  ["rubbish", { "x-forwarded-for": "here" }, "10.1.2.3 999"],
  ["rubbish", { forwarded: 'for="203.0.113.7' }, "10.1.2.3 999"],
];

describe("trustProxy", () => {
  const proxies = new TrustedProxies(PROXIES);

  for (
    const [ip, trusted] of [
      ["10.0.0.0", true],
      ["10.255.255.255", true],
      ["::ffff:10.1.2.3", true],
      ["11.0.0.0", false],
      ["192.0.2.1", true],
      ["192.0.2.2", false],
      ["fd12:3456::1", true],
      ["fe80::1", false],
      ["::1", true],
      ["0:0:0:0:0:0:0:1", true],
      ["::2", false],
      ["172.31.255.255", true],
      ["172.32.0.0", false],
      ["", false],
      ["/run/proxy.sock", false],
    ] as const
  ) {
    it(`${trusted ? "has" : "has not"} ${JSON.stringify(ip)}`, () => {
      assertEquals(proxies.has(ip), trusted);
    });
  }

  for (const [what, fields, client] of CLIENTS) {
    it(`of ${what} makes ${client}: ${JSON.stringify(fields)}`, () => {
      const get = (name: string) => fields[name] ?? null;
      const { ip, port } = proxies.clientOf({ get }, PEER);
      assertEquals(`${ip} ${port}`, client);
    });
  }

  it("does not believe others", () => {
    const peer = { ip: "203.0.113.9", port: 999 };
    assertEquals(proxies.clientOf({ get: () => "8.8.8.8" }, peer), peer);
  });

  const wrong: unknown[] = [
    "10.0.0.0/8",
    ["10.0.0.0/33"],
    ["::/129"],
    ["10.0.0.0/"],
    ["10.0.0/8"],
    ["::ffff:10.0.0.0/95"],
    ["fe80::1%eth0"],
    ["localhost"],
    [""],
    [10],
  ];
  for (const trustProxy of wrong) {
    it(`cannot be ${JSON.stringify(trustProxy)}`, () => {
      const make = () => new WebSocketServer({ trustProxy: trustProxy as string[] });
      const error = assertThrows(make, WebSocketError, "Cannot use trustProxy");
      assertEquals(error.code, "ERR_INVALID_ARGUMENT");
    });
  }
});

for (const variant of variants) {
  describe(`trustProxy over ${variant.name}`, () => {
    const request = (headers: Record<string, string>) =>
      upgradeRequest({ "X-Forwarded-For": "8.8.8.8, 203.0.113.7", ...headers });

    it("makes ip and port those of the client, from the origin event on", async () => {
      const seen: string[] = [];
      await using served = await serve(variant, {
        trustProxy: ["127.0.0.1"],
        onConnect(_server, connection) {
          connection.on({
            origin: ({ ip, port }) => void seen.push(`${ip} ${port}`),
            ready: ({ ip, port }) => void seen.push(`${ip} ${port}`),
          });
        },
      });
      assertEquals((await RawClient.ask(served.url, request({}))).status, 101);
      assertEquals(seen, ["203.0.113.7 0", "203.0.113.7 0"]);
      const forwarded = { "X-Forwarded-For": "", Forwarded: 'for="[2001:db8::7]:4711"' };
      assertEquals((await RawClient.ask(served.url, request(forwarded))).status, 101);
      assertEquals(seen.slice(2), ["2001:db8::7 4711", "2001:db8::7 4711"]);
    });

    it("leaves them the peer's where that is no proxy", async () => {
      const seen: string[] = [];
      await using served = await serve(variant, {
        trustProxy: ["10.0.0.0/8"],
        onConnect(_server, connection) {
          connection.on({ ready: ({ ip }) => void seen.push(ip) });
        },
      });
      assertEquals((await RawClient.ask(served.url, request({}))).status, 101);
      assertEquals(seen, ["127.0.0.1"]);
    });

    it("tells onRequest the client too", async () => {
      await using served = await serve(variant, {
        trustProxy: ["127.0.0.0/8"],
        onRequest: (_request, { remote }) => new Response(remote.ip),
      });
      const plain = request({ Upgrade: "", Connection: "close" });
      assertEquals((await RawClient.ask(served.url, plain)).body, "203.0.113.7");
    });
  });
}
