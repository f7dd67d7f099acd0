import { createServer as createTlsServer } from "node:tls";
import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import { WebSocketError, WebSocketServer, type WebSocketServerOptions } from "../../mod.ts";
import { clientFrame, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { inTime } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { cert, echo, key, serve, transports } from "../support/transports.ts";

const LINE = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n";
const trusting = { proxyProtocol: true, trustProxy: ["127.0.0.1"] };

describe("proxyProtocol", () => {
  const refused = (options: WebSocketServerOptions, code: string, why: string) => {
    const error = assertThrows(() => new WebSocketServer(options), WebSocketError, why);
    assertEquals(error.code, code);
  };

  it("needs trustProxy", () => {
    const options = { transport: "tcp", proxyProtocol: true } as const;
    refused(options, "ERR_INVALID_ARGUMENT", "Cannot use proxyProtocol true");
    refused({ proxyProtocol: 1 as unknown as boolean }, "ERR_INVALID_ARGUMENT", "proxyProtocol");
  });

  it("is not to be had on http", () => {
    refused({ ...trusting, transport: "http" }, "ERR_UNSUPPORTED", 'Use transport: "tcp"');
    new WebSocketServer({ transport: "http", proxyProtocol: false });
  });

  it("is not to be had with TLS", async () => {
    const options = { ...trusting, transport: "tcp" } as const;
    refused({ ...options, tls: { cert, key } }, "ERR_UNSUPPORTED", "Cannot read PROXY headers");
    const listen = createTlsServer({ cert, key });
    const server = new WebSocketServer({ ...options, listen, hostname: "127.0.0.1" });
    const error = await assertRejects(() => server.start(), WebSocketError, "with TLS");
    assertEquals(error.code, "ERR_UNSUPPORTED");
    assertEquals(listen.listening, false);
  });
});

for (const variant of transports.filter(({ transport }) => transport === "tcp")) {
  describe(`proxyProtocol over ${variant.name}`, () => {
    it("makes ip and port those of the client, from onConnect on", async () => {
      const seen: string[] = [];
      await using served = await serve(variant, {
        ...trusting,
        onConnect(server, connection) {
          echo.onConnect!(server, connection);
          seen.push(`${connection.ip} ${connection.port}`);
          connection.on({ ready: ({ ip, port }) => void seen.push(`${ip} ${port}`) });
        },
      });
      using client = await RawClient.connect(served.url);
      client.write(concat(LINE, upgradeRequest(), clientFrame(1, "all at once")));
      assertEquals((await client.response()).status, 101);
      assertEquals((await client.frame())?.payload.toString(), "all at once");
      assertEquals(seen, ["203.0.113.7 4711", "203.0.113.7 4711"]);
    });

    it("takes a header of version 2, byte by byte", async () => {
      const seen: string[] = [];
      await using served = await serve(variant, {
        ...trusting,
        onConnect: (_server, { ip, port }) => void seen.push(`${ip} ${port}`),
      });
      using client = await RawClient.connect(served.url);
      const header = "0d0a0d0a000d0a515549540a2111000c cb007107c0000201126701bb";
      for (const byte of header.replace(" ", "").match(/../g)!) {
        client.write(Uint8Array.of(parseInt(byte, 16)));
        await new Promise((resolve) => setImmediate(resolve));
      }
      client.write(upgradeRequest());
      assertEquals((await client.response()).status, 101);
      assertEquals(seen, ["203.0.113.7 4711"]);
    });

    it("tells onRequest the client too, and counts it by its own address", async () => {
      await using served = await serve(variant, {
        ...trusting,
        maxConnectionsPerAddress: 1,
        onRequest: (_request, { remote }) => new Response(remote.ip),
      });
      const ask = (text: string) => RawClient.ask(served.url, text);
      const plain = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
      assertEquals((await ask(LINE + plain)).body, "203.0.113.7");
      using first = await RawClient.connect(served.url);
      first.write(LINE + upgradeRequest());
      assertEquals((await first.response()).status, 101);
      assertEquals((await ask(LINE + upgradeRequest())).status, 503);
      assertEquals((await ask(LINE.replace(".7", ".8") + upgradeRequest())).status, 101);
    });

    it("leaves the address for connections of the proxy's own", async () => {
      const seen: string[] = [];
      await using served = await serve(variant, {
        ...trusting,
        onConnect: (_server, { ip }) => void seen.push(ip),
      });
      const text = `PROXY UNKNOWN\r\n${upgradeRequest()}`;
      assertEquals((await RawClient.ask(served.url, text)).status, 101);
      assertEquals(seen, ["127.0.0.1"]);
    });

    it("drops who sends none, and who sends none in handshakeTimeout, without a word", () =>
      inTime(0.2, async (seconds) => {
        let connects = 0;
        await using served = await serve(variant, {
          ...trusting,
          handshakeTimeout: seconds,
          onConnect: () => void connects++,
        });
        for (const begun of [upgradeRequest(), LINE.slice(0, 20), ""]) {
          using client = await RawClient.connect(served.url);
          client.write(begun);
          await client.end();
          assertEquals(client.received.length, 0);
        }
        assertEquals(connects, 0);
        assertEquals(served.errors.length, 1);
        assertMatch(served.errors[0].message, /^Cannot read the PROXY header/);
      }));

    it("drops those whom trustProxy does not name", async () => {
      const told = new Journal<string>();
      await using served = await serve(variant, {
        proxyProtocol: true,
        trustProxy: ["10.0.0.0/8"],
        onError: (_server, error) => told.add(error.message),
      });
      using client = await RawClient.connect(served.url);
      client.write(LINE + upgradeRequest());
      await client.end();
      assertEquals(client.received.length, 0);
      assertMatch(await told.next(), /127\.0\.0\.1: trustProxy does not name it/);
    });
  });
}
