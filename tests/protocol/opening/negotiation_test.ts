import { describe, it } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type ExtensionOffer,
  formatExtension,
  hasToken,
  HttpError,
  parseExtensions,
  parseSubprotocols,
} from "../../../src/protocol/mod.ts";
import { HANG_MS } from "../../support/hang.ts";

function refuses(act: () => unknown, field: string): void {
  const error = assertThrows(act, HttpError, field);
  assertEquals(error.status, 400);
}

/** How an offer is written in the tables: "name a b=c". */
function show({ name, parameters }: ExtensionOffer): string {
  return [name, ...parameters.map(([key, value]) => value === undefined ? key : `${key}=${value}`)]
    .join(" ");
}

describe("Sec-WebSocket-Extensions (RFC 6455 §9.1)", () => {
  const right: [field: string, ...offers: string[]][] = [
    ["foo", "foo"],
    ["foo, bar; baz=2", "foo", "bar baz=2"],
    ["deflate-stream", "deflate-stream"],
    [
      "mux; max-channels=4; flow-control, deflate-stream",
      "mux max-channels=4 flow-control",
      "deflate-stream",
    ],
    ["private-extension", "private-extension"],
    ["a;b;c=d;b", "a b c=d b"],
    [" \ta\t ;\tb = c ,\t d ", "a b=c", "d"],
    ['a; b="c"', "a b=c"],
    ['a; b="\\c\\d"; e', "a b=cd e"],
    ['a; b = "c" ; d', "a b=c d"],
    ["a, a; x, a; y", "a", "a x", "a y"],
    [""],
    [" \t "],
    [","],
    [", ,a,, b ,", "a", "b"],
    ["!#$%&'*+-.^_`|~09azAZ", "!#$%&'*+-.^_`|~09azAZ"],
    ["__proto__; constructor=toString; __proto__", "__proto__ constructor=toString __proto__"],
    ["constructor", "constructor"],
    ["Foo, FOO", "Foo", "FOO"],
  ];
  for (const [field, ...offers] of right) {
    it(`reads ${JSON.stringify(field)}`, () => {
      assertEquals(parseExtensions(field).map(show), offers);
    });
  }

  const wrong = [
    ";",
    "a b",
    "a;",
    "a; ;b",
    "a; =b",
    "a; b=",
    "a; b=,c",
    "a; b=;c",
    "a; b c",
    "a; b=c d",
    "a=b",
    '"a"',
    'a; "b"',
    'a; b="',
    'a; b="c',
    'a; b="c\\',
    'a; b="c\\"',
    'a; b=""',
    'a; b="c d"',
    'a; b="c,d"',
    'a; b="c"d',
    'a; b=c"d"',
    'a; b="\\""',
    "a; b='c d'",
    "a/b",
    "a; b=c; d=@",
    "(a)",
    "é",
    "\u00a0a",
    "a;\u00a0b",
    "a\0",
  ];
  for (const field of wrong) {
    it(`refuses ${JSON.stringify(field)} with 400`, () => {
      refuses(() => parseExtensions(field), "Sec-WebSocket-Extensions");
    });
  }

  it("keeps parameters named like parts of an object as any other", () => {
    const [{ name, parameters }] = parseExtensions("__proto__; __proto__=x; constructor");
    assertEquals(name, "__proto__");
    assertEquals(parameters, [["__proto__", "x"], ["constructor", undefined]]);
    assertEquals(({} as Record<string, unknown>).x, undefined);
  });

  const token = fc.string({
    unit: fc.constantFrom(..."azAZ09!#$%&'*+-.^_`|~"),
    minLength: 1,
    maxLength: 12,
  });
  const offer: fc.Arbitrary<ExtensionOffer> = fc.record({
    name: token,
    parameters: fc.array(fc.tuple(token, fc.option(token, { nil: undefined })), { maxLength: 4 }),
  }, { noNullPrototype: true });

  it("is read as it was written, with any blanks and quotes", () => {
    const style = fc.infiniteStream(fc.constantFrom("", " ", "\t", " \t "));
    const quotes = fc.infiniteStream(fc.boolean());
    fc.assert(
      fc.property(fc.array(offer, { maxLength: 5 }), style, quotes, (offers, style, quotes) => {
        assertEquals(parseExtensions(offers.map(formatExtension).join(", ")), offers);

        const blank = () => style.next().value;
        const value = (it: string) =>
          quotes.next().value
            ? `"${it.replace(/./g, (c) => quotes.next().value ? `\\${c}` : c)}"`
            : it;
        const styled = offers.map(({ name, parameters }) =>
          blank() + name + parameters.map(([key, it]) =>
            `${blank()};${blank()}${key}` +
            (it === undefined ? "" : `${blank()}=${blank()}${value(it)}`)
          ).join("") + blank()
        ).join(",");
        assertEquals(parseExtensions(styled), offers);
      }),
    );
  });

  it("is read or refused, whatever it is", () => {
    const any = fc.string({ unit: fc.constantFrom(...'ab;,="\\ \t\0é'), maxLength: 20 });
    fc.assert(
      fc.property(fc.oneof(any, fc.string({ unit: "binary" })), (field) => {
        let offers: ExtensionOffer[];
        try {
          offers = parseExtensions(field);
        } catch (error) {
          assert(error instanceof HttpError && error.status === 400);
          return;
        }
        assertEquals(parseExtensions(offers.map(formatExtension).join(",")), offers);
      }),
      { numRuns: 2000 },
    );
  });

  it("takes about as long for 16 KiB of anything hostile as for 16 KiB of plain offers", () => {
    const n = 16_384;
    const hostile = [
      ",".repeat(n),
      " ".repeat(n) + "é",
      "a;".repeat(n / 2) + "é",
      "a,".repeat(n / 2),
      `a; b="${"\\a".repeat(n / 2)}`,
      `a; b="${"a ".repeat(n / 2)}"`,
      `a${" ".repeat(n)}b`,
      `a;b=${"c".repeat(n)}"`,
    ];
    for (const field of hostile) {
      for (const read of [parseExtensions, parseSubprotocols, (it: string) => hasToken(it, "x")]) {
        const started = performance.now();
        try {
          read(field);
        } catch (error) {
          assert(error instanceof HttpError);
        }
        // One pass takes a millisecond or a few; a quadratic one takes seconds.
        assert(performance.now() - started < HANG_MS, `${read.name} of ${field.slice(0, 20)}`);
      }
    }
  });
});

describe("Sec-WebSocket-Extensions, written (RFC 6455 §9.1)", () => {
  it("refuses what is not a token, which would be read as something else", () => {
    const refused: ExtensionOffer[] = [
      { name: "", parameters: [] },
      { name: "a b", parameters: [] },
      { name: "a", parameters: [["b;c", undefined]] },
      { name: "a", parameters: [["b", "c, d"]] },
      { name: "a", parameters: [["b", ""]] },
      { name: "a", parameters: [["b", 10 as unknown as string]] },
    ];
    for (const it of refused) assertThrows(() => formatExtension(it), TypeError, "use a token");
  });
});

describe("Sec-WebSocket-Protocol (RFC 6455 §4.1)", () => {
  it("gives the subprotocols in the client's order", () => {
    assertEquals(parseSubprotocols("chat, superchat"), ["chat", "superchat"]);
    assertEquals(parseSubprotocols("\tb ,a\t,, c,"), ["b", "a", "c"]);
    assertEquals(parseSubprotocols(""), []);
    assertEquals(parseSubprotocols("__proto__, constructor"), ["__proto__", "constructor"]);
    assertEquals(parseSubprotocols("Chat, chat"), ["Chat", "chat"]);
  });

  it("refuses what is not a token, and one that comes twice, with 400", () => {
    for (const field of ["a b", "a;b", '"a"', "a/b", "é", "a, b, a", "\u00a0a", "a\u00a0", "a\0"]) {
      refuses(() => parseSubprotocols(field), "Sec-WebSocket-Protocol");
    }
  });
});

describe("a token in a list, as Connection and Upgrade are read (RFC 6455 §4.2.1)", () => {
  it("is found whatever its case and the blanks around it", () => {
    for (
      const field of ["upgrade", "Upgrade", "keep-alive, UPGRADE", "\tupgrade , x", ",upgrade"]
    ) {
      assertEquals(hasToken(field, "upgrade"), true, field);
    }
  });

  it("is not found within another, nor behind a character that is no blank", () => {
    const fields = ["", "upgraded", "x-upgrade", "keep-alive upgrade", '"upgrade"', "upgrade;q=1"];
    for (
      const field of [...fields, "\u00a0upgrade", "upgrade\u00a0", "\u2003upgrade", "\vupgrade"]
    ) {
      assertEquals(hasToken(field, "upgrade"), false, JSON.stringify(field));
    }
  });
});
