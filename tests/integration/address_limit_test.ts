import { assertEquals, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import { WebSocketError, WebSocketServer } from "../../mod.ts";
import { AddressCounts } from "../../src/server/address_counts.ts";
import { clientFrame } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { handling, serve, transports, variants } from "../support/transports.ts";

describe("the count of connections from an address", () => {
  it("goes up and down, for each connection once", () => {
    const counts = new AddressCounts();
    const [one, two] = [{}, {}];
    assertEquals(counts.add(one, "203.0.113.7"), 1);
    assertEquals(counts.add(two, "203.0.113.7"), 2);
    assertEquals(counts.add(two, "203.0.113.7"), 2);
    assertEquals(counts.from("203.0.113.8"), 0);
    assertEquals(counts.add(two, "203.0.113.8"), 1);
    assertEquals(counts.from("203.0.113.7"), 1);
    counts.remove(one);
    counts.remove(one);
    assertEquals(counts.from("203.0.113.7"), 0);
    assertEquals(counts.from("203.0.113.8"), 1);
  });

  it("is one for an IPv4 address, however it is written", () => {
    const counts = new AddressCounts();
    counts.add({}, "203.0.113.7");
    assertEquals(counts.from("::ffff:203.0.113.7"), 1);
  });

  it("is one for all IPv6 addresses whose first 64 bits are the same", () => {
    const counts = new AddressCounts();
    for (
      const [ip, same, other] of [
        ["2001:db8:1:2::1", "2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:3::1"],
        ["2001:db8::1", "2001:db8:0:0:1:2:3:4", "2001:db8:0:1::1"],
        ["::1", "0:0:0:0:1::1", "0:0:0:1::1"],
        ["1::3:4:5:6:7", "1:0:0:3:ffff::", "1:0:0:4::"],
        ["1:2:3::", "1:2:3:0::1", "1:2:3:4::"],
        ["1:2:3:4::", "1:2:3:4:5:6:7:8", "1:2:3:5::"],
        ["fe80::1%eth0", "fe80::2%eth0", "fe80:0:0:1::1"],
      ]
    ) {
      counts.add({}, ip);
      assertEquals(counts.from(same), 1, `${same} counts as ${ip} does`);
      assertEquals(counts.from(other), 0, `${other} does not`);
    }
  });

  it("is none for peers without an address", () => {
    const counts = new AddressCounts();
    assertEquals(counts.add({}, "/run/server.sock"), 0);
    assertEquals(counts.add({}, ""), 0);
    assertEquals(counts.from(""), 0);
  });
});

it("maxConnectionsPerAddress takes a whole number from 1 on", () => {
  for (const maxConnectionsPerAddress of [0, -1, 1.5, NaN, Infinity]) {
    const make = () => new WebSocketServer({ maxConnectionsPerAddress });
    assertThrows(make, WebSocketError, "Cannot use maxConnectionsPerAddress");
  }
});

for (const variant of variants) {
  describe(`maxConnectionsPerAddress over ${variant.name}`, () => {
    it("answers 503 above it, until a connection has left", async () => {
      const left = new Journal<number>();
      await using served = await serve(variant, {
        ...handling({ disconnect: (_connection, code) => left.add(code) }),
        maxConnectionsPerAddress: 2,
      });
      using first = await RawClient.open(served.url);
      using _second = await RawClient.open(served.url);
      const refused = await RawClient.ask(served.url, upgradeRequest());
      assertEquals(refused.status, 503);
      assertEquals(Number(refused.headers.get("retry-after")) > 0, true);
      first.write(clientFrame(8));
      assertEquals(await left.next(), 1005);
      using _third = await RawClient.open(served.url);
      assertEquals([...served.server.connections].length, 2);
    });

    it("counts clients behind a proxy by their own addresses", async () => {
      const served = await serve(variant, {
        maxConnectionsPerAddress: 1,
        trustProxy: ["127.0.0.1"],
      });
      await using _served = served;
      const from = (ip: string) => ({ "X-Forwarded-For": ip });
      using _one = await RawClient.open(served.url, from("203.0.113.7"));
      using _two = await RawClient.open(served.url, from("203.0.113.8"));
      const again = upgradeRequest(from("203.0.113.7"));
      assertEquals((await RawClient.ask(served.url, again)).status, 503);
      using _three = await RawClient.open(served.url, from("203.0.113.9"));
    });
  });
}

for (const variant of transports.filter(({ transport }) => transport === "tcp")) {
  it(`${variant.name}: connections that have asked for nothing yet count too`, async () => {
    const accepted = new Journal<true>();
    await using served = await serve(variant, {
      maxConnectionsPerAddress: 1,
      onConnect: () => accepted.add(true),
    });
    using _silent = await RawClient.connect(served.url);
    await accepted.next();
    assertEquals((await RawClient.ask(served.url, upgradeRequest())).status, 503);
  });
}
