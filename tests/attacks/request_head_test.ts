import { Buffer } from "node:buffer";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { describe, it } from "node:test";
import type { Handshake, WebSocketConnection } from "../../mod.ts";
import { clientFrame, concat } from "../support/client_frame.ts";
import { inTime } from "../support/patience.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { echo, handling, serve, transports } from "../support/transports.ts";
import { assertServes } from "./healthy.ts";
import { HANG_MS } from "../support/hang.ts";

const request = upgradeRequest;
/** A request with one more line, which may repeat a field. */
const adding = (line: string) => request().replace("\r\n\r\n", `\r\n${line}\r\n\r\n`);

/** Options whose handshake handler looks at all there is, as a curious application would. */
function curious(seen: (handshake: Handshake) => void = () => {}) {
  const look = (_connection: WebSocketConnection, handshake: Handshake) => {
    const { uri, headers, origin, host, cookies, subprotocols, extensions } = handshake.request;
    for (const it of [uri, headers, origin, host, cookies, subprotocols, extensions]) String(it);
    seen(handshake);
  };
  return { ...handling({ handshake: look }) };
}

for (const variant of transports) {
  const { name, transport } = variant;
  const ownEngine = transport === "tcp";

  describe(`hostile request heads over ${name}`, () => {
    it("slow request heads: they are given up, and others are served meanwhile", (t) =>
      inTime(0.5, async (seconds) => {
        await using served = await serve(variant, { ...echo, handshakeTimeout: seconds });
        const slow = await Promise.all(
          Array.from({ length: 50 }, () => RawClient.connect(served.url)),
        );
        for (const client of slow) client.write("GET / HTTP/1.1\r\n");
        const drip = setInterval(() => {
          for (const client of slow) client.write("X: y\r\n");
        }, 50);
        try {
          await assertServes(served.url);
          if (!ownEngine) {
            t.diagnostic(`${name}: when slow heads end, is its engine's to say, and not an option`);
            return;
          }
          for (const client of slow) assertEquals((await client.response()).status, 408);
          await assertServes(served.url);
        } finally {
          clearInterval(drip);
          for (const client of slow) client[Symbol.dispose]();
        }
      }));

    it("header floods: a head without an end is refused once it is too large", async () => {
      await using served = await serve(variant, echo);
      using client = await RawClient.connect(served.url);
      client.write("GET / HTTP/1.1\r\nHost: a\r\n");
      const line = "X-Flood: and on, and on, and on, and on, and on, and on\r\n".repeat(100);
      let lines = 0;
      while (!client.ended && client.received.length === 0 && lines < 1000) {
        client.write(line);
        lines++;
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert(lines < 1000, "5 MB of header fields were taken");
      if (ownEngine) {
        assertEquals((await client.response()).status, 431);
      } else {
        // Deno's engine resets the connection right behind its answer, which may be lost then.
        const status = await client.response().then((it) => it.status, () => client.ended && 400);
        assert(status === 431 || status === 400, `${status}`);
      }
      await assertServes(served.url);
    });

    it("oversized URLs are refused, not cut short", async () => {
      await using served = await serve(variant, curious());
      const { status } = await RawClient.ask(served.url, request({}, `/${"a".repeat(70_000)}`));
      // 414 or 431 where the engine tells which, else 400.
      assert([414, 431, 400].includes(status), `${status}`);
      if (ownEngine) {
        assertEquals(
          (await RawClient.ask(served.url, request({}, `/${"a".repeat(8200)}`))).status,
          414,
        );
      }
      assertEquals(served.errors, []);
    });

    it("__proto__ and constructor as names of extensions and of parameters are names only", async () => {
      const extensions = name === "deno_http" ? undefined : "permessage-deflate";
      const offers: string[] = [];
      await using served = await serve(variant, {
        ...curious(({ request }) => {
          offers.push(...request.extensions.map(({ name }) => name));
          for (const { parameters } of request.extensions) {
            for (const [name, value] of parameters) offers.push(`${name}=${value}`);
          }
        }),
        extensions,
      });
      const hostile = "__proto__, constructor; prototype=1, toString; __proto__=2, hasOwnProperty";
      const response = await RawClient.ask(
        served.url,
        request({ "Sec-WebSocket-Extensions": hostile, "__proto__": "1", "constructor": "2" }),
      );
      assertEquals(response.status, 101);
      assertEquals(response.headers.get("sec-websocket-extensions"), null);
      assertEquals(offers, [
        "__proto__",
        "constructor",
        "toString",
        "hasOwnProperty",
        "prototype=1",
        "__proto__=2",
      ]);
      assertEquals(Object.keys(Object.prototype), []);
      if (ownEngine) {
        // RFC 7692 §7.1: an offer with an unknown parameter is declined.
        const declined = "permessage-deflate; __proto__=15, permessage-deflate; constructor";
        const { headers } = await RawClient.ask(
          served.url,
          request({ "Sec-WebSocket-Extensions": declined }),
        );
        assertEquals(headers.get("sec-websocket-extensions"), null);
      }
      assertEquals(served.errors, []);
    });

    it("regular-expression blow-ups: no field of 8 KB holds the server up", async () => {
      await using served = await serve(variant, {
        ...curious(),
        subprotocol: ["chat"],
        trustProxy: ["127.0.0.1"],
        allowedOrigins: ["https://*.example.com"],
      });
      const fields = [
        "Connection",
        "Upgrade",
        "Host",
        "Origin",
        "Cookie",
        "Forwarded",
        "X-Forwarded-For",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Content-Length",
        "Transfer-Encoding",
      ];
      const pieces = [
        "a",
        " ",
        "\t",
        ",",
        ", ",
        ";",
        "; ",
        "=",
        '"',
        "\\",
        'a="',
        "a,",
        "%",
        "[",
        ":",
        "0",
      ];
      for (const field of fields) {
        for (const piece of pieces) {
          const value = `x${piece.repeat(7000 / piece.length)}x`;
          const began = performance.now();
          const { status } = await RawClient.ask(served.url, request({ [field]: value }));
          const took = performance.now() - began;
          assert(status < 500 || status === 501, `${field} of ${JSON.stringify(piece)}: ${status}`);
          assert(took < HANG_MS, `${field} of ${JSON.stringify(piece)} took ${took} ms`);
        }
      }
      assertEquals(served.errors, []);
    });

    it("CR and LF in subprotocols and in what rejects add no line to the answer", async () => {
      const tried: unknown[] = [];
      const attempt = (act: () => void) => {
        try {
          act();
          tried.push("was let through");
        } catch (error) {
          tried.push(error instanceof TypeError);
        }
      };
      await using served = await serve(variant, {
        ...handling({
          handshake(_connection, handshake) {
            const evil = "a\r\nX-Evil: 1";
            attempt(() => handshake.response.headers.set("X-Good", evil));
            attempt(() => handshake.response.headers.set("X-Good\r\nX-Evil", "1"));
            attempt(() => handshake.reject(403, { headers: { "X-Good": evil } }));
            handshake.reject(403, { body: evil, headers: { "X-Good": "a" } });
          },
        }),
      });
      const response = await RawClient.ask(served.url, request());
      assertEquals(response.status, 403);
      assertEquals(response.body, "a\r\nX-Evil: 1");
      assertEquals([response.headers.get("x-good"), response.headers.get("x-evil")], ["a", null]);
      assertEquals(tried, [true, true, true]);

      await using other = await serve(variant, {
        ...curious(),
        selectSubprotocol: () => "a\r\nX-Evil: 1",
      });
      const refused = await RawClient.ask(other.url, request({ "Sec-WebSocket-Protocol": "a" }));
      assertEquals([refused.status, refused.headers.get("x-evil")], [500, null]);
      assertEquals(refused.body, "Internal Server Error\n");
      for (const value of ["a\r\n b", "a\rb", "a\nX-Evil: 1", "a\0"]) {
        const { status } = await RawClient.ask(
          other.url,
          request({ "Sec-WebSocket-Protocol": value }),
        );
        // A lone LF ends a line for some engines: then the next one is a field like any other.
        assert(status === 400 || (status === 500 && value.includes("\n")), JSON.stringify(value));
      }
      assertThrows(() => other.server.subprotocol = ["a\r\nX-Evil: 1"]);
    });

    it("non-ASCII and broken hosts are refused, or reach handlers as something they can read", async () => {
      await using served = await serve(variant, curious());
      const hosts = [
        "bücher.example",
        "xn--0",
        "[",
        "[1::",
        "a@b",
        "a b",
        "%00",
        "\x80\xff",
        "☃:80",
      ];
      for (const host of hosts) {
        for (const encoding of ["utf8", "latin1"] as const) {
          const head = Buffer.from(request({ Host: host }), encoding);
          const { status } = await RawClient.ask(served.url, head);
          assert(status === 400 || status === 101, `${JSON.stringify(host)}: ${status}`);
          if (ownEngine && host !== "%00") assertEquals(status, 400, JSON.stringify(host));
        }
      }
      assertEquals(served.errors, []);
    });

    it("duplicate Sec-WebSocket-* fields: refused where only one may come (RFC 6455 §11.3)", async () => {
      const offered: string[] = [];
      await using served = await serve(
        variant,
        curious(({ request }) => {
          offered.push(...request.subprotocols, ...request.extensions.map(({ name }) => name));
        }),
      );
      const ask = async (line: string) => (await RawClient.ask(served.url, adding(line))).status;
      assertEquals(await ask("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400);
      assertEquals(await ask("Sec-WebSocket-Version: 13"), 426);
      assertEquals(await ask("Sec-WebSocket-Version: 8"), 426);
      assertEquals(offered, []);
      const both = (name: string) => `${name}: a\r\n${name}: b`;
      assertEquals(await ask(both("Sec-WebSocket-Protocol")), 101);
      assertEquals(await ask(both("Sec-WebSocket-Extensions")), 101);
      assertEquals(offered, ["a", "b", "a", "b"]);
      assertEquals(await ask("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a"), 400);
    });

    it("pipelined HTTP after the upgrade request is frames, and bad ones (RFC 6455 §5.1)", async () => {
      const requests: string[] = [];
      await using served = await serve(variant, {
        ...echo,
        onRequest(request) {
          requests.push(request.url);
          return new Response("plain");
        },
      });
      using client = await RawClient.connect(served.url);
      const smuggled = "GET /admin HTTP/1.1\r\nHost: a\r\nX-Padding: 0123456789\r\n\r\n";
      client.write(concat(request(), smuggled));
      assertEquals((await client.response(true)).status, 101);
      const frame = await client.frame();
      // Deno's engine drops the connection without a Close frame.
      if (frame !== null) assertEquals([frame.opcode, frame.payload.readUInt16BE()], [8, 1002]);
      await client.end();
      assertEquals(client.received.toString(), "");
      assertEquals(requests, []);
    });

    it("pipelined upgrades after a refused one open nothing behind its back", async () => {
      const opened: string[] = [];
      await using served = await serve(
        variant,
        handling({ ready: ({ handshake }) => void opened.push(handshake!.request.uri.pathname) }),
      );
      using client = await RawClient.connect(served.url);
      const bad = request({ "Sec-WebSocket-Key": "short" }, "/first");
      client.write(concat(bad, request({}, "/second"), clientFrame(1, "hello")));
      assertEquals((await client.response()).status, 400);
      if (ownEngine) {
        await client.end();
        assertEquals(opened, []);
      } else {
        // HTTP/1.1 goes on after a refusal (RFC 9112 §9.3): the second stands on its own.
        assertEquals((await client.response(true)).status, 101);
        assertEquals(opened, ["/second"]);
      }
    });

    it("targets in absolute form and in authority form (RFC 9112 §3.2)", async () => {
      const uris: string[] = [];
      await using served = await serve(
        variant,
        curious(({ request }) => void uris.push(request.uri.pathname + request.uri.search)),
      );
      const ask = async (target: string, method = "GET") => {
        const head = request({}, target).replace("GET", method);
        return (await RawClient.ask(served.url, head)).status;
      };
      assertEquals(await ask("http://elsewhere.example/chat?x=1"), 101);
      assertEquals(uris, ["/chat?x=1"]);
      assertEquals(await ask("example.com:80"), 400);
      assertEquals(await ask("example.com:443", "CONNECT"), 405);
      assertEquals(await ask("*"), 400);
      assert([405, 400].includes(await ask("*", "OPTIONS")));
      assertEquals(await ask("//elsewhere.example/chat"), 101);
      assertEquals(uris.slice(1), ["//elsewhere.example/chat"]);
      for (const target of ["http://", "http://[/", "chat", "?x", "#x", "http:/chat", "\x7f"]) {
        const status = await ask(target);
        assert(status === 400 || (!ownEngine && status === 101), `${target}: ${status}`);
      }
      assertEquals(served.errors, []);
    });
  });
}

it("a subprotocol that was not offered is never answered with (RFC 6455 §4.2.2)", async () => {
  const [variant] = transports;
  await using served = await serve(variant, { selectSubprotocol: () => "not offered" });
  const { status } = await RawClient.ask(served.url, request({ "Sec-WebSocket-Protocol": "a" }));
  assertEquals(status, 500);
  assertEquals(served.errors.length, 1);
  assertMatch(served.errors[0].message, /the client did not offer it/);
});
