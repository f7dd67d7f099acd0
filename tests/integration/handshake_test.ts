import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "node:test";
import { clientFrame, concat } from "../support/client_frame.ts";
import { Journal } from "../support/journal.ts";
import { RawClient, upgradeRequest } from "../support/raw_client.ts";
import { echo, handling, serve, transports, variants } from "../support/transports.ts";

/** What is answered to a request: where the engines of the runtimes have their own way, by transport. */
interface Row {
  rule: string;
  request: string | Uint8Array;
  status: number;
  engines?: { deno_http?: number; bun_http?: number; node_http?: number };
}

const request = upgradeRequest;
const manyFields = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`X-${i}`, "1"]));
const twice = (line: string) => request().replace("\r\n\r\n", `\r\n${line}\r\n\r\n`);

const ROWS: Row[] = [
  { rule: "a right request (RFC 6455 §4.2.2)", request: request(), status: 101 },
  {
    rule: "Upgrade in any case (§4.2.1)",
    request: request({ Upgrade: "WebSocket" }),
    status: 101,
  },
  {
    rule: "Upgrade among other protocols (RFC 9110 §7.8)",
    request: request({ Upgrade: "h2c, websocket" }),
    status: 101,
  },
  {
    rule: "Connection with other options (§4.2.1)",
    request: request({ Connection: "keep-alive, Upgrade" }),
    status: 101,
  },
  {
    rule: "a target in absolute form (RFC 9112 §3.2.2)",
    request: request({}, "http://127.0.0.1/chat?x=1"),
    status: 101,
  },
  {
    rule: "a plain GET (§4.2.1)",
    request: request({ Upgrade: "", Connection: "" }),
    status: 426,
  },
  {
    rule: "an Upgrade to something else (§4.2.1)",
    request: request({ Upgrade: "h2c" }),
    status: 426,
  },
  { rule: "a POST (§4.2.1)", request: request().replace("GET", "POST"), status: 405 },
  { rule: "a HEAD (§4.2.1)", request: request().replace("GET", "HEAD"), status: 405 },
  { rule: "no Connection (§4.2.1)", request: request({ Connection: "" }), status: 400 },
  {
    rule: "Connection without Upgrade (§4.2.1)",
    request: request({ Connection: "close" }),
    status: 400,
  },
  { rule: "no key (§4.2.1)", request: request({ "Sec-WebSocket-Key": "" }), status: 400 },
  {
    rule: "a key that is not 16 bytes (§4.2.1)",
    request: request({ "Sec-WebSocket-Key": "AAAA" }),
    status: 400,
  },
  {
    rule: "two keys (§11.3.1)",
    request: twice("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
    status: 400,
  },
  {
    rule: "no version (§4.2.2)",
    request: request({ "Sec-WebSocket-Version": "" }),
    status: 426,
  },
  {
    rule: "version 12 (§4.2.2)",
    request: request({ "Sec-WebSocket-Version": "12" }),
    status: 426,
  },
  {
    rule: "a version that is no number (§4.2.2)",
    request: request({ "Sec-WebSocket-Version": "new" }),
    status: 426,
  },
  {
    rule: "extensions against the grammar (§9.1)",
    request: request({ "Sec-WebSocket-Extensions": "a; =" }),
    status: 400,
  },
  {
    rule: "subprotocols against the grammar (§4.1)",
    request: request({ "Sec-WebSocket-Protocol": "a b" }),
    status: 400,
  },
  {
    rule: "a body (RFC 9112 §6.3)",
    request: request({ "Content-Length": "3" }) + "abc",
    status: 400,
  },
  {
    rule: "HTTP/1.0 (RFC 6455 §4.2.1)",
    request: request().replace("HTTP/1.1", "HTTP/1.0"),
    status: 400,
    engines: { deno_http: 101, bun_http: 101 },
  },
  {
    rule: "HTTP/2.0 on the request line (RFC 9112 §2.6)",
    request: request().replace("HTTP/1.1", "HTTP/2.0"),
    status: 505,
    engines: { deno_http: 400 },
  },
  {
    rule: "Content-Length: 0 (RFC 9110 §8.6)",
    request: request({ "Content-Length": "0" }),
    status: 101,
    engines: { deno_http: 400 },
  },
  { rule: "no Host (RFC 9112 §3.2)", request: request({ Host: "" }), status: 400 },
  {
    rule: "two Hosts (RFC 9112 §3.2)",
    request: twice("Host: elsewhere"),
    status: 400,
  },
  { rule: "an empty Host (RFC 9112 §3.3)", request: request({ Host: " " }), status: 400 },
  {
    rule: "two Origins (RFC 6455 §4.2.1)",
    request: twice("Origin: http://a\r\nOrigin: http://b"),
    status: 400,
  },
  {
    rule: "an empty line before the request line (RFC 9112 §2.2)",
    request: `\r\n${request()}`,
    status: 101,
    engines: { bun_http: 400 },
  },
  {
    rule: "a target in absolute form, ws (RFC 6455 §3)",
    request: request({}, "ws://127.0.0.1/chat?x=1"),
    status: 101,
    engines: { bun_http: 400 },
  },
  {
    rule: "a target of another scheme (RFC 9112 §3.3)",
    request: request({}, "foo://127.0.0.1/chat?x=1"),
    status: 400,
  },
  {
    rule: "a Host that is none (RFC 9112 §3.2)",
    request: request({ Host: "a b/c" }),
    status: 400,
  },
  { rule: "no HTTP at all (RFC 9112 §3)", request: "hello there you\r\n\r\n", status: 400 },
  {
    rule: "a field name that is no token (RFC 9112 §5.1)",
    request: request({ "X Y": "z" }),
    status: 400,
  },
  { rule: "a folded field (RFC 9112 §5.2)", request: twice("X-Long: a\r\n b"), status: 400 },
  {
    rule: "a head of 100 KB (RFC 6585 §5)",
    request: request({ "X-Large": "x".repeat(100_000) }),
    status: 431,
    engines: { deno_http: 400 },
  },
  {
    rule: "200 header fields (RFC 6585 §5)",
    request: request(manyFields),
    status: 431,
    engines: { deno_http: 400 },
  },
  {
    rule: "a request line of 100 KB (RFC 9110 §15.5.15)",
    request: request({}, `/${"a".repeat(100_000)}`),
    status: 414,
    engines: { deno_http: 400, bun_http: 431, node_http: 431 },
  },
];

for (const variant of transports) {
  describe(`the answer to a request over ${variant.name}`, () => {
    for (const { rule, request, status, engines } of ROWS) {
      const expected = engines?.[variant.name as "deno_http"] ?? status;
      const remark = expected === status ? "" : `, the engine's way; ${status} over tcp`;
      it(`${rule}: ${expected}${remark}`, async () => {
        await using served = await serve(variant, echo);
        const response = await RawClient.ask(served.url, request);
        assertEquals(response.status, expected);
        if (status === 426) assertEquals(response.headers.get("upgrade"), "websocket");
        if (expected === 405) assertEquals(response.headers.get("allow"), "GET");
        if (/version/.test(rule)) {
          assertEquals(response.headers.get("sec-websocket-version"), "13");
        }
        assertEquals(served.errors, [], "a bad request is no error of the server's");
      });
    }
  });
}

for (const variant of variants) {
  describe(`the opening handshake over ${variant.name}`, () => {
    it("computes Sec-WebSocket-Accept (RFC 6455 §4.2.2)", async () => {
      await using served = await serve(variant, echo);
      const { headers } = await RawClient.ask(
        served.url,
        request({ "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" }),
      );
      assertEquals(headers.get("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
      assertMatch(headers.get("upgrade") ?? "", /^websocket$/i);
      assertMatch(headers.get("connection") ?? "", /^upgrade$/i);
      assertEquals(headers.get("sec-websocket-protocol"), null);
    });

    it("takes a request split byte by byte (RFC 9112 §2.2)", async () => {
      await using served = await serve(variant, echo);
      using client = await RawClient.connect(served.url);
      for (const byte of new TextEncoder().encode(request())) {
        client.write(Uint8Array.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      assertEquals((await client.response(true)).status, 101);
      client.write(clientFrame(1, "after"));
      assertEquals((await client.frame())?.payload.toString(), "after");
    });

    it("takes frames that come together with the request (RFC 6455 §4.1)", async () => {
      await using served = await serve(variant, echo);
      using client = await RawClient.connect(served.url);
      client.write(concat(request(), clientFrame(1, "one"), clientFrame(1, "two")));
      assertEquals((await client.response(true)).status, 101);
      assertEquals((await client.frame())?.payload.toString(), "one");
      assertEquals((await client.frame())?.payload.toString(), "two");
    });

    it("keeps such frames until a slow handshake handler is done", async () => {
      const asked = Promise.withResolvers<void>();
      const decided = Promise.withResolvers<void>();
      const messages = new Journal<string>();
      const handlers = {
        handshake() {
          asked.resolve();
          return decided.promise;
        },
        ready: () => messages.add("ready"),
        utf8: (_connection: unknown, data: string) => messages.add(data),
      };
      await using served = await serve(variant, handling(handlers));
      using client = await RawClient.connect(served.url);
      client.write(concat(request(), clientFrame(1, "one")));
      await asked.promise;
      client.write(clientFrame(1, "two"));
      assertEquals(messages.entries, []);
      decided.resolve();
      assertEquals((await client.response(true)).status, 101);
      assertEquals(await messages.first(3), ["ready", "one", "two"]);
    });

    it("sends what ready sends right behind the response", async () => {
      await using served = await serve(
        variant,
        handling({ ready: (connection) => void connection.sendUtf8("welcome") }),
      );
      using client = await RawClient.open(served.url);
      assertEquals((await client.frame())?.payload.toString(), "welcome");
    });

    it("answers 503 over maxConnections, until a connection has left (RFC 9110 §15.6.4)", async () => {
      const left = new Journal<number>();
      await using served = await serve(variant, {
        ...handling({ disconnect: (_connection, code) => left.add(code) }),
        maxConnections: 2,
      });
      using first = await RawClient.open(served.url);
      using _second = await RawClient.open(served.url);
      const refused = await RawClient.ask(served.url, request());
      assertEquals(refused.status, 503);
      assert(Number(refused.headers.get("retry-after")) > 0);
      first.write(clientFrame(8));
      assertEquals(await left.next(), 1005);
      using _third = await RawClient.open(served.url);
      assertEquals([...served.server.connections].length, 2);
    });
  });
}

describe("bounds on a request", () => {
  // The engines of Deno.serve and Bun.serve have their own; the table above tells what those do.
  for (const variant of transports.filter(({ transport }) => transport === "tcp")) {
    /** A request of just so many bytes. */
    const sized = (size: number) => {
      const bare = request({ "X-Padding": "x" }).length - 1;
      return request({ "X-Padding": "x".repeat(size - bare) });
    };

    it(`${variant.name}: a head of maxHeaderSize is taken, one byte more is 431`, async () => {
      await using served = await serve(variant, { ...echo, maxHeaderSize: 1000 });
      assertEquals((await RawClient.ask(served.url, sized(1000))).status, 101);
      assertEquals((await RawClient.ask(served.url, sized(1001))).status, 431);
    });

    it(`${variant.name}: maxHeaderFields are taken, one more is 431`, async () => {
      await using served = await serve(variant, { ...echo, maxHeaderFields: 5 });
      assertEquals((await RawClient.ask(served.url, request())).status, 101);
      assertEquals((await RawClient.ask(served.url, request({ "X-Sixth": "" + 1 }))).status, 431);
    });

    it(`${variant.name}: 408 when no whole head came in handshakeTimeout (RFC 9110 §15.5.9)`, async () => {
      const left = new Journal<number>();
      await using served = await serve(variant, {
        ...handling({ disconnect: (_connection, code) => left.add(code) }),
        handshakeTimeout: 0.2,
      });
      for (const begun of ["", request().slice(0, -2)]) {
        using client = await RawClient.connect(served.url);
        client.write(begun);
        assertEquals((await client.response()).status, 408);
        await client.end();
        assertEquals(await left.next(), 1006);
      }
    });

    it(`${variant.name}: a byte now and then does not lengthen handshakeTimeout`, async () => {
      await using served = await serve(variant, { ...echo, handshakeTimeout: 0.3 });
      using client = await RawClient.connect(served.url);
      const drip = setInterval(() => client.write("G"), 20);
      const { status } = await client.response().finally(() => clearInterval(drip));
      // The letters are no request: 24 of them would be refused as that, but take longer.
      assertEquals(status, 408);
    });
  }
});
