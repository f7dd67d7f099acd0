import { describe, it } from "node:test";
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type Extension,
  type ExtensionOffer,
  type ExtensionSession,
  negotiateExtensions,
  parseExtensions,
  RSV1,
  RSV2,
  RSV3,
} from "../../../src/protocol/mod.ts";

function session(rsv: number): ExtensionSession {
  return { rsv, parameters: [], decode: (it) => it, encode: () => undefined };
}

function extension(name: string, rsv: number): Extension {
  return { name, negotiate: () => session(rsv) };
}

function agree(extensions: Extension[], field: string): string[] {
  return negotiateExtensions(extensions, parseExtensions(field)).map((it) => it.name);
}

describe("extensions, negotiated (RFC 6455 §9.1)", () => {
  const ours = [extension("x-a", RSV1), extension("x-b", RSV2), extension("x-c", RSV3)];

  it("takes those of ours that the client offers, in our order", () => {
    assertEquals(agree(ours, "x-c, x-unknown, x-a"), ["x-a", "x-c"]);
  });

  it("takes none that the client did not offer", () => {
    assertEquals(agree(ours, ""), []);
    assertEquals(agree(ours, "x-unknown"), []);
    assertEquals(agree([], "x-a"), []);
  });

  it("gives each extension all offers of its name, in the client's order, and no other", () => {
    let seen: readonly ExtensionOffer[] = [];
    const curious: Extension = {
      name: "x-a",
      negotiate: (offers) => {
        seen = offers;
        return undefined;
      },
    };
    assertEquals(agree([curious], "x-a; n=1, x-b, x-a; n=2, x-aa"), []);
    assertEquals(seen, parseExtensions("x-a; n=1, x-a; n=2"));
  });

  it("does not ask an extension that was not offered", () => {
    const never: Extension = {
      name: "x-never",
      negotiate: () => {
        throw new Error("asked");
      },
    };
    assertEquals(agree([never, ours[0]], "x-a"), ["x-a"]);
  });

  it("matches names as they are written, whatever they are", () => {
    assertEquals(agree(ours, "X-A"), []);
    assertEquals(agree(ours, "__proto__, constructor, toString, hasOwnProperty"), []);
    const odd = [extension("__proto__", RSV1), extension("constructor", RSV2)];
    assertEquals(agree(odd, "constructor"), ["constructor"]);
    assertEquals(agree(odd, "__proto__; __proto__=1"), ["__proto__"]);
  });

  it("hands over the session that the extension made", () => {
    const made = session(RSV1);
    const [agreed] = negotiateExtensions(
      [{ name: "x-a", negotiate: () => made }],
      parseExtensions("x-a"),
    );
    assertStrictEquals(agreed.session, made);
  });

  it("refuses a session with none, several or other bits than the reserved ones (§5.2)", () => {
    for (const rsv of [0, 1, 0x80, 0x60, 0x70, RSV1 | 1, -1, NaN]) {
      assertThrows(() => agree([extension("x-a", rsv)], "x-a"), TypeError, '"x-a"');
    }
  });

  it("closes the sessions made so far when one cannot be made", () => {
    const failures: Extension[] = [
      { name: "x-bad", negotiate: () => session(RSV1) },
      { name: "x-bad", negotiate: () => null as unknown as ExtensionSession },
      {
        name: "x-bad",
        negotiate: () => {
          throw new RangeError("cannot");
        },
      },
    ];
    for (const failing of failures) {
      const closed: string[] = [];
      const closing = (name: string, rsv: number, then = () => {}): Extension => ({
        name,
        negotiate: () => ({ ...session(rsv), close: () => (closed.push(name), then()) }),
      });
      const others = [
        closing("x-a", RSV1, () => {
          throw new Error("of close()");
        }),
        closing("x-b", RSV2),
      ];
      const error = assertThrows(() => agree([...others, failing], "x-a, x-b, x-bad"));
      assertEquals((error as Error).message === "of close()", false);
      assertEquals(closed, ["x-a", "x-b"]);
    }
  });

  it("refuses two that claim the same bit, and only when both are agreed on", () => {
    const both = [extension("x-a", RSV1), extension("x-b", RSV1)];
    assertEquals(agree(both, "x-b"), ["x-b"]);
    assertThrows(() => agree(both, "x-b, x-a"), TypeError, '"x-b"');
  });
});
