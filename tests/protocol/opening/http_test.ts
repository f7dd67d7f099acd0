import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  formatResponseHead,
  HttpError,
  isToken,
  RequestHead,
  RequestHeadParser,
  requestUrl,
} from "../../../src/protocol/mod.ts";
import { concat } from "../../support/client_frame.ts";
import { anyCuts, cut, cutAnywhere, everySplit, singleBytes } from "../../support/splits.ts";
import { GET, HOST, REFUSED, SERVED } from "./http_table.ts";
import { HANG_MS } from "../../support/hang.ts";

const LIMITS = { maxSize: 16_384, maxFields: 100 };

/** A head as it came out, and the bytes behind it. */
interface Parsed {
  line: string;
  fields: [name: string, value: string][];
  rest: Uint8Array;
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (it) => it.charCodeAt(0));
}

/** What a parser makes of pieces: a head, the status of its refusal, or nothing yet. */
function parse(pieces: readonly Uint8Array[], limits = LIMITS): Parsed | number | "more" {
  const parser = new RequestHeadParser(limits);
  for (const [i, piece] of pieces.entries()) {
    const chunk = piece.slice();
    try {
      const head = parser.push(chunk);
      if (head === undefined) {
        // The caller may use the chunk again.
        chunk.fill(0xff);
        continue;
      }
      return {
        line: `${head.method} ${head.target} ${head.minorVersion}`,
        fields: [...head],
        rest: concat(parser.rest, ...pieces.slice(i + 1)),
      };
    } catch (error) {
      if (error instanceof HttpError) return error.status;
      throw error;
    }
  }
  return "more";
}

/** The head of a request line and field lines, the text in Latin-1. */
function head(...lines: string[]): Uint8Array {
  return latin1([...lines, "", ""].join("\r\n"));
}

function parsed(...lines: string[]): RequestHead {
  const result = new RequestHeadParser(LIMITS).push(head(...lines));
  assert(result !== undefined);
  return result;
}

describe("request head (RFC 9112)", () => {
  it("gives the request line and the fields, at every split, and the bytes behind", () => {
    const whole = concat(
      head("GET /chat?x=1 HTTP/1.1", "Host: example.com:8080", "X-Empty:", "x-Thing: \t a  b\t "),
      Uint8Array.of(0x81, 0x80, 13, 10, 13, 10),
    );
    for (const pieces of everySplit(whole)) {
      assertEquals(parse(pieces), {
        line: "GET /chat?x=1 1",
        fields: [["host", "example.com:8080"], ["x-empty", ""], ["x-thing", "a  b"]],
        rest: Uint8Array.of(0x81, 0x80, 13, 10, 13, 10),
      });
    }
  });

  it("joins a field that came several times, in order (RFC 9110 §5.3)", () => {
    const it = parsed(GET, HOST, "A: 1", "B: 2", "a: 3", "AA: 4");
    assertEquals([it.get("a"), it.get("b"), it.get("c")], ["1, 3", "2", null]);
  });

  it("takes no field for another whose name or value looks like it", () => {
    const it = parsed(GET, HOST, "x-host: b", "y: host: c", "host-x: d", "z: ");
    assertEquals(it.get("host"), "example.com");
    assertEquals([it.get("z"), it.get("y"), it.get("")], ["", "host: c", null]);
  });

  it("has fields named like parts of an object only when they came", () => {
    const names = ["__proto__", "constructor", "hasOwnProperty", "toString"];
    for (const name of names) assertEquals(parsed(GET, HOST).get(name), null);
    const it = parsed(GET, HOST, ...names.map((name) => `${name}: 1`));
    for (const name of names) assertEquals(it.get(name.toLowerCase()), "1");
  });

  it("takes values beyond ASCII byte by byte, and tabs within (RFC 9110 §5.5)", () => {
    assertEquals(parsed(GET, HOST, "A: \x80\xff\tb").get("a"), "\x80\xff\tb");
  });

  it("joins cookies as the one list that they are (RFC 9113 §8.2.3)", () => {
    assertEquals(
      parsed(GET, HOST, "Cookie: a=1; b=2", "cookie: c=3").get("cookie"),
      "a=1; b=2; c=3",
    );
  });

  it("gives the same after it has been made compact", () => {
    const it = parsed(GET, HOST, "A: 1", "a: 2");
    const before = [...it];
    it.compact();
    assertEquals([it.get("a"), it.get("b"), [...it]], ["1, 2", null, before]);
  });

  it("tells whether anything has come", () => {
    const parser = new RequestHeadParser(LIMITS);
    assertEquals(parser.started, false);
    parser.push(latin1("G"));
    assertEquals(parser.started, true);
  });
});

describe("request head, refused", () => {
  for (const [rule, status, ...lines] of REFUSED) {
    it(`${rule}: ${status}`, () => {
      for (const pieces of everySplit(head(...lines))) assertEquals(parse(pieces), status);
    });
  }
});

describe("request head, served", () => {
  for (const [rule, url, ...lines] of SERVED) {
    it(`${rule}: ${url}`, () => {
      assertEquals(requestUrl(parsed(...lines), false), url);
      for (const pieces of everySplit(head(...lines))) {
        assertEquals(typeof parse(pieces), "object");
      }
    });
  }

  it("gives the path and query of an engine's URL for a socket that has no host (RFC 9112 §3.3)", () => {
    const url = "http+unix://%2Ftmp%2Fa.sock/b?c";
    assertEquals(requestUrl(new RequestHead("GET", url, 1, "\r\nHost: d"), false), "http://d/b?c");
    assertThrows(() => requestUrl(new RequestHead("GET", url, 1, ""), false), HttpError, "Host");
  });

  it("makes no URL up for a target of an unknown form or scheme", () => {
    for (const target of ["", "a", "*", "foo://a/b", "file:///etc", "//", "http:/a", "http://"]) {
      const it = new RequestHead("GET", target, 1, target === "//" ? "" : "\r\nHost: a");
      assertThrows(() => requestUrl(it, false), HttpError, "Cannot", target);
    }
  });

  it("gives the URL of a request that came over TLS", () => {
    assertEquals(requestUrl(parsed("GET /a HTTP/1.1", HOST), true), "https://example.com/a");
  });
});

describe("request head: limits", () => {
  /** A head of just so many bytes, with a request line of just so many. */
  function sized(size: number, line = 20): Uint8Array {
    const start = [`GET /${"a".repeat(line - 14)} HTTP/1.1`, HOST];
    const field = size - head(...start).length - "X: \r\n".length;
    return head(...start, ...field < 0 ? [] : [`X: ${"b".repeat(field)}`]);
  }

  it("takes a head of maxSize bytes, and answers a longer one with 431 (RFC 6585 §5)", () => {
    for (const maxSize of [200, 16_384, 20_000]) {
      const limits = { ...LIMITS, maxSize };
      assertEquals(sized(maxSize).length, maxSize);
      for (const at of [1, 50, maxSize - 4, maxSize - 1]) {
        assertEquals(typeof parse(cut(sized(maxSize), [at]), limits), "object");
        assertEquals(parse(cut(sized(maxSize + 1), [at]), limits), 431);
      }
    }
  });

  it("counts no bytes behind the head", () => {
    const whole = concat(sized(200), new Uint8Array(20_000));
    const result = parse([whole], { ...LIMITS, maxSize: 200 });
    assert(typeof result === "object");
    assertEquals(result.rest.length, 20_000);
  });

  it("refuses a head that is too large before it has come", () => {
    assertEquals(parse([sized(500).subarray(0, 201)], { ...LIMITS, maxSize: 200 }), 431);
  });

  it("takes a request line of 8192 bytes, and answers a longer one with 414 (RFC 9112 §3)", () => {
    for (const cuts of [[], [5], [8191], [8192], [8193], [8194], [8195]]) {
      assertEquals(typeof parse(cut(sized(8400, 8192), cuts)), "object", `cut at ${cuts}`);
      assertEquals(parse(cut(sized(8400, 8193), cuts)), 414, `cut at ${cuts}`);
    }
  });

  it("refuses a request line that is too long before it has come", () => {
    assertEquals(parse([sized(9000, 8500).subarray(0, 8400)]), 414);
  });

  it("takes maxFields fields, and answers more with 431", () => {
    const fields = (count: number) =>
      head(GET, HOST, ...Array.from({ length: count - 1 }, (_, i) => `x${i}: ${i}`));
    for (const maxFields of [1, 7, 100]) {
      assertEquals(typeof parse([fields(maxFields)], { ...LIMITS, maxFields }), "object");
      assertEquals(parse([fields(maxFields + 1)], { ...LIMITS, maxFields }), 431);
    }
  });

  it("refuses what is not HTTP at its first bytes", () => {
    const strangers: [what: string, start: Uint8Array][] = [
      ["a TLS handshake", Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00)],
      ["a masked frame", Uint8Array.of(0x81, 0x85)],
      ["NUL", Uint8Array.of(0)],
      ["a blank", latin1(" ")],
      ["five line breaks", latin1("\r\n\r\n\r\n\r\n\r\n")],
      ["the PROXY protocol, version 2", latin1("\r\n\r\n\0\r\nQUIT\n")],
      ["SSH", latin1("SSH-2.0-OpenSSH_9.6\r\n")],
      ["a word without end", latin1("A".repeat(24))],
      ["JSON", latin1('{"a":1}')],
    ];
    for (const [what, start] of strangers) {
      assertEquals(parse([start]), 400, what);
      assertEquals(parse(singleBytes(start)), 400, what);
    }
  });

  it("reads hostile heads of 16 KiB about as fast as a plain one", () => {
    const room = 16_000;
    const hostile: Uint8Array[] = [
      head(GET, HOST, `X:${" ".repeat(room)}a${" ".repeat(200)}`),
      head(GET, HOST, `X: ${"a ".repeat(room / 2)}`),
      head(GET, `Host: ${"a".repeat(room)}!`),
      head(GET, `Host: ${"%".repeat(room)}@`),
      head(GET, `Host: [${":".repeat(room)}`),
      head(`CONNECT ${"a:1".repeat(2600)}a HTTP/1.1`, HOST),
      head(`GET http://${"a".repeat(8000)}: HTTP/1.1`, HOST),
      head(`GET ${"/".repeat(8000)} HTTP/1.`, HOST),
      head(GET, HOST, `Content-Length: ${"1".repeat(room)}`),
      head(GET, HOST, `Transfer-Encoding: ${"chunked, ".repeat(room / 9)}`),
      head(GET, HOST, ...Array.from({ length: 98 }, () => `host-${"x".repeat(150)}: a`)),
      head(GET, ...Array.from({ length: 99 }, () => "Host: a")),
    ];
    for (const whole of hostile) {
      const started = performance.now();
      for (let i = 0; i < 10; i++) parse([whole]);
      // A plain head takes well under 1 ms; anything that grows with the square takes far longer.
      const each = (performance.now() - started) / 10;
      assert(each < HANG_MS, `${each} ms for ${new TextDecoder().decode(whole.subarray(0, 60))}`);
    }
  });

  it("reads a head of 16 KiB that comes byte by byte in a bounded time", () => {
    const started = performance.now();
    assertEquals(typeof parse(singleBytes(sized(16_384))), "object");
    assert(performance.now() - started < HANG_MS);
  });
});

describe("request head: any bytes", () => {
  const word = fc.constantFrom(
    ...["GET", "/", "HTTP/1.1", "HTTP/1.0", "Host", "a", "\r\n", "\r", "\n", " ", "\t", ":", ": "],
    ...[
      "\r\n\r\n",
      "GET / HTTP/1.1\r\n",
      "Host: a\r\n",
      "Content-Length: 5\r\n",
      "\x00",
      "\xe9",
      "*",
    ],
  );
  const nearly = fc.array(word, { maxLength: 20 }).map((words) => latin1(words.join("")));
  const right = fc.tuple(nearly, fc.uint8Array({ maxLength: 9 })).map(([middle, rest]) =>
    concat(latin1(`${GET}\r\n${HOST}\r\n`), middle, latin1("\r\n\r\n"), rest)
  );
  const anything = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 80 }), nearly, right)
    .filter((it) => it.length > 0);

  it("come to a head or to a refusal, the same however they are split", () => {
    fc.assert(
      fc.property(anything, anyCuts, (data, cuts) => {
        const whole = parse([data]);
        assertEquals(parse(cutAnywhere(data, cuts)), whole);
        assertEquals(parse(singleBytes(data)), whole);
      }),
      { numRuns: 2000 },
    );
  });

  it("come out as they went in, for any fields that the grammar allows", () => {
    const name = fc.string({
      unit: fc.constantFrom(..."abcxyzABZ019!#$%&'*+-.^_`|~"),
      minLength: 1,
      maxLength: 20,
    }).filter((it) => !/^(host|content-length|transfer-encoding)$/i.test(it));
    const value = fc.string({ unit: fc.constantFrom(...'aZ0 \t:,;="\\\x80\xff'), maxLength: 30 })
      .map((it) => it.replace(/^[ \t]+/, "").replace(/[ \t]+$/, ""));
    const blanks = fc.string({ unit: fc.constantFrom(" ", "\t"), maxLength: 3 });
    const field = fc.tuple(name, value, blanks, blanks);
    fc.assert(fc.property(fc.array(field, { maxLength: 10 }), (fields) => {
      const lines = fields.map(([name, value, before, after]) =>
        `${name}:${before}${value}${after}`
      );
      const result = parse([head(GET, HOST, ...lines)]);
      assert(typeof result === "object");
      const expected = fields.map(([name, value]) => [name.toLowerCase(), value]);
      assertEquals(result.fields, [["host", "example.com"], ...expected] as typeof result.fields);
    }));
  });
});

describe("response head (RFC 9112 §4)", () => {
  it("has the status line, the fields in order, and a blank line", () => {
    assertEquals(
      formatResponseHead(101, [["Upgrade", "websocket"], ["X", ""], ["X", "\xe9\t~"]]),
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX: \r\nX: \xe9\t~\r\n\r\n",
    );
  });

  it("has a reason for a status that is in no list", () => {
    assertEquals(formatResponseHead(599, []), "HTTP/1.1 599 Status\r\n\r\n");
  });

  it("refuses what would become a second field or a second response", () => {
    const values = [
      "a\r\nSet-Cookie: b",
      "a\nb",
      "a\rb",
      "a\r",
      "\n",
      "a\0",
      "\x7f",
      "\u010a",
      "☃",
    ];
    for (const value of values) {
      assertThrows(() => formatResponseHead(200, [["X", value]]), TypeError, '"X"');
    }
    for (const name of ["", "a b", "a:", "a\r\nb", "é", "a\n"]) {
      assertThrows(() => formatResponseHead(200, [[name, "a"]]), TypeError, "not a token");
    }
  });

  it("is one byte a character", () => {
    const value = fc.string({
      unit: fc.integer({ min: 0, max: 300 }).map((it) => String.fromCharCode(it)),
    });
    fc.assert(fc.property(value, (it) => {
      let written: string;
      try {
        written = formatResponseHead(200, [["x", it]]);
      } catch (error) {
        assert(error instanceof TypeError);
        return;
      }
      assertEquals(written.split("\r\n"), ["HTTP/1.1 200 OK", `x: ${it}`, "", ""]);
      assert([...written].every((it) => it.charCodeAt(0) < 256));
    }));
  });
});

describe("token (RFC 9110 §5.6.2)", () => {
  it("is made of the characters of the grammar, and is not empty", () => {
    const allowed = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]$/;
    for (let code = 0; code < 0x200; code++) {
      const character = String.fromCharCode(code);
      assertEquals(isToken(character), allowed.test(character), `U+${code.toString(16)}`);
    }
    assertEquals([isToken(""), isToken("ab c"), isToken("ab c", 0, 2)], [false, false, true]);
    assertEquals(isToken("a".repeat(1000) + "\u0141"), false);
  });
});
